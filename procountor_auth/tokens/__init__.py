"""One valid token for everybody who asks."""
