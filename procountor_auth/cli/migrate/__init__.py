"""`procountor-auth migrate`."""
