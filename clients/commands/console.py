"""The sentences that every command shares, and the ways to end: missing extras, full disks, closed pipes, interruption.

Exit statuses: 0 done; 1 some inputs, or all, could not be used; 2 the command can't be run as asked, or what it needs
is missing or lost; 3 nothing was found to work on; 130 interrupted; 141 the reader of the output closed the pipe.
"""

import errno
import importlib.util
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

from rich.console import Console

from clients.commands.names import shown

SOME_FAILED: Final = 1
CANNOT: Final = 2
NOTHING_FOUND: Final = 3
INTERRUPTED: Final = 130
AGAIN_S: Final = 0.05
"""Time after which an interruption that Python dropped is asked for again."""
PIPE_CLOSED: Final = 141
"""128 and the number of the signal SIGPIPE, as Unix tools end."""

EXTRAS: Final = {
    "av": "video",
    "matplotlib": "train",
    "onnx": "bench",
    "onnxruntime": "bench",
    "onnxscript": "bench",
    "openvino": "bench",
    "paho": "events",
    "psutil": "bench",
    "pyarrow": "ray",
    "ray": "ray",
    "simpy": "bench",
    "skimage": "samples",
    "torch": "train",
}
"""Extras of pyproject.toml by the optional package that each brings."""
HINTS: Final = {"unauthorized": "put the token into RASCANET_BEARER_TOKEN, or give --bearer-token"}
"""Advice for the user of a command, by the code of a refusal."""
STATUSES: Final = {"no_pictures": NOTHING_FOUND}
"""Exit statuses by the code of an error; of every other error: `CANNOT`."""


class Terminal(Console):
    """A rich console that leaves a closed pipe to `ending`."""

    def on_broken_pipe(self) -> None:
        """Raises what rich would turn into the exit status 1.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError


console = Terminal()


def say(message: object) -> None:
    """Prints one line on standard error."""
    print(f"rascanet: {shown(message)}", file=sys.stderr, flush=True)


def fail(message: object, status: int = CANNOT) -> NoReturn:
    """Prints one line on standard error and ends the command.

    Raises:
        SystemExit: always.
    """
    say(message)
    raise SystemExit(status)


@contextmanager
def failing_on(*errors: type[Exception]) -> Iterator[None]:
    """Turns errors that the user can mend into `fail`; what `ending` knows to end is left to it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except errors as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        code = getattr(error, "code", "")
        hint = HINTS.get(code)
        fail(f"{error}; {hint}" if hint else error, STATUSES.get(code, CANNOT))


def install_hint(package: str) -> str:
    """Returns the sentence that says how to install a package of an extra."""
    return (
        f"this needs {package}, which the light installation leaves out; run `make full`, "
        f"or .venv/bin/pip install -c constraints.txt -e '.[{EXTRAS[package]}]'"
    )


def no_samples() -> str:
    """Returns the sentence that says why there are no sample photographs."""
    return f"there are no sample photographs, which are those of scikit-image; {install_hint('skimage')}"


@contextmanager
def ending() -> Iterator[None]:
    """Ends a command as Unix tools end, whatever stops it: a sentence on standard error and a status, no stack trace.

    Raises:
        SystemExit: instead of a missing package, an error of the operating system, a closed pipe or an interruption.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no character of ours stops a command in another locale
    try:
        yield
        sys.stdout.flush()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        fail(install_hint(package))
    except BrokenPipeError:
        _forget_output()
        raise SystemExit(PIPE_CLOSED) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            _forget_output()
        fail(system_reason(error))
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Ends a command on SIGTERM and SIGHUP as on Ctrl+C: what it holds is let go of, and the signal then ends it.

    So systemd, Docker (whose first process no signal ends by itself) and a terminal that is closed lose nothing, and no
    process that the command started is left behind.
    """
    asked: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        as_ctrl_c = signal.getsignal(signal.SIGINT)  # asyncio has its own while it runs
        if not callable(as_ctrl_c):
            raise KeyboardInterrupt
        as_ctrl_c(signal.SIGINT, frame)

    def again(ignored: "sys.UnraisableHookArgs") -> None:
        """Asks once more where Python has dropped the interruption, as it does in a finaliser."""
        if ignored.exc_type is KeyboardInterrupt and asked:
            # From another thread and a moment later, since an error within this hook would be dropped too.
            later = threading.Timer(AGAIN_S, os.kill, (os.getpid(), asked.pop()))
            later.daemon = True
            later.start()
        else:
            before(ignored)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    heard = [number for name in names if signal.getsignal(number := getattr(signal, name)) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        heard = []  # Python hears signals in the main thread alone
    for number in heard:
        signal.signal(number, interrupt)
    before, sys.unraisablehook = sys.unraisablehook, again
    try:
        yield
    finally:
        sys.unraisablehook = before
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
        if asked:
            sys.stdout.flush()
            signal.raise_signal(asked[0])
            raise SystemExit(128 + asked[0])  # the first process of a container lives on


def system_reason(error: OSError) -> str:
    """Returns an error of the operating system in words, with the file it is about where that is known."""
    where = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    reason = error.strerror or str(error) or type(error).__name__
    return f"{' to '.join(where)}: {reason[0].lower()}{reason[1:]}" if where else f"{reason}: what was written is kept"


def _forget_output() -> None:
    """Drops what is still unwritten, which the interpreter would try to write once more as it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def need(*packages: str) -> None:
    """Ends the command before it begins where a package of an extra is not installed; says how to install it."""
    for package in packages:
        try:
            found = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            found = None
        if found is None:
            fail(install_hint(package))
