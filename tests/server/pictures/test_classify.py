import pytest

from model.budget import budget
from model.exit_policy import NeverExitPolicy, PublishedPolicy
from model.picture import USUAL_LIMITS, decode_frame
from model.runtime import load_runtime
from model.scan import scan_to_last
from server.pictures.classify import classify_picture
from server.pictures.entries import ImageDecision, ImageError
from tests.networks import SMALL, person_curve, random_checkpoint
from tests.picture_files import picture

RUNTIME = load_runtime(random_checkpoint(SMALL, 1))
SKIPPING = PublishedPolicy(1.0, 0.999999)
"""Skips every other burst."""


@pytest.mark.parametrize("policy", [NeverExitPolicy(), PublishedPolicy(0.52, 0.48), SKIPPING])
@pytest.mark.parametrize("seed", range(3))
def test_an_entry_is_the_scan_of_the_frame(policy: NeverExitPolicy | PublishedPolicy, seed: int) -> None:
    content = picture(seed)
    scan, last = scan_to_last(RUNTIME, decode_frame(content, SMALL.height, SMALL.width), policy)
    entry = classify_picture(content, RUNTIME, policy, USUAL_LIMITS, name="a.png", index=4)
    assert isinstance(entry, ImageDecision)
    assert (entry.name, entry.index, entry.curve) == ("a.png", 4, None)
    for field in ("person", "p_person", "exited", "processed", "skipped", "unread", "processed_ratio"):
        assert getattr(entry, field) == getattr(scan, field)
    assert entry.burst_index == scan.last_burst
    assert entry.logits == last.logits[-1].tolist()
    assert entry.macs == scan.processed * budget(SMALL).macs_per_burst


def test_a_curve_has_a_gap_for_each_burst_that_was_skipped() -> None:
    content = picture(0)
    whole = classify_picture(content, RUNTIME, NeverExitPolicy(), USUAL_LIMITS, curve=True)
    skipping = classify_picture(content, RUNTIME, SKIPPING, USUAL_LIMITS, curve=True)
    assert isinstance(whole, ImageDecision)
    assert isinstance(skipping, ImageDecision)
    assert whole.curve == person_curve(RUNTIME, decode_frame(content, SMALL.height, SMALL.width)).tolist()
    assert skipping.curve is not None
    assert [chance is None for chance in skipping.curve] == [False, True, False, True, False]


def test_a_file_that_is_no_picture_is_an_entry_too() -> None:
    entry = classify_picture(b"no picture", RUNTIME, NeverExitPolicy(), USUAL_LIMITS, name="b.png", index=2)
    assert isinstance(entry, ImageError)
    assert (entry.index, entry.name, entry.code) == (2, "b.png", "unreadable_image")
