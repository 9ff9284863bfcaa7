"""`export`: a trained model to a file for other runtimes, checked against Keras."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="cnn", help="a shipped model's name, or a model folder")
    parser.add_argument("--format", default="onnx", choices=("onnx", "litert"))
    parser.add_argument("--output", type=Path, help="the file; by default named after the model")


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import export
    from fer_lib.pretrained import load_pretrained

    trained = load_pretrained(arguments.model)
    ending = export.FORMATS[arguments.format][0]
    path = arguments.output or Path(f"{trained.name}{ending}")
    export.export_model(trained, path, arguments.format)
    size = path.stat().st_size / 1e6
    print(f"{path}: {size:.1f} MB; the same probabilities as Keras to {export.MAX_DIFFERENCE}")
    return 0
