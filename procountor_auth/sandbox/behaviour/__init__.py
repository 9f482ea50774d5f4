"""How the sandbox differs from the service: quirks and faults."""
