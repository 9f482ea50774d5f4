"""Login with a browser."""
