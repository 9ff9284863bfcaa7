"""`evaluate`: a model and a data set to an honest score."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fer_lib.cli.data import (
    add_data_arguments,
    add_model_argument,
    check_outputs,
    find_parts,
    load_data,
    number,
)

if TYPE_CHECKING:
    from fer_lib.datasets import FaceDataset
    from fer_lib.evaluation import EvaluationReport, RobustnessReport
    from fer_lib.pretrained import Pretrained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_argument(parser)
    add_data_arguments(parser)
    parser.add_argument(
        "--split",
        help="the part to score, such as PublicTest of FER2013; by default PublicTest, or else "
        "what is for testing, or else for validation, or else all",
    )
    parser.add_argument("--tta", action="store_true", help="test-time augmentation by ten-crop")
    parser.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="MODEL",
        help="another model to compare with on the same faces; may be given several times",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE.html", help="also write all of it as one web page"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--robustness",
        type=Path,
        metavar="FILE.json",
        help="also score the model on corrupted images, without TTA, and write that to a file; "
        "the model predicts each face 72 times",
    )
    parser.add_argument(
        "--robustness-step",
        type=number(1, 10**6),
        default=1,
        metavar="K",
        help="do so on every K-th face alone, K times as fast",
    )


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import evaluation, pretrained

    if arguments.report and arguments.report.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"Expected --report with a file .html. Received: {arguments.report}")
    outputs = {"--report": arguments.report, "--robustness": arguments.robustness}
    check_outputs([Path(arguments.data)], outputs)
    models = [pretrained.load_pretrained(name) for name in (arguments.model, *arguments.compare)]
    dataset, training, parts = _choose_part(load_data(arguments), arguments.split)
    report, *others = [_score(model, dataset, training, arguments.tta) for model in models]
    comparison = evaluation.compare(report, *others) if others else None
    robustness = _corrupt(arguments, models[0], dataset) if arguments.robustness else None
    if arguments.json:
        values = report.to_dict()
        if comparison is not None:
            values["comparison"] = comparison.to_dict()
        print(json.dumps(values, indent=2, allow_nan=False))
    else:
        tta = ", ten-crop" if arguments.tta else ""
        print(f"{models[0].name} on {dataset.name}, {parts}{tta}")
        print(report)
        for extra in (comparison, robustness):
            if extra is not None:
                print(f"\n{extra}")
    if arguments.report:
        from fer_lib.report import write_report

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


def _choose_part(
    dataset: FaceDataset, split: str | None
) -> tuple[FaceDataset, FaceDataset | None, str]:
    """Returns the faces to score, the training faces where they are others, and the part's name."""
    parts = find_parts(dataset)
    if split is not None:
        chosen = [split]
    elif "PublicTest" in parts["validation"]:
        chosen = ["PublicTest"]
    else:
        chosen = parts["test"] or parts["validation"]
    if not chosen:
        return dataset, None, "all of it"
    training = sorted(set(parts["training"]) - set(chosen))
    # With the training images at hand, the report has a part without those that are among them.
    return (
        dataset.subset(split=chosen),
        dataset.subset(split=training) if training else None,
        " and ".join(chosen),
    )


def _score(
    model: Pretrained, dataset: FaceDataset, training: FaceDataset | None, tta: bool
) -> EvaluationReport:
    from fer_lib import evaluation

    if dataset.class_names != model.class_names:
        dataset = dataset.with_classes(model.class_names)
    return evaluation.evaluate(
        dataset,
        model.predict(dataset.images, tta=tta),
        model.class_names,
        model_name=model.name,
        training_images=training,
    )


def _corrupt(
    arguments: argparse.Namespace, model: Pretrained, dataset: FaceDataset
) -> RobustnessReport:
    """Scores the model on corrupted images of every K-th face, and writes that to its file."""
    from fer_lib import evaluation

    step = arguments.robustness_step
    name = f"{dataset.name}, 1 face in {step}" if step > 1 else dataset.name
    faces = dataclasses.replace(dataset.with_classes(model.class_names)[::step], name=name)
    robustness = evaluation.robustness_suite(faces, model)
    robustness.to_json(arguments.robustness)
    return robustness
