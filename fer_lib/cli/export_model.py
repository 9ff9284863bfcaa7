"""`export`: a trained model to a file for other runtimes, checked against Keras."""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_lib.cli.arguments import add_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--format", default="onnx", choices=("onnx", "litert"))
    parser.add_argument("--output", type=Path, help="the file; by default named after the model")


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import export
    from fer_lib.pretrained import load_pretrained

    trained = load_pretrained(arguments.model)
    path = arguments.output or Path(f"{trained.name}{export.FORMATS[arguments.format][0]}")
    export.export_model(trained, path, arguments.format)
    size = path.stat().st_size / 1e6
    print(f"{path}: {size:.1f} MB; the same probabilities as Keras to {export.MAX_DIFFERENCE}")
    return 0
