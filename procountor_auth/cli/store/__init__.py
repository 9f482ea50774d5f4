"""`procountor-auth store`."""
