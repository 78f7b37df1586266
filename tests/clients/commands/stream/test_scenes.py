import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clients.commands.sources import NoPicturesError, SourceError
from clients.commands.stream.scenes import Filming, Shot, geometry_of
from clients.commands.stream.sensor_options import SceneChoice, SensorChoice
from sensor_sim.camera import Camera
from sensor_sim.scene import SceneError
from sensor_sim.video import VideoScene
from tests.films import write_film
from tests.networks import SMALL
from tests.picture_files import picture

RATE = 8
PICTURES = 5


def _film(
    sources: list[object], *, scene: str | None = None, frames: int | None = None, repeat: bool = False
) -> Filming:
    sensor = SensorChoice()
    choice = SceneChoice([str(source) for source in sources], scene=scene, frames=frames)
    return Filming(choice, sensor, geometry_of(SMALL.name, sensor), repeat=repeat)


def _shots(*sources: object, scene: str | None = None, frames: int | None = None) -> list[Shot]:
    """The shots, each read out at its time, as a stream does."""
    shots = []
    with _film(list(sources), scene=scene, frames=frames) as filming:
        period_us = filming.timing.frame_period_us or 1e6
        for number, shot in enumerate(filming.shots()):
            assert isinstance(shot, Shot)
            shots.append(shot)
            list(shot.reader(number, number * period_us) if shot.reader else ())
    return shots


def _names(*sources: object, scene: str | None = None, frames: int | None = None) -> list[str]:
    return [shot.name for shot in _shots(*sources, scene=scene, frames=frames)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "folder"
    (place / "deep").mkdir(parents=True)
    for number in (2, 0, 1):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(place / f"{number}.png")
    (place / "notes.txt").write_text("no picture")
    Image.new("RGB", (8, 8)).save(place / "deep" / "3.png")
    return place


@pytest.fixture
def video(tmp_path: Path) -> Path:
    pictures = (np.full((32, 32, 3), 40 * number, np.uint8) for number in range(PICTURES))
    return write_film(tmp_path / "people.mp4", pictures, RATE)


def test_a_folder_is_a_sequence(folder: Path) -> None:
    names = ["0.png", "1.png", "2.png"]
    assert _names(folder) == _names(folder, scene="photo") == [*names, "3.png"]
    assert _names(folder, frames=2) == names[:2]
    assert _names(folder, frames=6) == [*names, "3.png", "0.png", "1.png"]
    assert _names(folder / "*.png") == names
    assert _names(folder / "**" / "*.png") == [*names, "3.png"]
    cameras = [shot.reader for shot in _shots(folder, frames=3)]
    assert [camera.frame()[0, 0, 0] for camera in cameras if isinstance(camera, Camera)] == [0, 1, 2]


def test_what_a_source_is_is_found_out(folder: Path, video: Path) -> None:
    film = [f"people.mp4 {number}" for number in range(PICTURES)]
    assert _names(video) == _names(video, scene="video") == _names(video.with_name("*.mp4")) == film
    assert _names(folder / "0.png", video, folder / "1.png") == ["0.png", *film, "1.png"]
    assert _names(video, frames=2) == film[:2]


def test_a_film_sets_the_frame_rate_unless_told_another(folder: Path, video: Path) -> None:
    with _film([video]) as filming:
        assert filming.timing.frame_period_us == pytest.approx(1e6 / RATE)
    with _film([folder]) as filming:
        assert filming.timing.frame_period_us is None
    sensor = SensorChoice(frame_rate=20)
    with Filming(SceneChoice([str(video)]), sensor, geometry_of(SMALL.name, sensor)) as filming:
        assert filming.timing.frame_period_us == pytest.approx(1e6 / 20)


def test_frames_of_a_film_that_were_passed_over_are_told(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At the end of the film, or of the frames that were asked for; every other frame begins too late."""
    for frames, said in ((None, "2 of 5 frames"), (2, "1 of 3 frames")):
        with _film([video], frames=frames) as filming:
            for number, shot in enumerate(filming.shots()):
                assert isinstance(shot, Shot)
                assert shot.reader
                list(shot.reader(number, number * 2e6 / RATE))
        assert f"people.mp4: {said} were passed over" in capsys.readouterr().err


def test_frames_missed_in_a_loss_of_the_service_are_put_down_to_it(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _film([video], frames=2) as filming:
        for number, shot in enumerate(filming.shots()):
            assert isinstance(shot, Shot)
            assert shot.reader
            list(shot.reader(number, number * 2e6 / RATE))
            filming.interrupted()
    assert capsys.readouterr().err.endswith("people.mp4: 1 of 3 frames were passed over while the service was away\n")


def test_a_broken_file_is_named_and_the_others_go_on(folder: Path, video: Path) -> None:
    (folder / "1.png").write_bytes(picture()[:-300])
    cut = video.with_name("cut.mp4")
    cut.write_bytes(b"no film")
    shots = _shots(folder / "0.png", folder / "1.png", cut, folder / "2.png")
    assert [bool(shot.reader) for shot in shots] == [True, False, False, True]
    assert "1.png" in shots[1].fault
    assert "cut.mp4" in shots[2].fault


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    for source, complaint in (
        ("missing.png", "no such file"),
        ("missing.mp4", "no such file"),
        ("*.jpg", "nothing matches"),
    ):
        with pytest.raises(SourceError, match=complaint):
            _film([tmp_path / source])
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoPicturesError, match=r"no pictures in .*empty; pictures are files of JPEG"):
        _shots(tmp_path / "empty")
    with pytest.raises(NoPicturesError), _film([tmp_path / "empty"], repeat=True) as filming:
        next(filming.shots())
    with pytest.raises(SceneError, match="name photographs"):
        _film([])


def test_frames_end_every_repetition(folder: Path) -> None:
    for filmed in (
        _film([], scene="colour-bars", frames=3, repeat=True),
        _film([folder], frames=3, repeat=True),
    ):
        with filmed as filming:
            assert len(list(filming.shots())) == 3


def test_a_webcam_is_one_camera() -> None:
    with pytest.raises(SceneError, match="one camera, not 2 sources"):
        _film(["/dev/video0", "/dev/video1"], scene="webcam")


def test_a_sprite_may_be_a_picture(folder: Path, tmp_path: Path) -> None:
    sprite = tmp_path / "sprite.png"
    Image.new("RGB", (20, 20), (1, 2, 3)).save(sprite)
    (shot,) = _shots(folder / "0.png", sprite, scene="sprite")
    assert isinstance(shot.reader, Camera)
    assert ((shot.reader.frame() == (1, 2, 3)).all(axis=2)).sum() == 15 * 15


def test_a_film_is_played_over_and_over_with_one_open_at_a_time(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[VideoScene] = []
    closed: list[VideoScene] = []
    begin, close = VideoScene.__init__, VideoScene.close

    def count_opened(film: VideoScene, *arguments: Any, **options: Any) -> None:
        begin(film, *arguments, **options)
        opened.append(film)

    def count_closed(film: VideoScene) -> None:
        close(film)
        closed.append(film)

    monkeypatch.setattr(VideoScene, "__init__", count_opened)
    monkeypatch.setattr(VideoScene, "close", count_closed)
    with _film([video], repeat=True) as filming:
        for number, shot in enumerate(itertools.islice(filming.shots(), 3 * PICTURES + 2)):
            assert isinstance(shot, Shot)
            assert shot.reader
            list(shot.reader(number, number * 1e6 / RATE))
            assert len(opened) <= len(closed) + 1
    assert len(opened) == 4
    assert closed == opened
