"""Classification of one picture file to one entry of an answer, for `/v1/classify` and `rascanet classify` alike."""

from collections.abc import Callable
from time import perf_counter_ns

from model.budget import budget
from model.exit_policy import ExitPolicy
from model.picture import Frame, PictureLimits
from model.scan import scan_to_last
from model.step import StepResult, StepRuntime
from server.errors import ServiceError
from server.pictures.decode import decode_image
from server.pictures.entries import ImageDecision, ImageError

Decode = Callable[[bytes, int, int, PictureLimits], Frame]
"""Decodes the content of a file at a height and width (px), within limits; raises `ServiceError`."""


def classify_picture(
    content: bytes,
    runtime: StepRuntime,
    policy: ExitPolicy,
    limits: PictureLimits,
    *,
    name: str = "",
    index: int = 0,
    curve: bool = False,
    decode: Decode = decode_image,
) -> ImageDecision | ImageError:
    """Decodes a picture and reads it burst by burst as a stream would.

    Args:
        content: bytes of the file.
        runtime: the network.
        policy: the exit policy.
        limits: the largest picture that is read.
        name, index: fields of the entry.
        curve: true to add P(person) after each burst.
        decode: decodes the file.
    """
    began_ns = perf_counter_ns()
    config = runtime.config
    try:
        frame = decode(content, config.height, config.width, limits)
    except ServiceError as error:
        return ImageError(index=index, name=name, code=error.code, message=str(error))
    chances: list[float | None] = []

    def observe(first_burst: int, result: StepResult) -> None:
        chances.extend([None] * (first_burst - len(chances)))
        chances.extend(result.p_person)

    scan, last = scan_to_last(runtime, frame, policy, observe)
    return ImageDecision(
        index=index,
        name=name,
        person=scan.person,
        p_person=scan.p_person,
        logits=last.logits[-1].tolist(),
        exited=scan.exited,
        burst_index=scan.last_burst,
        processed=scan.processed,
        skipped=scan.skipped,
        unread=scan.unread,
        processed_ratio=scan.processed_ratio,
        macs=scan.processed * budget(config).macs_per_burst,
        elapsed_us=(perf_counter_ns() - began_ns) // 1000,
        curve=chances if curve else None,
    )
