"""The network and everything numerical."""
