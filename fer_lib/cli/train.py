"""`train`: a data set and a recipe to a model folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fer_lib.cli import streams
from fer_lib.cli.data import add_data_arguments, find_parts, load_data, number

if TYPE_CHECKING:
    from fer_lib.datasets import FaceDataset
    from fer_lib.pretrained import Pretrained
    from fer_lib.training import TrainingConfig

# Synthetic faces of each class, to train on and to select on.
_NUM_SYNTHETIC = (3000, 200)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_arguments(parser, ', or "synthetic"')
    parser.add_argument("--output", required=True, type=Path, help="the model folder to write")
    parser.add_argument(
        "--recipe",
        help="a recipe of the library, or a TOML file (default: by size)",
    )
    parser.add_argument(
        "--from", dest="start", metavar="MODEL", help="fine-tune this trained model"
    )
    parser.add_argument("--variant", help="another network than the recipe's: lesson, tiny, base")
    parser.add_argument(
        "--epochs", type=number(1, 100_000), help="how many, other than the recipe's"
    )
    parser.add_argument("--seed", type=number(0, 2**32 - 1), help="other than the recipe's")
    parser.add_argument("--teacher", type=Path, metavar="DIR", help="other than the shipped one")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted training")
    parser.add_argument("--overwrite", action="store_true", help="replace the model in --output")


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import pretrained, training

    start = pretrained.load_pretrained(arguments.start) if arguments.start else None
    seed = 0 if arguments.seed is None else arguments.seed
    train_set, validation_set, validation = _load_parts(arguments, seed)
    config = _choose_recipe(arguments, start, len(train_set))
    print(f"Training on {len(train_set)} images, selecting on {len(validation_set)}: {validation}")
    labels = set(train_set.labels.tolist())
    missing = [name for i, name in enumerate(train_set.class_names) if i not in labels]
    if missing:
        streams.report("train", f"no training image of {', '.join(missing)}")
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
    accuracy = trained.card["scores"]["validation"]["accuracy"]
    print(f"{arguments.output}: accuracy {accuracy:.4f} on {validation} (selected on it)")
    return 0


def _choose_recipe(
    arguments: argparse.Namespace, start: Pretrained | None, num_images: int
) -> TrainingConfig:
    from fer_lib import training

    default = training.choose_recipe(num_images) if start is None else "finetune"
    if arguments.recipe is None:
        print(f"Recipe {default} for {num_images} training images (--recipe)")
    config = training.load_recipe(arguments.recipe or default)
    if start is not None and arguments.recipe is None:
        config = training.match_recipe(config, start.card)
    changes = {name: getattr(arguments, name) for name in ("variant", "epochs", "seed")}
    return config.replace(**{name: value for name, value in changes.items() if value is not None})


def _load_parts(arguments: argparse.Namespace, seed: int) -> tuple[FaceDataset, FaceDataset, str]:
    """Returns what to train on, what to select on, and what the latter is."""
    from fer_lib import synthetic

    if arguments.data == "synthetic":
        many, few = _NUM_SYNTHETIC
        validation = synthetic.make_faces(few, seed + 1)
        return synthetic.make_faces(many, seed), validation, "synthetic faces"
    dataset = load_data(arguments)
    parts = find_parts(dataset)
    # A split for testing stays untouched; one for validation is what it is for.
    rest = sorted(set(dataset.split.tolist()) - set(parts["test"]) - set(parts["validation"]))
    if rest and parts["validation"]:
        validation = dataset.subset(split=parts["validation"])
        return dataset.subset(split=rest), validation, " and ".join(parts["validation"])
    if rest or parts["validation"]:
        dataset = dataset.subset(split=rest or parts["validation"])
    by_subject = dataset.subjects is not None and len(set(dataset.subjects)) > 1
    train_set, validation = dataset.split_validation(0.2, seed)
    kind = "subjects, none of whom is trained on" if by_subject else "images of each class"
    return train_set, validation, f"a fifth of the {kind}"
