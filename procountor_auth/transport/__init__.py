"""How requests for tokens reach the host."""
