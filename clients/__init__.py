"""Programs and people that use the service."""
