"""A simulated sensor before a service: streams, recordings, events."""
