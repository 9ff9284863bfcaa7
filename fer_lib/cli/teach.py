"""`teach`: what trained models think of the training pictures, for smaller ones to learn from."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, help="FER2013 in any published layout")
    parser.add_argument("--model", nargs="+", default=["cnn"], help="names or folders of models")
    parser.add_argument("--output", required=True, type=Path, help="the folder to write")


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import pretrained, training
    from fer_lib.datasets import load_fer2013

    dataset = load_fer2013(arguments.data, splits="Training")
    models = [pretrained.load_pretrained(name) for name in arguments.model]
    card = training.write_teacher(arguments.output, dataset, models)
    print(
        f"{arguments.output}: {' and '.join(card['models'])} on {card['data']['pictures']} "
        f"pictures, agrees with the label on {card['agrees_with_label']:.1%}"
    )
    return 0
