"""Coverage-guided fuzzing (atheris, libFuzzer) of what clients send: messages, and the contents of resume tokens.

python -m tests.fuzz.guided messages|tokens CORPUS [libFuzzer's options]

Token contents are signed before they are opened, or nothing but the signature check would ever be reached.
"""

import base64
import hmac
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["sensor_sim.wire", "server.stream.tokens", "server.stream.session", "model.scan"]
):
    from sensor_sim.wire import Hello, Resume, WireError, decode, encode
    from server.errors import REFUSALS, ServiceError

from tests.fuzz.run import KEY, session
from tests.networks import SMALL
from tests.vectors.make_wire import MESSAGES


def message(data: bytes) -> None:
    """The first byte says whether the others come as text."""
    try:
        decode(data[1:].decode(errors="replace") if data[:1] == b"t" else data[1:])
    except WireError as error:
        assert REFUSALS[error.code].close_code, error.code


def token(content: bytes) -> None:
    """Signed contents, through the session that would go on from them."""
    signed = base64.urlsafe_b64encode(hmac.digest(KEY, content, "sha256") + content).decode()
    for text in (signed, content.decode("latin-1")):
        try:
            session().receive(Resume(text))
        except ServiceError as error:
            assert REFUSALS[error.code].close_code, error.code


def seeds(target: str) -> list[bytes]:
    """Well-formed inputs."""
    if target == "messages":
        said = map(encode, MESSAGES.values())
        return [b"t" + data.encode() if isinstance(data, str) else b"b" + data for data in said]
    opened = session()
    opened.receive(Hello(SMALL.name, checkpoint_every=1))
    return [base64.urlsafe_b64decode(text)[32:] for text in (opened.token(), *tokens_within_a_frame())]


def tokens_within_a_frame() -> list[str]:
    """Tokens that hold a hidden state."""
    from tests.fuzz.run import checkpoints

    return checkpoints()


def main() -> None:
    """Fuzzes until libFuzzer's options say stop; an exception that isn't typed ends it with a crash file."""
    target, corpus = sys.argv[1], Path(sys.argv[2])
    for number, seed in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *sys.argv[2:]], {"messages": message, "tokens": token}[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
