"""A short life of a camera: ten minutes of it are `make camera-soak`."""

from tests.soak.cameras import frozen, killed, run, service_killed


def test_a_stream_outlives_its_camera_and_its_service() -> None:
    story = run([killed, frozen, service_killed], between_s=1.5, each_s=0.7)
    assert story.faults(losses=2) == []
    assert story.summary["frames"] == len(story.ledger)
