"""The service's settings: one table of name, default and help; environment and command line come from it."""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PAGE_FOLDER = Path(__file__).parent.parent / "clients" / "browser" / "dist"


class Settings(BaseSettings):
    """Settings of `python -m server`; each is also an environment variable with the prefix RASCANET_."""

    model_config = SettingsConfigDict(
        env_prefix="RASCANET_", cli_prog_name="python -m server", cli_kebab_case=True, frozen=True, extra="forbid"
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on")
    workers: int = Field(1, ge=1, le=256, description="processes on the port; each has limits of its own")
    weights: list[Path] = Field([], description="weights to serve; none given: those that come with the project")
    page_folder: Path = Field(PAGE_FOLDER, description="the built demo page")
    runtime: Literal["native", "torch"] | None = Field(None, description="what runs the network; native if it is built")
    samples: list[Path] = Field([], description="picture files that the demo page offers")
    max_streams: int = Field(200, ge=1, description="open websocket streams at a time")
    message_bytes: int = Field(262_144, ge=4096, description="largest websocket message")
    idle_s: float = Field(30.0, gt=0, description="a stream from which nothing comes for this long is closed")
    max_images: int = Field(64, ge=1, description="pictures in one classify request")
    request_bytes: int = Field(67_108_864, ge=1, description="largest classify request")
    image_bytes: int = Field(20_971_520, ge=1, description="largest picture file")
    image_pixels: int = Field(50_000_000, ge=1, description="most pixels in a picture")

    def environment(self) -> dict[str, str]:
        """These settings as environment variables."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {
            f"RASCANET_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
        }
