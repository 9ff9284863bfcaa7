"""Scores and speed of the library beside those of the package fer, on the same faces.

    python tests/benchmarks/peers.py --data fer2013.csv --votes fer2013new.csv [--photos FOLDER]

The package (https://github.com/justinshenk/fer) is installed from the registry into a scratch
folder and runs in a process of its own, with its defaults. FOLDER holds photographs in one folder
a class, such as FOLDER/happy; a photograph in which no face is found counts as wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fer_lib.labels import EMOTIONS

# What it needs besides what the library has: `pkg_resources`, which left setuptools in version 81,
# and the Haar cascades, which left OpenCV in version 5.
_REQUIREMENTS = ("fer==25.10.3", "setuptools<81", "opencv-contrib-python<5")
# Runs inside the scratch environment: paths of images in, `[emotion or null, milliseconds]` out.
_WORKER = """
import json, sys, time
import cv2
from fer.fer import FER
whole_image, paths = json.loads(sys.stdin.read())
detector = FER(offsets=(0, 0)) if whole_image else FER()
for path in paths[:1] + paths:
    image = cv2.imread(path)
    boxes = [(0, 0, image.shape[1], image.shape[0])] if whole_image else None
    started = time.perf_counter()
    faces = detector.detect_emotions(image, boxes)
    passed = 1000 * (time.perf_counter() - started)
    largest = max(faces, key=lambda face: face["box"][2] * face["box"][3], default=None)
    emotion = max(largest["emotions"], key=largest["emotions"].get) if largest else None
    print("answer", json.dumps([emotion, passed]))
"""


def install_fer(folder: Path) -> dict[str, str]:
    """Installs the package into a folder and returns the environment to run it in."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    subprocess.run([*command, *_REQUIREMENTS], check=True)
    return os.environ | {"PYTHONPATH": str(folder)}


def run_fer(
    environment: dict[str, str], paths: Sequence[str], whole_image: bool = False
) -> list[tuple[str | None, float]]:
    """Returns the answer of the package for each image, and how many milliseconds it took.

    Args:
        environment: What `install_fer` returned.
        paths: Image files.
        whole_image: Each is one face, so that none is to be found.
    """
    done = subprocess.run(
        [sys.executable, "-c", _WORKER],
        input=json.dumps([whole_image, list(paths)]),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line[7:] for line in done.stdout.splitlines() if line.startswith("answer ")]
    if done.returncode or len(lines) != len(paths) + 1:
        raise RuntimeError(f"Expected answers of fer. Received: {done.stderr[-500:]}")
    return [tuple(json.loads(line)) for line in lines[1:]]  # the first one warms up


def run_ours(
    recognize: Callable[[str], str | None], paths: Sequence[str]
) -> list[tuple[str | None, float]]:
    """Returns the answers of the library in the same form."""
    answers = []
    for path in (paths[0], *paths):
        started = time.perf_counter()
        emotion = recognize(path)
        answers.append((emotion, 1000 * (time.perf_counter() - started)))
    return answers[1:]


def score(
    what: str, answers: Sequence[tuple[str | None, float]], wanted: Sequence[str]
) -> dict[str, object]:
    """Returns a row of the table: shares in percent, times in milliseconds an image."""
    given = np.array([answer or "" for answer, _ in answers])
    right, wanted = given == np.asarray(wanted), np.asarray(wanted)
    times = [milliseconds for _, milliseconds in answers]
    return {
        "what": what,
        "images": len(wanted),
        "found": 100 * np.mean(given != ""),
        "accuracy": 100 * right.mean(),
        "mean recall": 100 * np.mean([right[wanted == name].mean() for name in set(wanted)]),
        "median ms": np.median(times),
        "p95 ms": np.percentile(times, 95),
    }


def score_photographs(
    folder: Path, models: Sequence[str], environment: dict[str, str]
) -> tuple[list[dict[str, object]], str]:
    """Returns a row for each chain of detector and network, and the hash of all files."""
    from fer_lib import EmotionRecognizer
    from fer_lib.images import find_images

    paths = [path for path in find_images(folder) if path.parent.name in EMOTIONS]
    names, wanted = list(map(str, paths)), [path.parent.name for path in paths]
    rows = [score("photographs: fer, Haar", run_fer(environment, names), wanted)]
    for model in models:
        recognizer = EmotionRecognizer(model)

        def recognize(path: str, recognizer=recognizer) -> str | None:
            faces = recognizer.predict(path)
            largest = max(faces, key=lambda face: face.box[2] * face.box[3], default=None)
            return None if largest is None else largest.emotion

        rows.append(score(f"photographs: {model}, mtcnn", run_ours(recognize, names), wanted))
    contents = hashlib.sha256(b"".join(hashlib.sha256(p.read_bytes()).digest() for p in paths))
    return rows, contents.hexdigest()


def score_faces(
    data: str, votes: str, models: Sequence[str], environment: dict[str, str]
) -> tuple[list[dict[str, object]], str]:
    """Returns rows for PublicTest, by what people see and by the label, and the set's hash."""
    from PIL import Image

    from fer_lib.datasets import load_ferplus, load_path
    from fer_lib.datasets.ferplus import MIN_VOTES, class_votes
    from fer_lib.pretrained import load_pretrained

    dataset = load_ferplus(votes, load_path(data))
    dataset = dataset[np.asarray(dataset.split) == "PublicTest"]
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, f"{index:05d}.png")) for index in range(len(dataset))]
        for path, image in zip(paths, dataset.images, strict=True):
            Image.fromarray(image[..., 0]).save(path)
        answers = {"fer": run_fer(environment, paths, whole_image=True)}
    crops = dataset.images
    for model in models:
        network = load_pretrained(model)

        def recognize(index: int, network=network) -> str:
            return EMOTIONS[network.predict(crops[index : index + 1])[0].argmax()]

        answers[model] = run_ours(recognize, range(len(crops)))
    rows = []
    votes_of = class_votes(dataset)
    clear = np.flatnonzero(votes_of.max(axis=1) >= MIN_VOTES)
    seen = [EMOTIONS[label] for label in votes_of[clear].argmax(axis=1)]
    labels = [EMOTIONS[label] for label in dataset.labels]
    for name, given in answers.items():
        rows.append(score(f"what people see: {name}", [given[row] for row in clear], seen))
        rows.append(score(f"FER2013's label: {name}", given, labels))
    return rows, dataset.content_hash


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="FER2013 in any layout")
    parser.add_argument("--votes", help="fer2013new.csv of FER+")
    parser.add_argument("--photos", type=Path, help="photographs, one folder a class")
    parser.add_argument("--models", nargs="+", default=["cnn", "cnn_tiny"])
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        environment = install_fer(Path(folder))
        if options.data:
            found, sha256 = score_faces(options.data, options.votes, options.models, environment)
            rows += found
            print(f"PublicTest: sha256 {sha256}")
        if options.photos:
            found, sha256 = score_photographs(options.photos, options.models, environment)
            rows += found
            print(f"photographs: sha256 {sha256}")
    print(pd.DataFrame(rows).round(1).to_string(index=False))
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("keras", "tensorflow")]
    print(", ".join([*_REQUIREMENTS, *versions]), f"; {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
