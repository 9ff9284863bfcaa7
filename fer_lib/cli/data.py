"""What subcommands share: arguments, the data set or the images of a path, checks of outputs."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fer_lib.datasets import FaceDataset
    from fer_lib.detection import Face, FaceDetector
    from fer_lib.recognition import EmotionRecognizer


def number(low: float, high: float, kind: type = int) -> Callable[[str], float]:
    """Returns the type of an argument that is a number in `[low, high]`."""

    def parse(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"Expected {low} to {high}. Received: {text}")
        return value

    parse.__name__ = kind.__name__  # which argparse names where `kind` refuses the text
    return parse


def add_model_argument(parser: argparse.ArgumentParser, default: str = "cnn") -> None:
    """Adds `--model`."""
    parser.add_argument(
        "--model",
        default=default,
        metavar="NAME",
        help=f"a shipped model's name, or a model folder (default: {default})",
    )


def add_recognizer_arguments(parser: argparse.ArgumentParser, model: str = "cnn") -> None:
    """Adds the arguments of the subcommands that find faces and recognize their expressions."""
    add_model_argument(parser, model)
    parser.add_argument("--detector", default="mtcnn", choices=("mtcnn", "yunet"))
    parser.add_argument(
        "--min-face-size",
        type=number(10, 100_000),
        metavar="PIXELS",
        help="longer side of the smallest face to look for",
    )


def make_recognizer(arguments: argparse.Namespace) -> EmotionRecognizer:
    """Returns the recognizer that the arguments ask for."""
    from fer_lib.detection import FaceDetector
    from fer_lib.recognition import EmotionRecognizer

    detector = FaceDetector(arguments.detector, min_face_size=arguments.min_face_size)
    return EmotionRecognizer(arguments.model, detector)


def add_data_arguments(parser: argparse.ArgumentParser, help_text: str = "") -> None:
    """Adds the arguments of the subcommands that read a data set."""
    parser.add_argument(
        "--data",
        required=True,
        metavar="PATH",
        help="FER2013 in any published layout, a file of FaceDataset.save, or class-named folders "
        f"of images{help_text}",
    )
    parser.add_argument(
        "--votes", metavar="FILE", help="FER+ votes (fer2013new.csv) of a copy of FER2013"
    )
    parser.add_argument(
        "--detector",
        default="mtcnn",
        choices=("mtcnn", "yunet", "none"),
        help="finds the faces in folders of photographs; none: the images are faces already",
    )


class LazyDetector:
    """A `FaceDetector` whose networks are loaded when the first photograph is searched."""

    def __init__(self, backend: str) -> None:
        self.backend = backend

    @functools.cached_property
    def _detector(self) -> FaceDetector:
        from fer_lib.detection import FaceDetector

        return FaceDetector(self.backend)

    def detect(self, image) -> list[Face]:
        """Returns the faces of an image, see `FaceDetector.detect`."""
        return self._detector.detect(image)


def load_data(arguments: argparse.Namespace) -> FaceDataset:
    """Reads the data set that the arguments of `add_data_arguments` name."""
    detector = None if arguments.detector == "none" else LazyDetector(arguments.detector)
    return add_votes(load_path(Path(arguments.data), detector=detector), arguments.votes)


def add_votes(dataset: FaceDataset, votes: str | Path | None) -> FaceDataset:
    """Returns the data set with the FER+ votes of a file, where there is one."""
    from fer_lib.datasets import load_ferplus

    return dataset if votes is None else load_ferplus(votes, dataset)


def load_path(
    path: Path, key: str | None = None, detector: LazyDetector | None = None
) -> FaceDataset:
    """Reads a copy with the loader of its set, or with the one that its layout suggests.

    Args:
        path: A file of `FaceDataset.save`, a copy of a public set, or class-named folders.
        key: The catalogue's key of the set, where it is known.
        detector: Finds and aligns the faces of photographs in class-named folders.

    Raises:
        FileNotFoundError: There is nothing at `path`.
        ValueError: What is there is no data set; the message says what was expected.
    """
    from fer_lib import datasets
    from fer_lib.datasets import catalogue
    from fer_lib.datasets.fer2013_files import find_source, is_published
    from fer_lib.datasets.storage import is_saved_dataset
    from fer_lib.files import read_npz

    path = path.expanduser()
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a data set: FER2013's file, or class-named folders. Received: {path}, which "
            "does not exist"
        )
    if key is not None:
        return getattr(datasets, catalogue.dataset_info(key).layout.loader)(path)
    if path.suffix.lower() == ".npz" and is_saved_dataset(read_npz(path, "a data set")):
        return datasets.FaceDataset.load(path)
    try:
        source = find_source(path)
    except FileNotFoundError:
        return datasets.load_folder(path, detector)
    if source.layout != "folders" or is_published(source.path):
        return datasets.load_fer2013(path)
    return datasets.load_folder(path, detector)


def find_parts(dataset: FaceDataset) -> dict[str, list[str]]:
    """Returns the names of the splits for `training`, `validation` and `test`, in this order."""
    starts = {"training": "train", "validation": ("val", "public"), "test": ("test", "private")}
    names = sorted(set(dataset.split.tolist()))
    return {part: [n for n in names if n.lower().startswith(s)] for part, s in starts.items()}


def check_outputs(inputs: Iterable[Path], outputs: Mapping[str, Path | None]) -> None:
    """Refuses outputs that would overwrite an input or each other, before anything slow begins.

    Args:
        inputs: The files that are read.
        outputs: The file that each option names, or None.

    Raises:
        ValueError: An output is an input, another output or a folder; the message names the option.
    """
    taken = {path.resolve(): "an input" for path in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        place = path.expanduser().resolve()
        problem = "a folder" if place.is_dir() else taken.get(place)
        if problem is not None:
            raise ValueError(
                f"Expected {option} with a file of its own. Received: {path}, {problem}"
            )
        taken[place] = f"the file of {option}"
