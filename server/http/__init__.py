"""What the doors over HTTP share."""
