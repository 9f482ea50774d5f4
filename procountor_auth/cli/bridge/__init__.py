"""``procountor-auth bridge``."""
