"""`procountor-auth login` and `key create`: a user logs in with a browser."""
