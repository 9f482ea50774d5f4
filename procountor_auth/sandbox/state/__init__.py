"""What the sandbox knows."""
