"""Deliveries to a receiver that fails, hangs, refuses, redirects and comes back."""

import base64
import hmac
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from clients.commands.ports import free_port
from clients.python.presence import Turn
from clients.python.webhook import MOST_WAITING, Webhook, WebhookError, signature, webhook_key
from tests.clients.python.announcements import announcement
from tests.waiting import LONGEST_S, until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of the specification's example
ANSWER_S = 0.3


class Receiver:
    """Answers each delivery with the next of the answers, then always 204; a number is a status, "hang" none at all.

    Attributes:
        heard: headers and body of each delivery.
        taken: numbers of the announcements that were answered with 2xx, in order.
    """

    def __init__(self, *answers: int | str) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.taken: list[int] = []
        left, over = iter(answers), threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:  # noqa: N805
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                self.heard.append(({name.lower(): value for name, value in handler.headers.items()}, body))
                answer = next(left, 204)
                if answer == "hang":
                    over.wait(20)
                    return
                if answer == "cut":
                    handler.connection.close()
                    return
                if 200 <= int(answer) < 300:
                    self.taken.append(int(json.loads(body)["id"], 16))
                handler.send_response(int(answer))
                handler.send_header("Location", "/elsewhere")
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            def do_GET(handler) -> None:  # noqa: N805
                raise AssertionError("a redirect was followed")

            def log_message(handler, *_: object) -> None:  # noqa: N805
                return None

        self._over = over
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook?token=1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    opened: list[Receiver] = []
    yield opened
    for receiver in opened:
        receiver.close()


def test_each_is_taken_once_in_order_past_failures_hangs_and_refusals(receivers: list[Receiver]) -> None:
    receiver = Receiver(500, "hang", 200, 404, 301, "cut", 429, 204, 503)
    receivers.append(receiver)
    said: list[str] = []
    webhook = Webhook(receiver.url, SECRET, said.append, lambda: 0.0, ANSWER_S)
    for number in range(6):
        webhook.tell(announcement(number))
    assert webhook.close(20) == 0
    assert receiver.taken == list(range(6))
    assert len(receiver.heard) == 6 + 7, "once more for each answer that takes nothing"
    assert [sentence.split(" (")[0].split(" takes ")[1] for sentence in said] == [
        "no announcement", "announcements again",
    ] * (len(said) // 2)  # fmt: skip
    assert not any("token" in sentence or "hook?" in sentence for sentence in said), "path and query may be secrets"


def test_signatures_are_those_of_standard_webhooks(receivers: list[Receiver]) -> None:
    receiver = Receiver(500)
    receivers.append(receiver)
    webhook = Webhook(receiver.url, SECRET, draw=lambda: 0.0)
    webhook.tell(announcement(7, Turn.LEFT))
    assert webhook.close(20) == 0
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1, "its id stays"
    for headers, body in receiver.heard:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert json.loads(body)["turn"] == "left"


def test_the_signature_of_the_specification_s_example() -> None:
    body = b'{"test": 2432232314}'
    found = signature(webhook_key(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_nothing_is_signed(receivers: list[Receiver]) -> None:
    receivers.append(receiver := Receiver())
    webhook = Webhook(receiver.url)
    webhook.tell(announcement(0))
    assert webhook.close(20) == 0
    assert "webhook-signature" not in receiver.heard[0][0]


def test_a_receiver_that_is_not_there_holds_nothing_up_and_the_newest_win(receivers: list[Receiver]) -> None:
    said: list[str] = []
    nobody = Webhook(f"http://127.0.0.1:{free_port()}", told=said.append, draw=lambda: 0.0)
    for number in range(MOST_WAITING + 20):
        nobody.tell(announcement(number))
    until(lambda: said)
    assert nobody.close(0.1) == MOST_WAITING + 20
    assert nobody.dropped == 20
    assert len(said) == 1
    receivers.append(receiver := Receiver("hang"))
    late = Webhook(receiver.url, draw=lambda: 0.0, answer_s=ANSWER_S)
    late.tell(announcement(0))
    until(lambda: receiver.heard)
    for number in range(1, MOST_WAITING + 1):
        late.tell(announcement(number))
    assert late.close(60) == 1
    assert receiver.taken == list(range(1, MOST_WAITING + 1))


def _repeat(answer: bytes, pause_s: float = 0.0, first: bytes = b"") -> Callable[[socket.socket], None]:
    """Returns what hears a request, then sends an answer over and over."""

    def send(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(first)
        over = threading.Event()
        while not over.wait(pause_s):
            connection.sendall(answer)

    return send


@contextmanager
def _hostile(send: Callable[[socket.socket], None]) -> Iterator[str]:
    """A receiver that sends what it likes; its address has a secret path and query."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            send(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=[listener.accept()[0]], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/services/secret1?token=secret2"
    listener.close()


@pytest.mark.parametrize(
    ("send", "words"),
    [
        (_repeat(b"a", ANSWER_S / 10, b"HTTP/1.1 200 OK\r\nX: "), "no answer within 0.3 s"),
        (_repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), "no answer within 0.3 s"),
        (_repeat(b"a" * 100_000, first=b"HTTP/1.1 200 OK\r\nX: "), "no HTTP"),
        (_repeat(b"\xff" * 100 + b"\r\n\r\n"), "no HTTP"),
        (lambda _: None, "the connection was closed"),
    ],
    ids=["byte by byte", "goes on for ever", "endless head", "garbage", "silence"],
)
def test_an_answer_that_never_ends_is_given_up(send: Callable[[socket.socket], None], words: str) -> None:
    said: list[str] = []
    with _hostile(send) as url:
        webhook = Webhook(url, told=said.append, draw=lambda: 0.0, answer_s=ANSWER_S)
        webhook.tell(announcement(0))
        until(lambda: said)
        assert webhook.close(0.1) == 1
    assert re.search(words, said[0])
    assert "secret" not in said[0]


def test_a_body_is_not_read_however_long() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    with _hostile(_repeat(b"a" * 100_000, first=head)) as url:
        webhook = Webhook(url, draw=lambda: 0.0)
        webhook.tell(announcement(0))
        assert webhook.close(20) == 0


def test_a_name_that_is_looked_up_without_end_holds_up_no_exit() -> None:
    program = """
import socket, threading
from clients.python.webhook import Webhook
from tests.clients.python.announcements import announcement
asked, never = threading.Event(), threading.Event()
socket.getaddrinfo = lambda *_, **__: asked.set() or never.wait()
webhook = Webhook("https://example.org/hook")
webhook.tell(announcement(0))
asked.wait()
assert webhook.close(0.1) == 1
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=LONGEST_S)


def test_a_certificate_that_is_not_trusted_is_told() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    said: list[str] = []

    def send(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True).close()

    with _hostile(send) as url:
        webhook = Webhook(url.replace("http:", "https:"), told=said.append)
        webhook.tell(announcement(0))
        until(lambda: said)
        webhook.close(0.1)
    assert "its certificate is not trusted: " in said[0]


@pytest.mark.parametrize(
    ("url", "secret", "words"),
    [
        ("ftp://a/b", None, "no address like"), ("a/b", None, "no address like"), ("http://", None, "no address like"),
        ("http://[", None, "no address like"), ("http://me:secret@a/b", None, "name or password"),
        ("http://a:99999/", None, "no address like"), ("http://a:0", None, "no address like"),
        ("http://a..b/", None, "no address like"), ("http://me:secret@a:99999/", None, "no address like"),
        ("ftp://me:secret@a/b", None, "name or password"),
        ("http://a/b", "", "is empty"), ("http://a/b", "whsec_", "is empty"), ("http://a/b", "whsec_?", "base64"),
    ],
)  # fmt: skip
def test_what_is_no_webhook(url: str, secret: str | None, words: str) -> None:
    with pytest.raises(WebhookError, match=words) as caught:
        Webhook(url, secret)
    assert "secret@" not in str(caught.value)
