"""How the sandbox departs from the service: quirks and faults."""
