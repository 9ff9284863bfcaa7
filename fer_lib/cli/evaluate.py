"""`evaluate`: a model and a data set to an honest score."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from fer_lib.cli.arguments import DATA_HELP, add_data, add_model, check_outputs, load_data, number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add = parser.add_argument
    add("--data", required=True, metavar="PATH", help=DATA_HELP)
    add_data(parser)
    add("--split", help="what to score; by default what is for testing, or validation, or all")
    add("--tta", action="store_true", help="test-time augmentation by ten-crop")
    text = "another model on the same faces; may be given several times"
    add("--compare", action="append", default=[], metavar="MODEL", help=text)
    add("--report", type=Path, metavar="FILE.html", help="write all of it as one web page, too")
    add("--json", action="store_true", help="print JSON")
    text = "also score on corrupted images, without TTA: the model predicts each face 72 times"
    add("--robustness", type=Path, metavar="FILE.json", help=text)
    text = "do so on every K-th face alone, K times as fast"
    add("--robustness-step", type=number(1, 10**6), default=1, metavar="K", help=text)


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import evaluation, pretrained
    from fer_lib.datasets.parts import choose_scored
    from fer_lib.report import write_report

    if arguments.report and arguments.report.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"Expected --report with a file .html. Received: {arguments.report}")
    outputs = {name: getattr(arguments, name) for name in ("report", "robustness")}
    check_outputs([arguments.data], **outputs)
    models = [pretrained.load_pretrained(name) for name in (arguments.model, *arguments.compare)]
    whole = load_data(arguments, models[0])
    dataset, parts = choose_scored(whole, arguments.split)
    report, *others = [_score(model, dataset, whole, arguments.tta) for model in models]
    comparison = evaluation.compare(report, *others) if others else None
    robustness = None
    if arguments.robustness:
        step = arguments.robustness_step
        name = f"{dataset.name}, 1 face in {step}" if step > 1 else dataset.name
        faces = dataset.with_classes(models[0].class_names)[::step]
        robustness = evaluation.robustness_suite(dataclasses.replace(faces, name=name), models[0])
        robustness.to_json(arguments.robustness)
    if arguments.json:
        values = {**report.to_dict(), "split": parts}
        if comparison is not None:
            values["comparison"] = comparison.to_dict()
        print(json.dumps(values, indent=2, allow_nan=False))
    else:
        tta = ", ten-crop" if arguments.tta else ""
        print(f"{models[0].name} on {dataset.name}, {parts}{tta}")
        print(*(text for text in (report, comparison, robustness) if text is not None), sep="\n\n")
    if arguments.report:
        tta = "ten-crop" if arguments.tta else "none"
        write_report(
            arguments.report,
            report,
            others=others,
            card=models[0].card,
            robustness=robustness,
            details={"split": parts, "test-time augmentation": tta},
        )
        print(f"The report is in {arguments.report}", file=sys.stderr if arguments.json else None)
    return 0


def _score(model, dataset, whole, tta: bool):
    """Scores a model, also without the images that it was, or may have been, trained on."""
    from fer_lib import evaluation
    from fer_lib.datasets.parts import training_images
    from fer_lib.datasets.resizing import resize_images

    dataset, whole = (resize_images(each, model.image_shape) for each in (dataset, whole))
    known = training_images(whole, dataset, model.has_seen(dataset.images))
    return evaluation.evaluate(
        dataset,
        model.predict(dataset.images, tta=tta),
        model.class_names,
        model_name=model.name,
        training_images=known,
    )
