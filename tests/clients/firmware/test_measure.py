from collections import Counter

import pytest

from model.config import VARIANTS
from tests.clients.firmware.boards import BOARDS
from tests.clients.firmware.measure import Subject, parts, shipped


@pytest.mark.parametrize("frames", [1, 4, 9, 40])
def test_parts_hold_every_frame_of_every_network_and_board_once(frames: int) -> None:
    chosen = [Subject("shipped", *shipped(variant)) for variant in VARIANTS]
    found = list(parts(frames, chosen))
    played = Counter(
        (part.subject.network.digest, part.board, frame)
        for part in found
        for frame in range(part.start, part.start + part.frames)
    )
    assert set(played.values()) == {1}
    assert len(played) == frames * len(BOARDS) * len(chosen)
    assert len({part.key for part in found}) == len(found)
