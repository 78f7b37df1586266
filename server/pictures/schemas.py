"""Options of `/v1/classify`, and its answer."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from server.pictures.entries import ImageDecision, ImageError


class ClassifyOptions(BaseModel):
    """Options of `/v1/classify`, in the query or as form fields; a field wins."""

    model_config = ConfigDict(extra="forbid")

    variant: str | None = Field(None, description="the network; the first one served if not named")
    policy: str | None = Field(
        None,
        description="the exit policy: its name, or a JSON object with its parameters; `never` if not named, since the "
        "whole picture is there already",
        examples=["published", '{"name": "published", "exit_threshold": 0.9}'],
    )
    exit_threshold: float | None = Field(
        None,
        description="parameter of the policy, of `published` if none is named; above `skip_threshold`, at most 1",
        examples=[0.99],
    )
    skip_threshold: float | None = Field(
        None, description="parameter of the policy, of `published` if none is named; 0 or more", examples=[0.005]
    )
    reports: Literal["decision", "curve"] = Field(
        "decision", description="`curve` adds P(person) after each burst to every entry"
    )
    top: int | None = Field(
        None,
        ge=1,
        description="only so many pictures, those with the highest P(person), in the order of the request",
        examples=[64],
    )
    name: str = Field("", max_length=1000, description="of a picture that is sent as the body itself")

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any) -> Any:
        """Refuses an unknown option with the names of the options; pydantic's own sentence has none."""
        unknown = [name for name in given if name not in cls.model_fields] if isinstance(given, Mapping) else []
        if unknown:
            raise ValueError(
                f"there is no option {str(unknown[0])[:80]!r}; there is {', '.join(sorted(cls.model_fields))}"
            )
        return given


class Classified(BaseModel):
    """One entry a picture, in the order of the request."""

    variant: str
    weights: str = Field(description="SHA-256 of the weights")
    policy: dict[str, Any] = Field(description="with every parameter in force")
    results: list[ImageDecision | ImageError]
