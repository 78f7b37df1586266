"""A stand-in for an object store: buckets that are read as S3 is, over HTTP on 127.0.0.1."""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

KEY = "right-key"
"""The access key that is let in."""


@contextmanager
def object_store(objects: Mapping[str, bytes]) -> Iterator[dict[str, str]]:
    """Serves objects by `/bucket/key`, to whoever has the right key; gives the environment that leads there."""
    buckets = {name.split("/")[1] for name in objects}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0])
            if f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
                self._answer(403, _error("InvalidAccessKeyId"))
            elif path.strip("/") in buckets:
                self._answer(200)
            elif path not in objects:
                self._answer(404, _error("NoSuchKey" if path.split("/")[1] in buckets else "NoSuchBucket"))
            elif found := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
                first, last = int(found[1]), min(int(found[2]), len(objects[path]) - 1)
                self._answer(206, objects[path][first : last + 1], f"bytes {first}-{last}/{len(objects[path])}")
            else:
                self._answer(200, objects[path])

        do_HEAD = do_GET  # noqa: N815 - the library's name

        def _answer(self, status: int, content: bytes = b"", part: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if part:
                self.send_header("Content-Range", part)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _error(code: str) -> bytes:
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'.encode()
