"""The command line: `python -m fer_lib VERB ...`, one module a group of verbs.

Answers go to stdout, errors to stderr in one line with the remedy; exit status 0 for success, 1 for
a failure (or, in `predict`, for a picture among many), 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
from collections.abc import Sequence

import fer_lib

# Verb -> (module of this package, what the help says). A module offers `add_arguments(parser)`
# and `run(arguments) -> exit status`, and loads heavy libraries only when it runs. Every verb needs
# Keras but those in the second table, which answer without its seconds of start-up.
_VERBS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "recognise the expressions in two photographs that come with the libraries"),
    "predict": ("predict", "recognise the expressions in your photographs"),
    "video": ("video", "recognise the expressions in a video, frame by frame"),
    "evaluate": ("evaluate", "score a model on a data set"),
    "webcam": ("webcam", "show the webcam in a window, with the faces' expressions"),
    "train": ("train", "train a model on a data set"),
    "export": ("export", "write a model as an ONNX or LiteRT file"),
    "augment": ("augment", "write augmented copies of pictures, to look at or to train on"),
    "datasets": ("datasets", "list the data sets, fetch one, check a copy"),
    "info": ("info", "print versions, backend, devices and models: what a bug report needs"),
}
_VERBS_WITHOUT_KERAS = ("datasets",)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb.

    Args:
        argv: Words after the program's name; those of the process where it is None.

    Returns:
        The exit status.
    """
    # TensorFlow's start-up lines would drown the answer; warnings and errors still show.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _build_parser(words[0] if words and words[0] in _VERBS else None)
    arguments = parser.parse_args(words)
    if arguments.verb is None:
        parser.print_help()
        return 2
    try:
        if arguments.verb not in _VERBS_WITHOUT_KERAS:
            load_backend_quietly()
        return _module(arguments.verb).run(arguments)
    except (OSError, ValueError, ImportError, ArithmeticError) as error:
        if os.environ.get("FER_LIB_DEBUG"):
            raise
        print(f"fer_lib {arguments.verb}: {_one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"fer_lib {arguments.verb}: interrupted", file=sys.stderr)
        return 130


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
        except BaseException:
            lines.seek(0)
            os.write(stderr, lines.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Returns the parser; only the chosen verb's module is imported, to answer quickly."""
    parser = argparse.ArgumentParser(
        prog="python -m fer_lib", description="Facial expression recognition with Keras."
    )
    parser.add_argument("--version", action="version", version=f"fer_lib {fer_lib.__version__}")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB")
    for verb, (_, summary) in _VERBS.items():
        subparser = subparsers.add_parser(verb, help=summary, description=summary.capitalize())
        if verb == chosen:
            _module(verb).add_arguments(subparser)
    return parser


def _module(verb: str):
    return importlib.import_module(f"fer_lib.cli.{_VERBS[verb][0]}")


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.strerror}: {error.filename}"
    return " ".join(str(error).split()) or type(error).__name__
