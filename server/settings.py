"""The service's settings: one table of name, default and help; environment and command line come from it."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args, get_origin

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from model.checkpoint import Arithmetic
from sensor_sim.wire import checked_bearer_token
from server.connections.addresses import check_proxies
from server.http.origin import host_of, origin_of
from server.offered_files import check_files

RESUME_KEY_CHARACTERS = 32
MAX_RESUME_KEYS = 8
"""The old and the new are two; every key costs a digest of each token that nobody signed."""

LEAST_SIMILARITY: Final = 0.85
"""Share of the letters that agree (`difflib.SequenceMatcher.ratio`) from which a name is a mistyped one."""

PAGE_FOLDER = Path(__file__).parent.parent / "clients" / "browser" / "dist"
"""The page of a checkout, once it is built; an installed service has none."""


AlarmAction = Literal["warn", "drop", "never"]
"""Consequence once audits have refuted a certificate."""


class Limits(BaseModel):
    """The settings that a client meets, as `welcome` and `GET /v1/limits` tell them."""

    max_streams: int
    max_streams_per_address: int
    busy_limit: float
    message_bytes: int
    message_bursts: int
    credit_bursts: int
    stream_frames: int
    stream_s: float
    handshake_s: float
    idle_s: float
    send_s: float
    shed_s: float
    drain_s: float
    resume_s: float
    ping_s: float
    max_connections: int
    max_connections_per_address: int
    keep_alive_s: float
    min_bytes_per_s: int
    max_images: int
    request_bytes: int
    bodies_bytes: int
    image_bytes: int
    image_pixels: int
    max_requests: int
    request_s: float
    max_sequences: int
    sequence_idle_s: float


class Settings(BaseSettings):
    """Settings of `python -m server`; each is also an environment variable with the prefix RASCANET_.

    Lists are JSON, such as RASCANET_WEIGHTS='["mine/w.safetensors"]'.
    """

    model_config = SettingsConfigDict(
        env_prefix="RASCANET_",
        cli_prog_name="python -m server",
        cli_kebab_case=True,
        cli_hide_none_type=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,  # it may be a secret
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on")
    workers: int = Field(
        1, ge=1, le=256, description="processes that share the port; each applies every limit by itself"
    )
    weights: list[Path] = Field([], description="weights to serve; if not given, those that come with the project")
    arithmetic: Arithmetic = Field(
        "float32",
        description="arithmetic of the weights that come with the project; other files of weights say their own",
    )
    page_folder: Path = Field(PAGE_FOLDER, description="the built demo page")
    runtime: Literal["native", "torch"] | None = Field(
        None,
        description="program that runs the network: native (the kernel in C) or torch; if not given, native if it is "
        "built",
    )
    samples: list[Path] = Field([], description="picture files that the demo page offers")
    recordings: list[Path] = Field([], description="recordings (`rascanet record`) that the demo page offers")
    max_streams: int = Field(200, ge=1, description="open websocket streams at the same time")
    max_streams_per_address: int = Field(150, ge=1, description="open streams from one client address (IPv6: one /64)")
    busy_limit: float = Field(
        0.6, gt=0, description="share of the time in which the process is busy; above it, new streams are refused"
    )
    message_bytes: int = Field(262_144, ge=4096, description="bytes of the largest websocket message")
    message_bursts: int = Field(64, ge=1, description="most bursts in one message")
    credit_bursts: int = Field(128, ge=1, description="bursts that a client may send before it gets more credits")
    stream_frames: int = Field(
        1_000_000, ge=1, description="frames after which a stream is asked to move to another replica"
    )
    stream_s: float = Field(
        86_400.0,
        gt=0,
        description="seconds after which a stream is asked to move to another replica; each stream gets up to a tenth "
        "less, by chance",
    )
    max_connections: int = Field(
        1000,
        ge=1,
        description="connections of any kind; a few more are accepted for health checks, all others are closed at once",
    )
    max_connections_per_address: int = Field(
        500, ge=1, description="connections from one client address (IPv6: one /64), unless it is a trusted proxy"
    )
    keep_alive_s: float = Field(
        75.0, gt=0, description="a connection without a further request for this long is closed"
    )
    min_bytes_per_s: int = Field(
        500,
        ge=0,
        description="least speed at which a body must arrive, or an answer must be read; slower ones are "
        "ended after send_s",
    )
    handshake_s: float = Field(10.0, gt=0, description="seconds for a request's head, and for a stream's first message")
    ping_s: float = Field(20.0, gt=0, description="seconds between pings, and within which each must be answered")
    idle_s: float = Field(30.0, gt=0, description="a stream that sends nothing for this long is closed")
    send_s: float = Field(10.0, gt=0, description="a client that reads no answers for this long is disconnected")
    shed_s: float = Field(
        1.0, gt=0, description="seconds that the event loop may be late; above it, new frames are shed"
    )
    drain_s: float = Field(10.0, ge=0, description="seconds for frames in progress when the service stops")
    resume_s: float = Field(300.0, gt=0, description="seconds for which a resume token is valid")
    resume_key: SecretStr | None = Field(
        None,
        description="key of 32 characters or more that signs resume tokens, the same for all replicas; if not given, a "
        "random one. With several keys, separated by spaces, the first signs, and tokens of all are accepted",
    )
    audit_share: float = Field(
        0.02, ge=0, le=1, description="share of the decisions under the weights' certificate that are audited; 0: none"
    )
    audit_alpha: float = Field(
        0.01, gt=0, lt=1, description="chance that audits ever refute a certificate whose promise is true"
    )
    certificate_alarm: AlarmAction = Field(
        "warn",
        description="effect of a refuted certificate. warn: an error in the log; drop: decisions no "
        "longer name it; never: `calibrated` reads streams whole",
    )
    audits_file: Path | None = Field(
        None, description="file that keeps the counts of audits over restarts; without it they begin again at 0"
    )
    bearer_token: SecretStr | None = Field(
        None,
        description="token that clients must send for `/v1`, `/v2` and `/metrics`. Don't give it as an option: other "
        "users of the machine can see options",
    )
    bearer_token_file: Path | None = Field(None, description="file that holds the bearer token")
    allowed_origins: list[str] = Field(
        [], description="origins of pages that may use the service, in addition to its own"
    )
    allowed_hosts: list[str] = Field(
        [],
        description="names of the service, in addition to loopback names and the address on which it listens; `*`: any "
        "name, which allows DNS rebinding by pages of strangers",
    )
    trusted_proxies: list[str] = Field([], description="addresses of proxies whose X-Forwarded-For is believed")
    tls_certificate: Path | None = Field(None, description="certificate file, PEM; with tls_key, the service uses TLS")
    tls_key: Path | None = Field(None, description="key file of the certificate, PEM")
    max_images: int = Field(64, ge=1, description="pictures in one classify request, or frames in one infer request")
    request_bytes: int = Field(67_108_864, ge=1, description="bytes of the largest request body")
    bodies_bytes: int = Field(268_435_456, ge=1, description="bytes of the bodies of all requests together")
    image_bytes: int = Field(20_971_520, ge=1, description="bytes of the largest picture file")
    image_pixels: int = Field(50_000_000, ge=1, description="most pixels in a picture")
    max_requests: int = Field(64, ge=1, description="classify and infer requests at the same time")
    request_threads: int | None = Field(
        None,
        ge=1,
        description="threads for classify and infer requests, each with a process that decodes pictures; if not given, "
        "one for each core",
    )
    request_s: float = Field(
        60.0,
        gt=0,
        description="most seconds in all to receive a classify or infer request, to wait for a core, and to decode its "
        "pictures",
    )
    max_sequences: int = Field(1000, ge=1, description="sequences of the Open Inference Protocol at the same time")
    sequence_idle_s: float = Field(30.0, gt=0, description="a sequence without a request for this long is ended")

    @model_validator(mode="after")
    def _speaks_tls_or_not(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key come together: give both, or neither")
        return self

    @model_validator(mode="after")
    def _asks_for_one_arithmetic(self) -> Self:
        if self.weights and "arithmetic" in self.model_fields_set:
            raise ValueError(
                "arithmetic is for the weights that come with the project; leave it out, or leave out weights"
            )
        return self

    @model_validator(mode="after")
    def _takes_the_largest_request(self) -> Self:
        if self.bodies_bytes < self.request_bytes:
            raise ValueError("bodies_bytes must be request_bytes or more, or a request of that size is never taken")
        return self

    @field_validator("resume_key")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        keys = value.get_secret_value().split()
        if not keys or any(len(key) < RESUME_KEY_CHARACTERS for key in keys):
            raise ValueError(
                f"each resume_key must have {RESUME_KEY_CHARACTERS} characters or more, such as those of "
                "`openssl rand -hex 32`"
            )
        if len(keys) > MAX_RESUME_KEYS or len(set(keys)) < len(keys):
            raise ValueError(f"resume_key takes up to {MAX_RESUME_KEYS} keys, each once")
        return value

    @model_validator(mode="before")
    @classmethod
    def _reads_the_bearer_token(cls, values: Any) -> Any:
        path = values.get("bearer_token_file") if isinstance(values, dict) else None
        if path is None:
            return values
        if values.get("bearer_token") is not None:
            raise ValueError("bearer_token and bearer_token_file both hold the token: give one of them")
        try:
            token = Path(path).read_text("utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError) as error:
            raise ValueError(f"bearer_token_file {path} can't be read ({type(error).__name__})") from None
        return values | {"bearer_token": token, "bearer_token_file": None}

    @field_validator("bearer_token")
    @classmethod
    def _can_be_sent(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None:
            checked_bearer_token(token.get_secret_value())
        return token

    @field_validator("allowed_origins")
    @classmethod
    def _can_match(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            origin_of(origin)
        return origins

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            if host != "*":
                host_of(host)
        return hosts

    @field_validator("trusted_proxies")
    @classmethod
    def _are_proxies(cls, proxies: list[str]) -> list[str]:
        check_proxies(proxies)
        return proxies

    @field_validator("samples")
    @classmethod
    def _are_pictures(cls, paths: list[Path]) -> list[Path]:
        check_files(paths, "picture")
        return paths

    @field_validator("recordings")
    @classmethod
    def _are_recordings(cls, paths: list[Path]) -> list[Path]:
        check_files(paths, "recording")
        return paths

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, host: str) -> str:
        if host:
            host_of(host)
        return host

    @property
    def limits(self) -> Limits:
        """The settings that a client meets."""
        return Limits(**{name: getattr(self, name) for name in Limits.model_fields})

    @property
    def resume_keys(self) -> list[bytes]:
        """Keys of resume tokens, the one that signs first; none where the service is to make one up."""
        return [key.encode() for key in self.resume_key.get_secret_value().split()] if self.resume_key else []

    @classmethod
    def meant_by(cls, variable: str) -> str | None:
        """The environment variable that a mistyped one is meant to be; None for any other, mistyped or not.

        Variables of commands, proxies and container engines begin with the same prefix, and resemble none.
        """
        prefix = str(cls.model_config["env_prefix"])
        name = variable.upper().removeprefix(prefix.upper()).lower()
        if not variable.upper().startswith(prefix.upper()) or name in cls.model_fields:
            return None
        nearest = get_close_matches(name, cls.model_fields, 1, LEAST_SIMILARITY)
        return cls.variable_of(nearest[0]) if nearest else None

    @classmethod
    def variable_of(cls, name: str) -> str:
        """The environment variable of a setting, in capitals."""
        return f"{cls.model_config['env_prefix']}{name}".upper()

    @classmethod
    def list_variables(cls) -> set[str]:
        """Environment variables that hold lists, in capitals."""
        lists = (name for name, field in cls.model_fields.items() if get_origin(field.annotation) is list)
        return {cls.variable_of(name) for name in lists}

    @classmethod
    def secret_variables(cls) -> set[str]:
        """Environment variables that hold secrets, in capitals."""
        secret = (name for name, field in cls.model_fields.items() if SecretStr in get_args(field.annotation))
        return {cls.variable_of(name) for name in secret}
