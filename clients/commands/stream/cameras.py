"""Live sources that the options name: cameras, and programs that send raw frames."""

import os
import re
from typing import Final

from clients.commands.console import need
from clients.commands.stream.sensor_options import SceneChoice
from sensor_sim.live import LiveSource
from sensor_sim.network_camera import CameraAddress, Credentials, NetworkCamera
from sensor_sim.raw_video import RawFormat, RawVideo
from sensor_sim.scene import SceneError

WEBCAM: Final = "webcam"
DEFAULT_WEBCAM: Final = "/dev/video0"
DEVICES: Final = "/dev/video"
ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""How an address begins (RFC 3986, 3)."""
CAMERA_USER: Final = "RASCANET_CAMERA_USER"
CAMERA_PASSWORD: Final = "RASCANET_CAMERA_PASSWORD"  # noqa: S105 - the variable's name
STANDARD_INPUT_DESCRIPTOR: Final = 0


def is_camera(source: str) -> bool:
    """Says whether a source is a camera: an address of any scheme, a device or `webcam`.

    An address with a mistyped scheme is one too: `CameraAddress` refuses it without its password, a file's message
    would show it.
    """
    return source == WEBCAM or source.startswith(DEVICES) or ADDRESS.match(source) is not None


def live_camera(source: str, choice: SceneChoice) -> LiveSource:
    """Returns a camera, not connected yet, with the credentials of the environment.

    Raises:
        LiveError: an address that can't be used.
    """
    need("av")
    user, password = os.environ.get(CAMERA_USER, ""), os.environ.get(CAMERA_PASSWORD, "")
    place = DEFAULT_WEBCAM if source == WEBCAM else source
    address = CameraAddress(place, Credentials(user, password) if user or password else None)
    return LiveSource(address.name, NetworkCamera(address, choice.camera_timeout_s, choice.camera_ca))


def live_input(choice: SceneChoice, *, every: bool) -> LiveSource:
    """Returns standard input as raw frames, not read yet.

    Args:
        choice: the options with format and size.
        every: see `LiveSource`.

    Raises:
        SceneError: one of the two without the other, or beside another source.
        LiveError: an unknown format or a size that can't be.
    """
    if not (choice.stdin and choice.size):
        raise SceneError("--stdin and --size belong together, such as --stdin rgb8 --size 640x480")
    if choice.sources or choice.scene or choice.samples:
        raise SceneError("--stdin is the only source: name no other, and no --scene")
    raw = RawFormat.parse(choice.stdin, choice.size)
    return LiveSource("standard input", RawVideo(STANDARD_INPUT_DESCRIPTOR, raw), None, every=every)
