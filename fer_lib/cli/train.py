"""`train`: a data set and a recipe to a model folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fer_lib.cli.data import add_detector_argument

if TYPE_CHECKING:
    from fer_lib.datasets import FaceDataset
    from fer_lib.pretrained import Pretrained
    from fer_lib.training import TrainingConfig

# Drawn faces of each class, to learn from and to select on.
_SYNTHETIC = (3000, 200)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        required=True,
        help='FER2013 in any published layout, class-named folders of pictures, or "synthetic"',
    )
    parser.add_argument("--output", required=True, type=Path, help="the model folder to write")
    parser.add_argument("--model", help="the recipe of this model: cnn, cnn_tiny, resnet50")
    parser.add_argument("--recipe", help="a recipe of the library, or a TOML file")
    parser.add_argument(
        "--from", dest="start", metavar="MODEL", help="fine-tune this trained model"
    )
    parser.add_argument("--variant", help="another network than the recipe's: lesson, tiny, base")
    parser.add_argument("--epochs", type=int, help="other than the recipe's")
    parser.add_argument("--seed", type=int, help="other than the recipe's")
    parser.add_argument("--teacher", type=Path, metavar="DIR", help="other than the shipped one")
    parser.add_argument("--votes", metavar="FILE", help="FER+ votes, for recipes that use them")
    add_detector_argument(parser)
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted training")
    parser.add_argument("--overwrite", action="store_true", help="replace the model in --output")


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import pretrained, training

    start = pretrained.load_pretrained(arguments.start) if arguments.start else None
    seed = 0 if arguments.seed is None else arguments.seed
    train_set, validation_set, validation_name = _read_data(arguments, seed)
    config = _choose_recipe(arguments, start, len(train_set))
    trained = training.train(
        config,
        train_set,
        validation_set,
        arguments.output,
        resume=arguments.resume,
        start=start,
        teacher=arguments.teacher,
        overwrite=arguments.overwrite,
    )
    print(
        f"{arguments.output}: accuracy {trained.card['scores']['validation']['accuracy']:.4f} "
        f"on {validation_name} (selected on it)"
    )
    return 0


def _choose_recipe(
    arguments: argparse.Namespace, start: Pretrained | None, num_images: int
) -> TrainingConfig:
    from fer_lib import training

    named = arguments.recipe or arguments.model
    default = training.choose_recipe(num_images) if start is None else "finetune"
    if not named:
        print(f"{num_images} training images: recipe {default} (--recipe)", file=sys.stderr)
    config = training.load_recipe(named or default)
    if start is not None and arguments.recipe is None and arguments.model is None:
        config = training.match_recipe(config, start.card)
    changes = {name: getattr(arguments, name) for name in ("variant", "epochs", "seed")}
    return config.replace(**{name: value for name, value in changes.items() if value is not None})


def _read_data(arguments: argparse.Namespace, seed: int) -> tuple[FaceDataset, FaceDataset, str]:
    """Returns what to train on, what to select on, and the name of the latter."""
    from fer_lib import datasets, synthetic
    from fer_lib.cli.data import load_path
    from fer_lib.detection import FaceDetector

    if arguments.data == "synthetic":
        many, few = _SYNTHETIC
        return synthetic.make_faces(many, seed), synthetic.make_faces(few, seed + 1), "drawn faces"
    detector = None if arguments.detector == "none" else FaceDetector(arguments.detector)
    dataset = load_path(Path(arguments.data), detector=detector)
    if arguments.votes:
        dataset = datasets.load_ferplus(arguments.votes, dataset)
    splits = set(dataset.split.tolist())
    if {"Training", "PublicTest"} <= splits:
        return dataset.subset(split="Training"), dataset.subset(split="PublicTest"), "PublicTest"
    # A split for testing stays untouched; one for validation is what it is for.
    is_test = [name.lower().startswith(("test", "private")) for name in dataset.split]
    dataset = dataset[[index for index, test in enumerate(is_test) if not test]]
    validation = sorted(name for name in splits if name.lower().startswith(("val", "public")))
    if validation and len(set(dataset.split.tolist())) > 1:
        rest = [name for name in set(dataset.split.tolist()) if name not in validation]
        return dataset.subset(split=rest), dataset.subset(split=validation), validation[0]
    by_subject = dataset.subjects is not None and len(set(dataset.subjects)) > 1
    train_set, validation_set = dataset.split_validation(0.2, seed)
    return train_set, validation_set, f"a fifth of the {'subjects' if by_subject else 'images'}"
