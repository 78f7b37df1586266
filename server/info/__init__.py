"""Information on the service: networks, samples, limits, health."""
