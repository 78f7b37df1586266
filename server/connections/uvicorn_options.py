"""Options that give a service's connections to our own classes in uvicorn."""

from typing import Any

from server.connections.http_connection import HttpConnection
from server.settings import Settings
from server.stream.connection import StreamConnection


def connection_options(settings: Settings) -> dict[str, Any]:
    """Returns the arguments of `uvicorn.Config` for connections: their classes, and the proxies to believe."""
    return {
        "http": HttpConnection,
        "ws": StreamConnection,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies,
    }
