"""A Django app that stores the tokens of procountor_auth."""
