"""The protocol, without any I/O: what to send, and what the responses mean."""
