"""One valid token for all callers."""
