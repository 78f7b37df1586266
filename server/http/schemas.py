"""Bodies of refusals."""

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Refusal of a request (RFC 9457)."""

    type: str = "about:blank"
    status: int
    title: str
    code: str = Field(description="for programs")
    detail: str = Field(description="what was wrong and what was expected")


class InferError(BaseModel):
    """Refusal of a request of the Open Inference Protocol."""

    error: str
    code: str = Field(description="for programs")
