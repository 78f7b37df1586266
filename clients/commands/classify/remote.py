"""By a service, over a few connections at a time."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from clients.commands.classify.engine import Done
from clients.commands.sources import Picture
from clients.python.http import HttpClient, Upload, UploadError
from model.picture import PictureLimits
from server.errors import ServiceError


def classify_remotely(
    pictures: Iterable[Picture],
    client: HttpClient,
    limits: PictureLimits,
    *,
    variant: str,
    policy: Mapping[str, Any],
    curve: bool,
) -> Generator[Done, None, None]:
    """Classifies pictures by a service, in their order.

    Raises:
        HttpError: the service is gone, or refuses them all.
    """
    waiting: deque[Picture] = deque()

    def uploads() -> Iterator[Upload]:
        for picture in pictures:
            waiting.append(picture)
            yield Upload(picture.name, partial(_read, picture, limits.most_bytes))

    for result in client.classify(uploads(), variant=variant, policy=policy, curve=curve):
        yield waiting.popleft(), msgspec.to_builtins(result)


def _read(picture: Picture, most_bytes: int) -> bytes:
    try:
        return picture.read(most_bytes)
    except ServiceError as error:
        raise UploadError(error.code, str(error)) from error
