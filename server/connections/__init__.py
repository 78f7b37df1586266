"""The connections of a process, from accept to close: places, TLS, HTTP/1.1, states with deadlines."""
