"""Coverage-guided fuzzing (atheris, libFuzzer) of the places where bytes of strangers come in.

python -m tests.fuzz.guided TARGET CORPUS [libFuzzer's options]
"""

import sys
from pathlib import Path

import atheris

INSTRUMENTED = [
    "model.certificate", "model.checkpoint", "model.integer.checkpoint", "model.integer.network", "model.jpeg_layout",
    "model.picture", "model.runtime", "model.scan", "sensor_sim.recording", "sensor_sim.wire", "server.connections",
    "server.frame", "server.pictures.form", "server.stream", "server.tensors.codec", "server.tensors.json_numbers",
]  # fmt: skip

with atheris.instrument_imports(include=INSTRUMENTED):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzzes until libFuzzer's options say stop; an exception that isn't typed ends it with a crash file."""
    target, corpus = TARGETS[sys.argv[1]], Path(sys.argv[2])
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)

    def take(data: bytes) -> None:
        target.take(data)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
