"""The service: rows in, decisions out."""
