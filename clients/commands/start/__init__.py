"""A first hour: the demo and the service."""
