"""`procountor-auth login` and `key create`: a person at a browser."""
