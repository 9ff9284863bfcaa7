"""`evaluate`: a model and a data set to an honest score."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="cnn", help="a shipped model's name, or a model folder")
    parser.add_argument("--data", required=True, help="FER2013 in any published layout")
    parser.add_argument("--split", default="PublicTest", help="Training, PublicTest, PrivateTest")
    parser.add_argument("--views", type=int, default=1, choices=(1, 10), help="views of each face")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--robustness",
        metavar="FILE.json",
        help="also score the model on spoilt pictures, one view, and write that to a file; "
        "the model answers 72 times on each face",
    )
    parser.add_argument(
        "--robustness-step",
        type=int,
        default=1,
        metavar="K",
        help="do so on every K-th face alone, K times as fast",
    )


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import evaluation, pretrained
    from fer_lib.datasets import load_fer2013

    if arguments.robustness and not Path(arguments.robustness).absolute().parent.is_dir():
        # Said at once, not after the minutes that the scores take.
        raise FileNotFoundError(
            "Expected `--robustness` with a file in a folder that exists. "
            f"Received: {arguments.robustness}"
        )
    if arguments.robustness_step < 1:
        raise ValueError(
            f"Expected `--robustness-step` of 1 or more. Received: {arguments.robustness_step}"
        )
    everything = load_fer2013(arguments.data)
    dataset = everything.subset(split=arguments.split)
    training = everything[everything.split == "Training"]
    model = pretrained.load_pretrained(arguments.model)
    probabilities = model.predict(dataset.images, views=arguments.views)
    # With the training pictures at hand, the report has a part without those that are among them.
    has_training = len(training) > 0 and arguments.split != "Training"
    report = evaluation.evaluate(
        probabilities, dataset, training_images=training if has_training else None
    )
    robustness = None
    if arguments.robustness:
        step, name = arguments.robustness_step, f"{dataset.name} {arguments.split}"
        name += f", 1 face in {step}" if step > 1 else ""
        some = dataclasses.replace(dataset[::step], name=name)
        robustness = evaluation.robustness_suite(model, some)
        robustness.to_json(arguments.robustness)
    if arguments.json:
        print(report.to_json())
    else:
        views = "one view" if arguments.views == 1 else f"{arguments.views} views"
        print(f"{model.name} on {dataset.name} {arguments.split}, {views}")
        print(report)
        if robustness is not None:
            print(f"\n{robustness}")
    return 0
