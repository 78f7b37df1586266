"""One process under load: connections, work, metrics, log, end."""
