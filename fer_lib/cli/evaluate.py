"""`evaluate`: a model and a data set to an honest score."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="cnn", help="a shipped model's name, or a model folder")
    parser.add_argument("--data", required=True, help="FER2013 in any published layout")
    parser.add_argument("--split", default="PublicTest", help="Training, PublicTest, PrivateTest")
    parser.add_argument("--views", type=int, default=1, choices=(1, 10), help="views of each face")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import evaluation, pretrained
    from fer_lib.datasets import load_fer2013

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
    if arguments.json:
        print(report.to_json())
    else:
        views = "one view" if arguments.views == 1 else f"{arguments.views} views"
        print(f"{model.name} on {dataset.name} {arguments.split}, {views}")
        print(report)
    return 0
