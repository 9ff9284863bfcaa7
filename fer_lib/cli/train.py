"""`train`: a data set and a recipe to a model folder."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, help="FER2013 in any published layout")
    parser.add_argument("--output", required=True, type=Path, help="the model folder to write")
    parser.add_argument("--recipe", default="cnn", help="a recipe of the library, or a TOML file")
    parser.add_argument("--variant", help="another network than the recipe's: lesson, tiny, base")
    parser.add_argument("--epochs", type=int, help="other than the recipe's")
    parser.add_argument("--seed", type=int, help="other than the recipe's")
    parser.add_argument("--resume", action="store_true", help="go on with the training in --output")


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import training
    from fer_lib.datasets import load_fer2013

    config = training.load_recipe(arguments.recipe)
    for name in ("variant", "epochs", "seed"):
        value = getattr(arguments, name)
        if value is not None:
            config = config.replace(**{name: value})
    dataset = load_fer2013(arguments.data)
    trained = training.train(
        config,
        dataset.subset(split="Training"),
        dataset.subset(split="PublicTest"),
        arguments.output,
        resume=arguments.resume,
    )
    print(
        f"{arguments.output}: accuracy {trained.card['scores']['selection']['accuracy']:.4f} "
        "on PublicTest (selected on it)"
    )
    return 0
