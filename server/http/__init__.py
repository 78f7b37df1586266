"""Parts that the HTTP doors share."""
