"""`predict`: images to expressions, as a table, as JSON, and as annotated images."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from fer_lib.cli import streams
from fer_lib.cli.data import add_recognizer_arguments, make_recognizer

_MAX_NAME_BYTES = 200  # of a saved image; file systems take 255, and a number may come on top


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="an image, or a folder of them")
    add_recognizer_arguments(parser)
    parser.add_argument(
        "--enhance", action="store_true", help="denoise and equalize dark or noisy images first"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write annotated images there")


def run(arguments: argparse.Namespace) -> int:
    if arguments.save is not None:
        arguments.save.mkdir(parents=True, exist_ok=True)
    items = list(_find_items(arguments.paths))
    targets = _choose_targets(items, arguments.save)
    recognizer = make_recognizer(arguments)
    entries = (
        _entry(item, error)
        if error is not None
        else _predict_file(recognizer, item, targets.get(item), arguments.enhance)
        for item, _, error in items
    )
    failures = (_print_json if arguments.json else _print_text)(entries)
    if arguments.save is not None and failures < len(items) and not arguments.json:
        print(f"The annotated images are in {arguments.save}.")
    return 1 if failures else 0


def _find_items(paths: Iterable[str]) -> Iterator[tuple[Path, Path, Exception | None]]:
    """Yields each image with its path below `--save`; a path without one with its error."""
    from fer_lib.images import find_images

    for root in map(Path, paths):
        skipped: list[Path] = []
        try:
            files = find_images(root, skipped)
            if skipped:
                kinds = Counter(file.suffix.lower() or "no suffix" for file in skipped)
                listed = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
                streams.report("predict", f"{root}: passed over by their suffix: {listed}")
            if not files:
                raise FileNotFoundError("Expected images. Received: a folder without any.")
        except OSError as error:
            yield root, Path(root.name), error
            continue
        for file in files:
            inner = file.relative_to(root.expanduser()) if file != root.expanduser() else file.name
            yield file, Path(inner), None


def _choose_targets(items: Iterable, save: Path | None) -> dict[Path, Path]:
    """Returns where each annotated image goes: not over an input, nor over another one."""
    if save is None:
        return {}
    taken = {file.resolve() for file, _, _ in items}
    targets = {}
    for file, inner, error in items:
        if error is not None or file in targets:
            continue
        # The suffix stays in the name, so that a.jpg and a.png do not overwrite each other.
        name = os.fsdecode(os.fsencode(inner.name)[:_MAX_NAME_BYTES])
        target, count = save / inner.with_name(f"{name}.png"), 1
        while target.resolve() in taken:
            count += 1
            target = save / inner.with_name(f"{name}-{count}.png")
        taken.add(target.resolve())
        targets[file] = target
    return targets


def _predict_file(recognizer, file: Path, target: Path | None, enhance: bool) -> dict:
    """Returns the entry of one image; whatever goes wrong with it is its `error`."""
    from fer_lib.enhancement import enhance as enhance_image
    from fer_lib.images import read_image

    faces = []
    try:
        image = read_image(file)
        if enhance:
            image = enhance_image(image)
        faces = recognizer.predict(image)
        if target is not None:
            _save_annotated(image, faces, target)
    except Exception as error:  # a decoder may raise anything, and one image never costs the others
        return _entry(file, error, faces)
    return _entry(file, None, faces)


def _save_annotated(image, faces, target: Path) -> None:
    from matplotlib import pyplot

    from fer_lib.files import write_atomically
    from fer_lib.plotting import plot_predictions

    pyplot.switch_backend("Agg")  # files only: a window needs a screen, which a server has not
    figure = plot_predictions(image, faces).figure
    try:
        with write_atomically(target) as partial:
            figure.savefig(partial, dpi=120)
    finally:
        pyplot.close(figure)


def _entry(path: Path, error: Exception | None = None, faces: Iterable = ()) -> dict:
    message = None if error is None else streams.one_line(error)
    return {"path": str(path), "faces": [face.to_dict() for face in faces], "error": message}


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
            print(f"{entry['path']}: {len(faces) or 'no'} face{'' if len(faces) == 1 else 's'}")
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
