"""A name server on loopback: the replicas' addresses under one name, as Docker's and Kubernetes' give them."""

import socket
import threading
from contextlib import suppress

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

MOST_BYTES = 4096


class NameServer:
    """Answers questions for IPv4 addresses of any name that begins with `name`, until it is closed.

    Attributes:
        addresses: the addresses that the name has now.
        port: where it listens on 127.0.0.1, by UDP.
    """

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self.addresses: tuple[str, ...] = ()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._over = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, asker = self._socket.recvfrom(MOST_BYTES)
            if self._over:
                return
            with suppress(dns.exception.DNSException, IndexError):
                self._socket.sendto(self._answer(data), asker)

    def _answer(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        question = query.question[0]
        answer = dns.message.make_response(query, recursion_available=True)
        if question.name.labels[0] == self._name and question.rdtype == dns.rdatatype.A and self.addresses:
            answer.answer.append(dns.rrset.from_text_list(question.name, 0, "IN", "A", self.addresses))
        return answer.to_wire()
