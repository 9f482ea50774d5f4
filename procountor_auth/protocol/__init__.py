"""The protocol without I/O: requests, and the meaning of responses."""
