"""Client of the service, async and sync."""
