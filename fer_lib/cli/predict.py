"""`predict`: pictures to expressions, as a table, as JSON, and as annotated pictures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a picture, or a folder of them")
    add_recognizer_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write annotated pictures there")


def add_recognizer_arguments(parser: argparse.ArgumentParser, model: str = "cnn") -> None:
    """Adds the arguments that every verb with a recogniser takes."""
    parser.add_argument(
        "--model",
        default=model,
        metavar="NAME",
        help=f"a shipped model's name, or a model folder (default: {model})",
    )
    parser.add_argument("--detector", default="mtcnn", choices=("mtcnn", "yunet"))
    parser.add_argument(
        "--min-face-size", type=int, metavar="PIXELS", help="smallest face to look for"
    )


def run(arguments: argparse.Namespace) -> int:
    from fer_lib.detection import FaceDetector
    from fer_lib.images import find_images
    from fer_lib.recognition import EmotionRecognizer

    if arguments.save is not None:
        arguments.save.mkdir(parents=True, exist_ok=True)
    detector = FaceDetector(arguments.detector, min_face_size=arguments.min_face_size)
    recognizer = EmotionRecognizer(model=arguments.model, detector=detector)

    entries = []
    for argument in arguments.paths:
        try:
            files = find_images(argument)
            if not files:
                raise FileNotFoundError("Expected pictures. Received: a folder without any.")
        except OSError as error:
            entries.append(_entry(argument, error=error))
            continue
        entries += _predict_files(recognizer, files, Path(argument), arguments.save)
    if arguments.json:
        print(json.dumps(entries, indent=2))
    else:
        for entry in entries:
            _print_entry(entry)
        if arguments.save is not None and not all(entry["error"] for entry in entries):
            print(f"The annotated pictures are in {arguments.save}.")
    return 1 if any(entry["error"] for entry in entries) else 0


def _predict_files(recognizer, files: list[Path], root: Path, save: Path | None) -> Iterator[dict]:
    """Yields one entry a picture; a picture that cannot be read is an entry with its error."""
    from fer_lib.images import read_image

    for file in files:
        try:
            image = read_image(file)
            faces = recognizer.predict(image)
        except (OSError, ValueError) as error:
            yield _entry(file, error=error)
            continue
        if save is not None:
            inner = file.relative_to(root) if root.is_dir() else Path(file.name)
            # The suffix stays in the name, so that a.jpg and a.png do not overwrite each other.
            _save_annotated(image, faces, save / inner.with_name(f"{inner.name}.png"))
        yield _entry(file, faces=[face.to_dict() for face in faces])


def _save_annotated(image, faces, target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")  # Files only: a window needs a screen, which a server has not.
    from matplotlib import pyplot

    from fer_lib import plotting

    figure = plotting.plot_predictions(image, faces).figure
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    pyplot.close(figure)


def _entry(path, faces: list[dict] | None = None, error: Exception | None = None) -> dict:
    message = None if error is None else " ".join(str(error).split())
    return {"path": str(path), "faces": faces or [], "error": message}


def _print_entry(entry: dict) -> None:
    if entry["error"]:
        print(f"fer_lib predict: {entry['path']}: {entry['error']}", file=sys.stderr)
        return
    count = len(entry["faces"])
    print(f"{entry['path']}: {count or 'no'} face{'' if count == 1 else 's'}")
    for face in entry["faces"]:
        print_face(face)


def print_face(face: dict) -> None:
    """Prints one face's answer and its probabilities, the likeliest first, on two lines."""
    x, y, width, height = face["box"]
    print(f"  {face['emotion']} ({face['confidence']:.0%}) at x={x} y={y}, {width}x{height} pixels")
    ranked = sorted(face["probabilities"].items(), key=lambda item: -item[1])
    print("    " + "  ".join(f"{emotion} {value:.2f}" for emotion, value in ranked))
