"""A day of a thousand hosts and five thousand companies, on a real Redis."""
