"""Sends token requests to the host."""
