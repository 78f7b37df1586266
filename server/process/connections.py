"""How uvicorn serves a service's connections."""

from typing import Any

from server.process.http_connection import HttpConnection
from server.settings import Settings
from server.stream.connection import StreamConnection


def connection_options(settings: Settings) -> dict[str, Any]:
    """Arguments of `uvicorn.Config` for such connections, and behind which proxies."""
    return {
        "http": HttpConnection,
        "ws": StreamConnection,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies,
    }
