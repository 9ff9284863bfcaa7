"""`evaluate`: a model and a data set to an honest score."""

from __future__ import annotations

import argparse
import dataclasses
import errno
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fer_lib.cli.data import add_detector_argument

if TYPE_CHECKING:
    from fer_lib.datasets import FaceDataset
    from fer_lib.evaluation import Comparison, EvaluationReport, RobustnessReport
    from fer_lib.pretrained import Pretrained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="cnn", help="a shipped model's name, or a model folder")
    parser.add_argument(
        "--data",
        required=True,
        help="FER2013 in any published layout, or class-named folders of pictures",
    )
    parser.add_argument(
        "--split",
        help="the part to score: of FER2013 Training, PublicTest or PrivateTest; by default "
        "PublicTest, or the part of your own folders that is for testing, or all",
    )
    parser.add_argument("--votes", metavar="FILE", help="FER+ votes (fer2013new.csv), for FER2013")
    add_detector_argument(parser)
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

    _check(arguments)
    model = pretrained.load_pretrained(arguments.model)
    dataset, training, split = _load(arguments, model)
    report = _score(arguments, model, dataset, training)
    others = [
        _score(arguments, pretrained.load_pretrained(name), dataset, training)
        for name in arguments.compare
    ]
    comparison = evaluation.compare(report, *others) if others else None
    robustness = _spoil(arguments, model, dataset, split) if arguments.robustness else None
    if arguments.json:
        values = report.to_dict()
        if comparison is not None:
            values["comparison"] = comparison.to_dict()
        print(json.dumps(values, indent=2, allow_nan=False))
    else:
        tta = ", ten-crop" if arguments.tta else ""
        print(f"{model.name} on {dataset.name} {split}".rstrip() + tta)
        print(report)
        if comparison is not None:
            print(f"\n{comparison}\n\n{_comparison_table(comparison)}")
        if robustness is not None:
            print(f"\n{robustness}")
    if arguments.report:
        from fer_lib.report import write_report

        details = {
            "split": split or "all of it",
            "test-time augmentation": "ten-crop" if arguments.tta else "none",
        }
        write_report(
            arguments.report,
            report,
            others=others,
            card=model.card,
            robustness=robustness,
            details=details,
        )
        print(f"The report is in {arguments.report}", file=sys.stderr if arguments.json else None)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuses what cannot work before anything slow begins."""
    if arguments.report is not None:
        if arguments.report.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"Expected --report with a file .html. Received: {arguments.report}")
        arguments.report.parent.mkdir(parents=True, exist_ok=True)
        if arguments.report.is_dir():
            raise IsADirectoryError(errno.EISDIR, "Is a directory", str(arguments.report))
    if arguments.robustness is not None:
        arguments.robustness.parent.mkdir(parents=True, exist_ok=True)
        if arguments.robustness.is_dir():
            raise IsADirectoryError(errno.EISDIR, "Is a directory", str(arguments.robustness))
    if arguments.robustness_step < 1:
        raise ValueError(
            f"Expected `--robustness-step` of 1 or more. Received: {arguments.robustness_step}"
        )


def _spoil(
    arguments: argparse.Namespace, model: Pretrained, dataset: FaceDataset, split: str
) -> RobustnessReport:
    """Scores the model on spoilt pictures of every K-th face, and writes that to its file."""
    from fer_lib import evaluation

    step = arguments.robustness_step
    name = f"{dataset.name} {split}".rstrip() + (f", 1 face in {step}" if step > 1 else "")
    robustness = evaluation.robustness_suite(dataclasses.replace(dataset[::step], name=name), model)
    robustness.to_json(arguments.robustness)
    return robustness


def _load(
    arguments: argparse.Namespace, model: Pretrained
) -> tuple[FaceDataset, FaceDataset | None, str]:
    """Returns the faces to score, the training faces where they are at hand, and the split."""
    from fer_lib import datasets
    from fer_lib.cli.data import holds_crops, load_path
    from fer_lib.detection import FaceDetector
    from fer_lib.images import find_images

    path = Path(arguments.data).expanduser()
    detector = None
    # A detector takes seconds to load: only photographs need one.
    if arguments.detector != "none" and path.is_dir() and find_images(path):
        detector = None if holds_crops(path) else FaceDetector(arguments.detector)
    everything = load_path(path, detector=detector)
    if everything.class_names != model.class_names:
        everything = everything.with_classes(model.class_names)
    if arguments.votes:
        everything = datasets.load_ferplus(arguments.votes, everything)
    splits = sorted(set(everything.split.tolist()))
    tests = [name for name in splits if name.lower().startswith("test")]
    split = arguments.split or ("PublicTest" if "PublicTest" in splits else "".join(tests[:1]))
    dataset = everything.subset(split=split) if split else everything
    # With the training pictures at hand, the report has a part without those that are among them.
    is_training = [name.lower().startswith("train") for name in everything.split]
    training = everything[[index for index, taken in enumerate(is_training) if taken]]
    has_training = bool(split) and len(training) > 0 and not split.lower().startswith("train")
    return dataset, training if has_training else None, split


def _score(
    arguments: argparse.Namespace,
    model: Pretrained,
    dataset: FaceDataset,
    training: FaceDataset | None,
) -> EvaluationReport:
    from fer_lib import evaluation

    return evaluation.evaluate(
        dataset,
        model.predict(dataset.images, tta=arguments.tta),
        model.class_names,
        model_name=model.name,
        training_images=training,
    )


def _comparison_table(comparison: Comparison) -> str:
    """Returns the differences as a table of at most 80 columns."""
    pairs = comparison.to_frame()
    lines = [["accuracy less the other's, in points", "95 % interval", "right alone", "p"]]
    for pair in pairs.itertuples():
        lines.append(
            [
                f"{pair.first} less {pair.second}: {100 * pair.accuracy:.1f}",
                "-"
                if math.isnan(pair.accuracy_low)
                else f"{100 * pair.accuracy_low:.1f} to {100 * pair.accuracy_high:.1f}",
                f"{pair.only_first} and {pair.only_second}",
                f"{pair.p_adjusted:.2g}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
