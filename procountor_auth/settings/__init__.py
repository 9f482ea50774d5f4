"""What the environment decides."""
