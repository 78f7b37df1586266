import pytest

from clients.commands.bench.websocket_frames import BINARY, FrameReader, frame_prefix


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("cut", [1, 7, 4096])
def test_frames_are_read_in_any_pieces(size: int, cut: int) -> None:
    taken = []
    reader = FrameReader(lambda opcode, buffer, start, end: taken.append((opcode, buffer[start:end])))
    payload = bytes(index % 251 for index in range(size))
    prefix = bytearray(frame_prefix(BINARY, size))
    prefix[1] &= 0x7F  # a server doesn't mask
    data = (bytes(prefix[:-4]) + payload) * 2
    step = cut if size < 60000 else max(cut, 4096)
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
    assert taken == [(BINARY, payload)] * 2
