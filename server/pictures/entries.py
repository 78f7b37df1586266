"""The entry of a picture in an answer; kept apart so that `rascanet classify` need not import the other schemas."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from model.exit_policy import PERSON_FROM

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class ImageDecision(BaseModel):
    """Decision on one picture; the fields are those of the stream's `decision`, and some more."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "index": 0,
                "name": "street.jpg",
                "person": True,
                "p_person": 0.9931,
                "logits": [-2.41, 2.56],
                "exited": True,
                "burst_index": 12,
                "processed": 13,
                "skipped": 0,
                "unread": 8,
                "processed_ratio": 0.619,
                "macs": 5_891_704,
                "elapsed_us": 5312,
            }
        }
    )

    index: Count = Field(description="of the picture in the request")
    name: str = Field(description="file name, as it was sent")
    person: bool = Field(description=f"P(person) >= {PERSON_FROM}")
    p_person: Share
    logits: list[float] = Field(
        min_length=2, max_length=2, description="of no person and person, after the last burst processed"
    )
    exited: bool = Field(description="whether the policy exited before the end of the frame")
    burst_index: Count = Field(description="the last burst processed; the decision was made after it")
    processed: Count = Field(description="bursts; with `skipped` and `unread` a whole frame")
    skipped: Count
    unread: Count
    processed_ratio: Share
    macs: Count = Field(description="multiply-accumulates spent")
    elapsed_us: Count = Field(
        description="microseconds for decoding, resizing and the network, from the moment when decoding begins"
    )
    curve: list[Share | None] | None = Field(
        None, description="P(person) after each burst up to the last one processed; null where one was skipped"
    )


class ImageError(BaseModel):
    """Refusal of one picture, with its reason."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "index": 1,
                "name": "torn.jpg",
                "code": "unreadable_image",
                "message": "the picture is cut off before its end",
            }
        }
    )

    index: Count = Field(description="of the picture in the request")
    name: str = Field(description="file name, as it was sent")
    code: str
    message: str
