"""The process' standard streams: closed, full or narrow ones never cost an answer or a status."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator


def prepare() -> None:
    """Makes every name printable, and opens the standard streams that are closed.

    The first file that a library opens would otherwise become the process' stderr.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for the whole process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def close() -> None:
    """Flushes the standard streams; what cannot be written any more is dropped in silence."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # Python flushes once more at its end, and would complain of what is left.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def report(subcommand: str | None, message: str) -> None:
    """Writes one line to stderr."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()  # so that a terminal shows both in their order
    with contextlib.suppress(OSError, ValueError):
        print(" ".join(["fer_lib", *filter(None, [subcommand])]) + f": {message}", file=sys.stderr)


def one_line(error: BaseException) -> str:
    """Returns what an error says, on one line."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.strerror}: {error.filename}"
    return " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def one_line_warnings(subcommand: str) -> Iterator[None]:
    """Shows warnings as one line each, without the library's source line."""
    original = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: (
        f"fer_lib {subcommand}: {' '.join(str(message).split())}\n"
    )
    try:
        yield
    finally:
        warnings.formatwarning = original


def load_backend_quietly() -> None:
    """Loads Keras and its backend; their start-up lines go nowhere unless loading fails.

    TensorFlow's C++ libraries write to the process' stderr before any setting can stop them, and
    would drown the one line that says what went wrong later.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as lines:
        os.dup2(lines.fileno(), 2)
        try:
            import keras

            keras.ops.zeros(1)  # The first operation looks for devices, and talks about it.
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
