"""What is served, and how it is."""
