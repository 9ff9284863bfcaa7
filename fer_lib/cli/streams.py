"""The process' standard streams: closed, full or narrow ones never cost an answer or a status."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator

from fer_lib.errors import one_line


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
    program = " ".join(filter(None, ["fer_lib", subcommand]))
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()  # so that a terminal shows both in their order
    with contextlib.suppress(OSError, ValueError):
        print(f"{program}: {message}", file=sys.stderr)


def name_options(message: str, arguments: argparse.Namespace | None) -> str:
    """Returns a message of the library with this subcommand's options for its arguments."""
    options = set(vars(arguments or argparse.Namespace())) - {"path", "paths", "source", "name"}
    option_of = {name: f"--{name.replace('_', '-')}" for name in options}
    option_of |= {"class_names": "--classes"} if "classes" in options else {}
    return re.sub(r"`(\w+)(=\w+)?`", lambda found: option_of.get(found[1], found[0]), message)


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
    """Loads Keras and its backend; their start-up lines go nowhere.

    TensorFlow's C++ libraries write to the process' stderr before any setting can stop them, and
    would drown the one line that says what went wrong later.

    Raises:
        ValueError: The backend that KERAS_BACKEND or Keras' configuration names cannot be loaded.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as lines:
        os.dup2(lines.fileno(), 2)
        try:
            import keras

            keras.ops.zeros(1)  # The first operation looks for devices, and talks about it.
        except (ImportError, ValueError) as error:
            name = os.environ.get("KERAS_BACKEND") or "the one in ~/.keras/keras.json"
            raise ValueError(
                "Expected a backend of Keras that is installed: set KERAS_BACKEND=tensorflow or "
                f"jax. Received: {name} ({one_line(error)})"
            ) from error
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
