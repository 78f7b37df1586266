from typing import Any

from server.stream.outbox import MOST, Outbox
from tests.server.stream.ways import Transport, VirtualLoop


def _put(outbox: Outbox, loop: Any, transport: Any, data: bytes) -> None:
    outbox.put(loop, transport, data)


def test_answers_of_a_turn_are_written_together_and_in_order() -> None:
    outbox, loop, one, other = Outbox(), VirtualLoop(), Transport(), Transport()
    for transport, data in ((one, b"a"), (other, b"b"), (one, b"c")):
        _put(outbox, loop, transport, data)
    assert (bytes(one.written), bytes(other.written)) == (b"", b"")
    loop.run()
    assert (bytes(one.written), bytes(other.written)) == (b"ac", b"b")
    assert not loop.pending


def test_no_answer_waits_for_more_than_so_many_others() -> None:
    outbox, loop, transport = Outbox(), VirtualLoop(), Transport()
    for number in range(3 * MOST - 1):
        _put(outbox, loop, transport, b"x")
        assert number - len(transport.written) < MOST
    loop.run()
    assert len(transport.written) == 3 * MOST - 1


def test_nothing_is_written_to_a_connection_that_closes() -> None:
    outbox, loop, transport = Outbox(), VirtualLoop(), Transport()
    _put(outbox, loop, transport, b"x")
    transport.close()
    loop.run()
    assert bytes(transport.written) == b""


def test_what_a_write_causes_is_written_after_it() -> None:
    outbox, loop = Outbox(), VirtualLoop()

    class Echoing(Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            super().write(data)
            if len(self.written) == 1:
                _put(outbox, loop, self, b"2")

    transport = Echoing()
    _put(outbox, loop, transport, b"1")
    loop.run()
    assert bytes(transport.written) == b"12"
