"""Video files for tests, written by PyAV."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt


def write_film(
    path: Path,
    pictures: Iterable[npt.NDArray[np.uint8]],
    rate: int,
    codec: str = "mpeg4",
    pixels: str = "yuv420p",
    title: str = "",
) -> Path:
    """Writes pictures of one size (H, W, 3), and returns the path.

    Args:
        path: file to write; its ending chooses the container.
        pictures: what the film shows.
        rate: pictures a second.
        codec, pixels: FFmpeg's names of codec and pixel format.
        title: title among the metadata.
    """
    with av.open(str(path), "w") as container:
        container.metadata["title"] = title
        stream: Any = None
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream(codec, rate=rate)
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], pixels
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode())
    return path
