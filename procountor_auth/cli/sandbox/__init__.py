"""`procountor-auth sandbox`."""
