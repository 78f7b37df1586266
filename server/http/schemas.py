"""Bodies of refusals."""

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = "about:blank"
    status: int
    title: str
    code: str = Field(description="for programs")
    detail: str = Field(description="what was wrong and what was expected")


class InferError(BaseModel):
    """Why a request of the Open Inference Protocol was refused."""

    error: str
    code: str = Field(description="for programs")
