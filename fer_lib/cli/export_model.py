"""`export`: a trained model to a file for other runtimes, checked against Keras."""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_lib.cli.arguments import add_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--format", default="onnx", choices=("onnx", "litert"))
    parser.add_argument("--int8", action="store_true", help="LiteRT that calculates with 8 bits")
    parser.add_argument("--output", type=Path, help="the file; by default named after the model")


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import export
    from fer_lib.pretrained import load_pretrained

    trained = load_pretrained(arguments.model)
    ending = "_int8" * arguments.int8 + export.FORMATS[arguments.format][0]
    path = arguments.output or Path(f"{trained.name}{ending}")
    export.export_model(trained, path, arguments.format, arguments.int8)
    size, difference = path.stat().st_size / 1e6, export.largest_difference(trained, path)
    print(f"{path}: {size:.1f} MB; largest difference from Keras {difference:.2g}")
    return 0
