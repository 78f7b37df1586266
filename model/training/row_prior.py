"""Share of the people that has come into view after each share of a frame's rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.training.photos import Photos


@dataclass(frozen=True, slots=True)
class RowPrior:
    """Share of the people that has come into view, over the share of rows read.

    Attributes:
        shares: shares of the frame's rows that are read, (T + 1,) from 0 to 1.
        begun: at each of `shares`, share of the pictures whose uppermost person box has begun, (T + 1,).
        ended: at each of `shares`, share of the pictures whose largest person box is read to its end, (T + 1,).
        pictures: number of pictures with a person whose boxes are known.
    """

    shares: npt.NDArray[np.float64]
    begun: npt.NDArray[np.float64]
    ended: npt.NDArray[np.float64]
    pictures: int


def row_prior(photos: Photos, bursts: int) -> RowPrior | None:
    """The prior of the pictures that show a person, over `bursts` bursts; None if no boxes are known."""
    boxed = [photo.boxes for photo in photos.photos if photo.label == 1 and photo.boxes]
    if not boxed:
        return None
    tops = np.array([min(y for _, y, _, _ in boxes) for boxes in boxed])
    largest = [max(boxes, key=lambda box: box[2] * box[3]) for boxes in boxed]
    bottoms = np.array([min(1.0, y + height) for _, y, _, height in largest])
    shares = np.arange(bursts + 1) / bursts
    begun = (tops[:, None] < shares).mean(0)
    return RowPrior(shares, begun, (bottoms[:, None] <= shares + 1e-9).mean(0), len(boxed))
