"""`predict`: images to expressions, as text, JSON or a table, and as annotated images."""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fer_lib.cli import streams
from fer_lib.cli.arguments import add_engine, add_recognizer, make_recognizer, save_figure
from fer_lib.errors import one_line

_FEW = 5  # faces; where fewer are found in a large image, smaller ones may have been missed
_MAX_NAME_BYTES = 200  # of a saved image; file systems take 255, and a number may come on top


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", nargs="+", metavar="PATH", help="an image, or a folder of them")
    add_recognizer(parser)
    add("--enhance", action="store_true", help="denoise and equalize dark or noisy images first")
    add("--json", action="store_true", help="print JSON")
    add("--save", type=Path, metavar="DIR", help="write annotated images there")
    text = "write a table with one row a face, in place of the answers on the screen"
    add("--output", type=Path, metavar="FILE.csv|.jsonl|.parquet", help=text)
    add_engine(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.output is None and (arguments.resume or arguments.engine == "ray"):
        raise ValueError("Expected --output FILE with --resume and --engine. Received: none")
    if arguments.output is not None and (arguments.json or arguments.save):
        raise ValueError("Expected --output without --json and --save. Received: both")
    if arguments.save is not None:
        arguments.save.mkdir(parents=True, exist_ok=True)
    items = list(_find_items(arguments.paths))
    if arguments.output is not None:
        return _write_table(arguments, [str(file) for file, _, _ in items])
    targets = {} if arguments.save is None else _choose_targets(items, arguments.save)
    recognizer = make_recognizer(arguments)
    entries = (
        _predict_file(recognizer, file, targets.get(file), arguments.enhance, error)
        for file, _, error in items
    )
    failures = (_print_json if arguments.json else _print_text)(entries)
    if arguments.save is not None and failures < len(items) and not arguments.json:
        print(f"The annotated images are in {arguments.save}.")
    return 1 if failures else 0


def _write_table(arguments: argparse.Namespace, images: list[str]) -> int:
    """Writes the faces of all images, which are read as they come, to one table."""
    from tqdm import tqdm

    from fer_lib import batch

    output = arguments.output
    options = (arguments.model, arguments.detector, arguments.min_face_size, arguments.enhance)
    table = batch.FaceTable(*options)
    images = batch.missing_images(dict.fromkeys(images), output, arguments.resume)
    batches = batch.make_batches(images, table)
    if arguments.engine == "ray":
        batches = batch.make_batches_on_ray(images, table, arguments.workers, arguments.address)
    rows = 0

    def counted():
        nonlocal rows
        with tqdm(total=len(images), unit="image", mininterval=1) as bar:
            for found in batches:
                rows += len(found)
                bar.update(found["path"].nunique())
                yield found

    failures = batch.write_table(counted(), output, arguments.resume)
    print(f"{output}: {rows} rows of {len(images)} images, {failures} with an error")
    return 1 if failures else 0


def _find_items(paths: Iterable[str]) -> Iterator[tuple[Path, Path, Exception | None]]:
    """Yields each image with its path below `--save`; a path without one with its error."""
    from fer_lib.images import count_suffixes, find_images

    for root in map(Path, paths):
        skipped: list[Path] = []
        try:
            files = find_images(root, skipped)
            if not files:
                raise FileNotFoundError("Expected images. Received: a folder without any.")
        except OSError as error:
            yield root, Path(root.name), error
            continue
        finally:
            if skipped:
                counts = count_suffixes(skipped)
                streams.report("predict", f"{root}: passed over by their suffix: {counts}")
        whole = root.expanduser()
        for file in files:
            yield file, Path(file.name if file == whole else file.relative_to(whole)), None


def _choose_targets(items: Iterable, save: Path) -> dict[Path, Path]:
    """Returns where each annotated image goes: not over an input, nor over another one."""
    taken = {file.resolve() for file, _, _ in items}
    targets = {}
    for file, inner, _ in items:
        # The suffix stays in the name, so that a.jpg and a.png do not overwrite each other.
        name = os.fsdecode(os.fsencode(inner.name)[:_MAX_NAME_BYTES])
        numbers = itertools.chain([""], (f"-{count}" for count in itertools.count(2)))
        places = (save / inner.with_name(f"{name}{number}.png") for number in numbers)
        targets[file] = next(place for place in places if place.resolve() not in taken)
        taken.add(targets[file].resolve())
    return targets


def _predict_file(recognizer, file: Path, target: Path | None, enhance: bool, error) -> dict:
    """Returns the entry of one image; whatever goes wrong with it is its `error`."""
    from fer_lib import enhancement
    from fer_lib.images import read_image

    faces = []
    try:
        if error is not None:
            raise error
        image = read_image(file)
        if enhance:
            image = enhancement.enhance(image)
        faces = recognizer.predict(image)
        _report_limit(recognizer, file, image, len(faces))
        if target is not None:
            from fer_lib.plotting import plot_predictions

            save_figure(plot_predictions(image, faces).figure, target)
    except Exception as caught:  # a decoder may raise anything; one image never costs the others
        error = one_line(caught)
    return {"path": str(file), "faces": [face.to_dict() for face in faces], "error": error}


def _report_limit(recognizer, file: Path, image, count: int) -> None:
    """Says from which size on faces were looked for, where few are found in a large image."""
    from fer_lib.detection import FaceDetector

    detector = getattr(recognizer, "detector", None)
    if count >= _FEW or not isinstance(detector, FaceDetector) or detector.min_face_size:
        return
    limit = round(detector.smallest_face(image))
    if limit > 20:
        found = f"{file}: {_count_faces(count)} of at least {limit} pixels"
        streams.report("predict", f"{found}; --min-face-size 20 finds smaller ones")


def _count_faces(count: int) -> str:
    return f"{count or 'no'} face{'' if count == 1 else 's'}"


def _print_json(entries: Iterable[dict]) -> int:
    """Prints a list entry by entry, a whole one even after Ctrl-C; returns how many failed."""
    failures, separator = 0, "\n"
    print("[", end="")
    try:
        for entry in entries:
            print(separator + json.dumps(entry, indent=2), end="", flush=True)
            separator = ",\n"
            failures += entry["error"] is not None
    finally:
        print("\n]")
    return failures


def _print_text(entries: Iterable[dict]) -> int:
    """Prints each entry as it comes; returns how many failed."""
    failures = 0
    for entry in entries:
        faces = entry["faces"]
        if entry["error"] is not None:
            streams.report("predict", f"{entry['path']}: {entry['error']}")
            failures += 1
        if entry["error"] is None or faces:
            print(f"{entry['path']}: {_count_faces(len(faces))}")
        for face in faces:
            print_face(face)
    return failures


def print_face(face: dict) -> None:
    """Prints one face's expression and its probabilities, the likeliest first, on two lines."""
    x, y, width, height = face["box"]
    print(f"  {face['emotion']} ({face['confidence']:.0%}) at x={x} y={y}, {width}x{height} pixels")
    ranked = sorted(face["probabilities"].items(), key=lambda item: -item[1])
    text = "  ".join(f"{emotion} {value:.2f}" for emotion, value in ranked)
    print(f"    {text}", flush=True)
