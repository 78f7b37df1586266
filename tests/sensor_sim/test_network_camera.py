import gc
import ssl
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import trustme

from sensor_sim.live import LiveChange, LiveError, LivePicture, LiveSource, LiveState
from sensor_sim.network_camera import CameraAddress, Credentials, NetworkCamera
from sensor_sim.uplink import Backoff
from tests.cameras import SESSION, Camera, MjpegCamera, PlaylistCamera, RtspCamera, show_in_turn

pytestmark = pytest.mark.long

LEVELS = (40, 120, 200)
PLAIN = [np.full((48, 66, 3), level, np.uint8) for level in LEVELS]
SHOW = show_in_turn(PLAIN, 0.4)
RATE = 20
SOON = Backoff(attempts=0, first_s=0.05, most_s=0.2)
WAIT_S = 30.0


def _live(camera: Camera, credentials: Credentials | None = None, timeout_s: float = 5.0) -> LiveSource:
    return LiveSource("camera", NetworkCamera(CameraAddress(camera.url, credentials), timeout_s), SOON)


def _level(picture: LivePicture) -> int:
    """The level that a picture shows; lossy coding changes it by a few."""
    assert picture.pixels.shape == (48, 66, 3)
    middle = int(picture.pixels[24, 33, 0])
    return min(LEVELS, key=lambda level: abs(level - middle))


def _shown(source: LiveSource, wanted: int = 3) -> list[int]:
    """The levels shown, until a number of them was seen."""
    reader = source.reader()
    seen: list[int] = []
    while len(set(seen)) < wanted:
        news = reader.next(WAIT_S)
        assert isinstance(news, LivePicture), news
        if not seen or seen[-1] != _level(news):
            seen.append(_level(news))
    return seen


@pytest.mark.parametrize("kind", [RtspCamera, MjpegCamera, PlaylistCamera])
def test_each_picture_of_a_camera_comes(kind: type[Camera]) -> None:
    with kind(SHOW, RATE) as camera, _live(camera) as source:
        assert set(_shown(source)) == set(LEVELS)


@pytest.mark.parametrize("kind", [RtspCamera, MjpegCamera])
def test_a_camera_asks_for_a_password(kind: type[Camera]) -> None:
    with kind(SHOW, RATE, user="joe", password="s:/@?&%") as camera:  # noqa: S106 - of the test's own camera
        for credentials in (None, Credentials("joe", "guessed")):
            with pytest.raises(LiveError, match="refuses the name or password") as refused, _live(camera, credentials):
                pass
            assert "guessed" not in str(refused.value)
        right = Credentials("joe", "s:/@?&%")
        assert "s:/" not in repr(right)
        with _live(camera, right) as source:
            assert _shown(source, 1)


@pytest.mark.parametrize("kind", [RtspCamera, MjpegCamera])
def test_a_camera_that_is_killed_or_frozen_is_found_and_connected_to_again(kind: type[Camera]) -> None:
    with kind(SHOW, RATE) as camera, _live(camera, timeout_s=1.5) as source:
        reader = source.reader()

        def until(state: LiveState) -> LiveChange:
            while not (isinstance(news := reader.next(WAIT_S), LiveChange) and news.state is state):
                assert news is not None
            return news

        camera.kill()
        assert until(LiveState.LOST).name == "camera"
        camera.start()
        until(LiveState.BACK)
        camera.freeze()
        assert until(LiveState.LOST).reason == "nothing came for 1.5 s"
        camera.thaw()
        until(LiveState.BACK)
        assert isinstance(reader.next(WAIT_S), LivePicture)
        assert source.losses >= 2  # on a busy machine a slow camera counts as lost too


def test_an_encrypted_camera_is_trusted_by_its_certificate(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    for name, each in (("right.pem", authority), ("wrong.pem", other)):
        each.cert_pem.write_to_path(str(tmp_path / name))
    with MjpegCamera(SHOW, RATE, tls=context) as camera:
        address = CameraAddress(camera.url)
        assert camera.url.startswith("https://")
        with LiveSource("camera", NetworkCamera(address, 5.0, tmp_path / "right.pem")) as source:
            assert _shown(source, 1)
        for trusted in (tmp_path / "wrong.pem", None):
            with pytest.raises(LiveError), LiveSource("camera", NetworkCamera(address, 5.0, trusted)):
                pass


def test_a_playlist_can_t_name_a_file_of_this_machine(tmp_path: Path) -> None:
    secret = tmp_path / "1.ts"

    class Thief(PlaylistCamera):
        def _playlist(self, kept: list[int]) -> list[str]:
            secret.write_bytes(self.segments[kept[0]])
            return ["#EXTINF:1.0,", f"file://{secret}"]

    with Thief(SHOW, RATE) as camera, pytest.raises(LiveError), _live(camera, timeout_s=0.5):
        pass
    assert secret.exists()


def test_nothing_secret_is_in_a_name() -> None:
    address = CameraAddress("rtsp://camera.local:8554/live?user=joe&password=1234", Credentials("joe", "1234"))
    assert address.name == "rtsp://camera.local:8554/live"
    assert CameraAddress("rtsp://camera/user=admin&password=1234&channel=1.sdp").name == "rtsp://camera/user"
    assert CameraAddress("http://[::1]:80/video").name == "http://[::1]:80/video"
    assert CameraAddress("/dev/video0").name == "/dev/video0"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("rtsp://joe:secret1@camera/live", "rtsp://camera/live: the address holds a name or password"),
        ("rtsp://", "an address such as rtsp://camera/live"),
        ("file:///etc/secret1", "an address such as"),
        ("rtsp://camera:secret1/live", "can't be read"),
        ("rtsp://[secret1/live", "can't be read"),
    ],
)
def test_an_address_that_can_t_be_used_is_told_without_its_secrets(text: str, complaint: str) -> None:
    with pytest.raises(LiveError, match=complaint) as refused:
        CameraAddress(text)
    assert "secret1" not in str(refused.value)


def test_a_camera_s_own_name_need_not_be_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.cameras.SESSION", SESSION.replace("s=camera", "s=Küche"))
    with RtspCamera(SHOW, RATE) as camera, _live(camera) as source:
        assert _shown(source, 1)


def test_a_camera_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with RtspCamera(SHOW) as camera:
        url = camera.url
    for place, complaint in ((url, "connection refused"), ("/dev/video-not-there", "no such file")):
        with (
            pytest.raises(LiveError, match=f"^camera: {complaint}"),
            LiveSource("camera", NetworkCamera(CameraAddress(place))),
        ):
            pass
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(LiveError, match="extra `video`"):
        NetworkCamera(CameraAddress(url))


def test_pictures_may_have_odd_sizes_and_change_them() -> None:
    sizes = [(49, 67), (31, 40), (120, 161)]
    odd = [np.full((*size, 3), 90, np.uint8) for size in sizes]
    with MjpegCamera(show_in_turn(odd, 0.2), RATE) as camera, _live(camera) as source:
        reader = source.reader()
        seen: set[tuple[int, ...]] = set()
        while len(seen) < len(sizes):
            news = reader.next(WAIT_S)
            assert isinstance(news, LivePicture), news
            seen.add(news.pixels.shape[:2])
    assert seen == set(sizes)


def test_a_picture_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensor_sim.network_camera.MOST_PX", 48 * 66 - 1)
    with MjpegCamera(SHOW, RATE) as camera, pytest.raises(LiveError, match="66 x 48 pixels are larger"), _live(camera):
        pass


def test_pictures_go_as_soon_as_they_are_shown() -> None:
    """PyAV's objects refer to each other in places; what waits for the garbage collector would pile up."""
    with MjpegCamera(SHOW, RATE) as camera, _live(camera) as source:
        reader = source.reader()
        gc.collect()
        gc.disable()
        try:
            for _ in range(12):
                news = reader.next(WAIT_S)
                assert isinstance(news, LivePicture)
                assert news.pixels.any()
            kept = sum(type(each) is av.VideoFrame for each in gc.get_objects())
        finally:
            gc.enable()
    assert kept <= 4
