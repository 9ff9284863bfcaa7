"""The command line: `python -m fer_lib SUBCOMMAND ...`, one module a subcommand.

Answers go to stdout, errors to stderr in one line with the remedy. The exit status is 0 for
success, 1 for a failure (in `predict` also of one image among many), 2 for wrong usage, 130 after
Ctrl-C. `FER_LIB_DEBUG=1` shows the traceback of an error.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

import fer_lib
from fer_lib.cli import streams
from fer_lib.errors import one_line

# Subcommand -> what the help says. Its module offers `add_arguments(parser)` and
# `run(arguments) -> exit status`, and loads heavy libraries only when it runs.
SUBCOMMANDS = {
    "demo": "recognize the expressions in two photographs that come with the libraries",
    "predict": "recognize the expressions in your photographs",
    "video": "recognize the expressions in a video, frame by frame",
    "webcam": "show the webcam in a window, with the faces' expressions",
    "serve": "answer images over HTTP, and show a page for photos, videos and the webcam",
    "evaluate": "score a model on a data set",
    "train": "train a model on a data set",
    "export": "write a model as an ONNX or LiteRT file",
    "augment": "write augmented copies of images, to look at or to train on",
    "datasets": "list the data sets, fetch one, check a copy",
    "info": "print versions, backend, devices and models: what a bug report needs",
}
_BROKEN_PIPE, _INTERRUPTED = 141, 130  # as a shell reports SIGPIPE and SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one subcommand.

    Args:
        argv: Words after the program's name; those of the process where it is None.

    Returns:
        The exit status.
    """
    # TensorFlow's start-up lines would drown the answer; warnings and errors still show.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Figures go to files only: a window needs a screen, which a server has not.
    os.environ["MPLBACKEND"] = "Agg"
    streams.prepare()
    words = list(sys.argv[1:] if argv is None else argv)
    name = words[0] if words and words[0] in SUBCOMMANDS else None
    arguments = None
    try:
        parser = _build_parser(name)
        arguments = parser.parse_args(words)
        if name is None:
            parser.print_help(sys.stderr)
            return 2
        with streams.one_line_warnings(name):
            if name != "datasets":  # which answers without the seconds that Keras takes
                streams.load_backend_quietly()
            status = _module(name).run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of the pipe has left: there is nobody to tell
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        streams.report(name, "interrupted")
        return _INTERRUPTED
    except Exception as error:
        if os.environ.get("FER_LIB_DEBUG"):
            raise
        streams.report(name, streams.name_options(one_line(error), arguments))
        return 1
    finally:
        streams.close()


def _module(name: str) -> ModuleType:
    file = "export_model" if name == "export" else name  # `export` is a room of the library
    return importlib.import_module(f"fer_lib.cli.{file}")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the words in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        name = self.prog.removeprefix("python -m ")
        self.exit(2, f"{name}: {message} (see {self.prog} --help)\n")


def _build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Returns the parser; only the chosen subcommand's module is imported, to answer quickly."""
    parser = _Parser(
        prog="python -m fer_lib", description="Facial expression recognition with Keras."
    )
    parser.add_argument("--version", action="version", version=f"fer_lib {fer_lib.__version__}")
    subparsers = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND")
    for name, summary in SUBCOMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary.capitalize())
        if name == chosen:
            _module(name).add_arguments(subparser)
    return parser
