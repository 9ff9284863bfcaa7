"""`train`: a data set and a recipe to a model folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_lib.cli import streams
from fer_lib.cli.arguments import DATA_HELP, add_data, load_data, number

# Synthetic faces of each class, to train on and to select on.
_NUM_SYNTHETIC = (3000, 200)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", required=True, metavar="PATH", help=f"{DATA_HELP}; or synthetic")
    add_data(parser)
    add("--output", required=True, type=Path, metavar="DIR", help="the model folder to write")
    add("--recipe", help="a recipe of the library, or a TOML file (default: by size)")
    add("--from", dest="start", metavar="MODEL", help="fine-tune this model")
    add("--variant", help="another network than the recipe's: lesson, tiny, base")
    add("--epochs", type=number(1, 100_000), help="other than the recipe's")
    add("--seed", type=number(0, 2**32 - 1), help="other than the recipe's")
    text = "a model to learn from besides, for recipes with distillation"
    add("--teacher", metavar="MODEL", help=text)
    text = "share each batch among so many GPUs (or TPU cores, or CPUs) of this machine"
    add("--devices", type=number(1, 1024), default=1, metavar="N", help=text)
    add("--resume", action="store_true", help="go on with an interrupted training")
    add("--overwrite", action="store_true", help="replace the model in --output")


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import pretrained, training
    from fer_lib.datasets.model_input import split_for_training
    from fer_lib.synthetic import make_faces

    start = pretrained.load_pretrained(arguments.start) if arguments.start else None
    seed = arguments.seed or 0
    if arguments.data == "synthetic":
        train_set, validation_set = (
            make_faces(count, seed + i) for i, count in enumerate(_NUM_SYNTHETIC)
        )
        validation = "synthetic faces"
    else:
        dataset = load_data(arguments, start)
        train_set, validation_set, validation = split_for_training(dataset, seed)
    config = _choose_recipe(arguments, start, train_set)
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
        overwrite=arguments.overwrite,
        devices=arguments.devices,
    )
    accuracy = trained.card["scores"]["validation"]["accuracy"]
    scored = "what people see in it" if trained.card["predicts"] == "votes" else "selected on it"
    print(f"{arguments.output}: accuracy {accuracy:.4f} on {validation} ({scored})")
    return 0


def _choose_recipe(arguments: argparse.Namespace, start, train_set):
    from fer_lib import training

    default = "finetune"
    if start is None:
        default = training.choose_recipe(len(train_set), arguments.votes is not None)
    if arguments.recipe is None:
        print(f"Recipe {default} for {len(train_set)} training images (--recipe)")
    config = training.load_recipe(arguments.recipe or default)
    if start is not None and arguments.recipe is None:
        config = training.match_recipe(config, start.card)
    changes = {key: getattr(arguments, key) for key in ("variant", "epochs", "seed", "teacher")}
    return config.replace(**{name: value for name, value in changes.items() if value is not None})
