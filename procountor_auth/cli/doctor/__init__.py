"""`procountor-auth doctor`."""
