"""What the commands show on terminals of several widths, kept as text."""
