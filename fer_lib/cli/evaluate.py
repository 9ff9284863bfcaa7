"""`evaluate`: a model and a data set to an honest score."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from fer_lib.cli import streams
from fer_lib.cli.arguments import DATA_HELP, add_data, add_model, check_outputs, load_data, number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add = parser.add_argument
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", metavar="PATH", help=DATA_HELP)
    text = (
        "a table of `predict --output` instead: an image's folder is its class, its largest face "
    )
    data.add_argument("--predictions", type=Path, metavar="TABLE", help=text + "counts")
    add_data(parser)
    add("--split", help="what to score; by default what is for testing, or validation, or all")
    text = "score by the data set's own labels, or by what at least 5 of ten people saw, which "
    text += "needs --votes; by default what the model's card says it predicts"
    add("--labels", choices=("fer2013", "votes"), help=text)
    add("--tta", action="store_true", help="test-time augmentation by ten-crop")
    text = "another model on the same faces; may be given several times"
    add("--compare", action="append", default=[], metavar="MODEL", help=text)
    add("--report", type=Path, metavar="FILE.html", help="write all of it as one web page, too")
    add("--json", action="store_true", help="print JSON")
    text = "also score thirds of the images by sharpness, brightness, contrast and, with --votes, "
    add("--slices", action="store_true", help=text + "by how far the voters agree")
    text = "also score on corrupted images, without TTA: the model predicts each face 72 times"
    add("--robustness", type=Path, metavar="FILE.json", help=text)
    text = "do so on every K-th face alone, K times as fast"
    add("--robustness-step", type=number(1, 10**6), default=1, metavar="K", help=text)


def run(arguments: argparse.Namespace) -> int:
    from fer_lib import evaluation, pretrained
    from fer_lib.datasets.model_input import choose_scored
    from fer_lib.report import write_report

    if arguments.report and arguments.report.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"Expected --report with a file .html. Received: {arguments.report}")
    if arguments.predictions:
        return _score_table(arguments)
    outputs = {name: getattr(arguments, name) for name in ("report", "robustness")}
    check_outputs([arguments.data], **outputs)
    models = [pretrained.load_pretrained(name) for name in (arguments.model, *arguments.compare)]
    whole = load_data(arguments, models[0])
    dataset, parts = choose_scored(whole, arguments.split)
    dataset, labels, truth = _choose_labels(arguments.labels, models[0].card, dataset)
    dataset, lost = _share_classes(models, dataset)
    report, *others = [_score(model, dataset, whole, arguments.tta) for model in models]
    comparison = evaluation.compare(report, *others) if others else None
    slices = robustness = None
    if arguments.slices:
        slices = evaluation.slice_report(report, evaluation.image_properties(dataset))
    if arguments.robustness:
        step = arguments.robustness_step
        name = f"{dataset.name}, 1 face in {step}" if step > 1 else dataset.name
        faces = dataset.with_classes(models[0].class_names)[::step]
        robustness = evaluation.robustness_suite(dataclasses.replace(faces, name=name), models[0])
        robustness.to_json(arguments.robustness)
    if arguments.json:
        values = {**report.to_dict(), "split": parts, "labels": labels, "left_out": lost}
        if comparison is not None:
            values["comparison"] = comparison.to_dict()
        if slices is not None:
            values["slices"] = slices.to_dict()
        print(json.dumps(values, indent=2, allow_nan=False))
    else:
        tta = ", ten-crop" if arguments.tta else ""
        print(f"{models[0].name} on {dataset.name}, {parts}{tta}", f"Labels: {truth}", sep="\n")
        print(*filter(None, (report, comparison, slices, robustness)), sep="\n\n")
    if arguments.report:
        tta = "ten-crop" if arguments.tta else "none"
        write_report(
            arguments.report,
            report,
            others=others,
            card=models[0].card,
            slices=slices,
            robustness=robustness,
            details={"split": parts, "labels": truth, "test-time augmentation": tta},
        )
        print(f"The report is in {arguments.report}", file=sys.stderr if arguments.json else None)
    return 0


def _score_table(arguments: argparse.Namespace) -> int:
    """Scores what `predict` wrote of images in class-named folders, lost faces included."""
    import numpy as np

    from fer_lib import batch, evaluation
    from fer_lib.report import write_report

    file = arguments.predictions
    others = (
        "set",
        "classes",
        "votes",
        "split",
        "labels",
        "tta",
        "compare",
        "slices",
        "robustness",
    )
    given = [f"--{name}" for name in others if getattr(arguments, name)]
    if given:
        raise ValueError(f"Expected --predictions without {given[0]}, which needs --data")
    check_outputs([file], report=arguments.report)
    table = batch.read_table(file)
    if not {"path", "face", "confidence", "image_width"} <= set(table):
        raise ValueError(f"Expected a table of `predict --output`. Received: {file}, another one")
    columns = list(table)
    names = columns[columns.index("confidence") + 1 : columns.index("image_width")]
    first = table[table["face"].isna() | (table["face"] == 0)]
    folders = first["path"].map(lambda path: Path(path).parent.name)
    first, folders = first[folders.isin(names)], folders[folders.isin(names)]
    found = first["face"].notna()
    if not found.any():
        raise ValueError(
            f"Expected images in folders named {', '.join(names)} in {file}. Received: none with "
            "a face"
        )
    labels = folders[found].map(names.index).to_numpy()
    probabilities = first.loc[found, names].to_numpy(np.float64)
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)  # of rounded digits
    report = evaluation.evaluate(labels, probabilities, names, model_name=file.name)
    with_lost = report.accuracy * found.mean()
    if arguments.json:
        values = {"images": len(first), "found": int(found.sum()), "accuracy_of_all": with_lost}
        print(json.dumps(report.to_dict() | values, indent=2, allow_nan=False))
    else:
        print(f"{found.sum():,} of {len(first):,} images in class-named folders show a face.")
        print(
            f"Accuracy {with_lost:.3f} of all, {report.accuracy:.3f} of those:", report, sep="\n\n"
        )
    if arguments.report:
        write_report(
            arguments.report, report, details={"images without a face": f"{(~found).sum():,}"}
        )
    return 0


def _choose_labels(wanted: str | None, card, dataset):
    """Returns the data set with the labels to score by, their name, and what they are in words."""
    from fer_lib.datasets.ferplus import MIN_VOTES, VOTE_COLUMNS, vote_labels

    has_votes = set(VOTE_COLUMNS) <= set(dataset.metadata)
    if wanted == "votes" and not has_votes:
        raise ValueError("Expected --votes FILE with --labels votes. Received: no votes")
    by_votes = card.get("predicts") == "votes"
    if wanted == "votes" or (wanted is None and has_votes and by_votes):
        labeled = vote_labels(dataset)
        without = len(dataset) - len(labeled)
        text = f"what at least {MIN_VOTES} of ten people saw (FER+); {without:,} images have none"
        return labeled, "votes", text
    remark = "; the model predicts what people see, see --votes" if by_votes else ""
    return dataset, "fer2013", f"the data set's own{remark}"


def _share_classes(models, dataset):
    """Returns the data set in the classes that all models have, and what that leaves out."""
    names = [name for name in models[0].class_names if all(name in m.class_names for m in models)]
    counts = dict(zip(dataset.class_names, dataset.counts().iloc[:, -1], strict=True))
    lost = {name: int(count) for name, count in counts.items() if count and name not in names}
    if len(names) < 2 or sum(lost.values()) == len(dataset):
        of_models = "; ".join(f"{model.name}: {', '.join(model.class_names)}" for model in models)
        raise ValueError(
            f"Expected images of classes that each model has ({of_models}). "
            f"Received: {', '.join(counts)}"
        )
    if lost:
        listed = ", ".join(f"{name} ({count})" for name, count in lost.items())
        streams.report("evaluate", f"left out, for a model lacks the class: images of {listed}")
    if len(names) < max(len(model.class_names) for model in models):
        streams.report("evaluate", f"compared on the shared classes: {', '.join(names)}")
    return dataset.with_classes(names), lost


def _score(model, dataset, whole, tta: bool):
    """Scores a model, also without the images that it was, or may have been, trained on."""
    from fer_lib import evaluation
    from fer_lib.datasets.model_input import resize_images, training_images

    images = resize_images(dataset, model.image_shape).images
    columns = [model.class_names.index(name) for name in dataset.class_names]
    probabilities = model.predict(images, tta=tta)[:, columns]
    if len(columns) < len(model.class_names):
        probabilities = probabilities + 1e-12
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    return evaluation.evaluate(
        dataset,
        probabilities,
        model_name=model.name,
        training_images=training_images(whole, dataset, model.has_seen(images)),
    )
