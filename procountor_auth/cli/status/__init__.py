"""`procountor-auth status`."""
