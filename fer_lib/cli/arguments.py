"""The arguments that several subcommands share, and what they stand for."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from fer_lib.datasets import catalogue

if TYPE_CHECKING:
    from fer_lib.datasets import FaceDataset
    from fer_lib.pretrained import Pretrained
    from fer_lib.recognition import EmotionRecognizer

DATA_HELP = "FER2013 in any layout, a file of FaceDataset.save, or class-named folders of images"
DETECTORS = ("mtcnn", "yunet", "fast")


def number(low: float, high: float, kind: type = int) -> Callable[[str], float]:
    """Returns the type of an argument that is a number in `[low, high]`."""

    def parse(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"Expected {low} to {high}. Received: {text}")
        return value

    parse.__name__ = kind.__name__  # which argparse names where `kind` refuses the text
    return parse


def add_model(parser: argparse.ArgumentParser, default: str = "cnn") -> None:
    """Adds `--model`."""
    text = f"a shipped model's name, or a model folder (default: {default})"
    parser.add_argument("--model", default=default, metavar="NAME", help=text)


def add_recognizer(parser: argparse.ArgumentParser, model: str = "cnn") -> None:
    """Adds the arguments of the subcommands that find faces and recognize their expressions."""
    add_model(parser, model)
    parser.add_argument("--detector", default="mtcnn", choices=DETECTORS)
    size = {"type": number(10, 100_000), "metavar": "PIXELS"}
    parser.add_argument("--min-face-size", **size, help="longer side of the smallest face to find")


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Adds where many images or videos are worked on, and `--resume`."""
    add = parser.add_argument
    add("--resume", action="store_true", help="do only what is missing in the output")
    add("--engine", choices=("local", "ray"), default="local", help="where it is made")
    add("--workers", type=number(1, 10_000), default=2, metavar="N", help="processes of ray")
    add("--address", help="of a running Ray cluster (default: one is started here)")


def make_recognizer(arguments: argparse.Namespace) -> EmotionRecognizer:
    """Returns the recognizer that the arguments of `add_recognizer` ask for."""
    from fer_lib.detection import FaceDetector
    from fer_lib.recognition import EmotionRecognizer

    detector = FaceDetector(arguments.detector, min_face_size=arguments.min_face_size)
    return EmotionRecognizer(arguments.model, detector)


def add_data(parser: argparse.ArgumentParser, detector: str = "mtcnn") -> None:
    """Adds the options of the subcommands that read a data set from `arguments.data`."""
    add = parser.add_argument
    sets = [key for key in catalogue.list_datasets() if key != "synthetic"]
    add("--set", choices=sets, metavar="NAME", help=f"what it is a copy of: {', '.join(sets)}")
    text = "your own classes, and the folder of each where it has another name"
    add("--classes", type=_parse_classes, metavar="NAME=FOLDER,...", help=text)
    add("--votes", metavar="FILE", help="FER+ votes of a copy of FER2013")
    text = f"finds the faces of photographs; none: they are crops already (default: {detector})"
    add("--detector", default=detector, choices=(*DETECTORS, "none"), help=text)


def _parse_classes(text: str) -> dict[str, str]:
    pairs = [[part.strip() for part in pair.split("=", 1)] for pair in text.split(",")]
    folder_of = {pair[0]: pair[-1] for pair in pairs}
    if len(pairs) < 2 or len(folder_of) < len(pairs) or not all(map(all, pairs)):
        raise argparse.ArgumentTypeError(
            f"Expected two or more different NAME=FOLDER with commas between. Received: {text}"
        )
    return folder_of


def load_data(arguments: argparse.Namespace, model: Pretrained | None = None) -> FaceDataset:
    """Reads the data set that the arguments of `add_data` name, for a model if one is given.

    Folders are first read with the classes of `model`, which may be the user's own, and images in
    its shape. A detector's networks are loaded when the first photograph is searched.
    """
    from fer_lib.datasets import load_ferplus, load_path
    from fer_lib.datasets.model_input import resize_images
    from fer_lib.detection import FaceDetector
    from fer_lib.labels import EMOTIONS

    path, detector = Path(arguments.data), None
    if arguments.detector != "none":
        build = functools.cache(lambda: FaceDetector(arguments.detector))
        detector = SimpleNamespace(detect=lambda image: build().detect(image))
    options = {"name": arguments.set, "detector": detector}
    of_model = None
    if model is not None:
        of_model, options["image_size"] = model.class_names, max(model.image_shape[:2])
    load = functools.partial(load_path, path, **options)
    if arguments.set or arguments.classes or of_model in (None, EMOTIONS) or not path.is_dir():
        dataset = load(classes=arguments.classes)
    else:
        try:
            dataset = load(classes=of_model)
        except ValueError:
            dataset = load()
    dataset = dataset if arguments.votes is None else load_ferplus(arguments.votes, dataset)
    return dataset if model is None else resize_images(dataset, model.image_shape)


def check_outputs(inputs: Iterable[str | Path], **outputs: Path | None) -> None:
    """Refuses outputs that would overwrite an input or each other, before anything slow begins.

    Args:
        inputs: The files that are read.
        **outputs: The file that each option names, or None.

    Raises:
        ValueError: An output is an input, another output or a folder; the message names the option.
    """
    taken = {Path(path).resolve(): "an input" for path in inputs}
    for option, path in outputs.items():
        if path is not None:
            place = path.expanduser().resolve()
            problem = "a folder" if place.is_dir() else taken.get(place)
            if problem is not None:
                raise ValueError(
                    f"Expected another file for --{option}. Received: {path}, {problem}"
                )
            taken[place] = f"the file of --{option}"


def save_figure(figure, target: Path) -> None:
    """Writes a matplotlib figure as an image, whole or not at all, and closes it."""
    from matplotlib import pyplot

    from fer_lib.files import write_atomically

    try:
        with write_atomically(target) as partial:
            figure.savefig(partial, dpi=120)
    finally:
        pyplot.close(figure)
