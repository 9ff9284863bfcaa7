"""Write `datasets/synthetic`: 700 synthetic faces as class-named folders of PNG files.

    python tests/tools/write_synthetic_folder.py datasets/synthetic

Fifty people show each of the seven expressions twice: 34 of them in `train`, 8 in `val` and 8 in
`test`, so nobody is in two parts. A file is `train/happy/person_07_1.png`.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from fer_lib.datasets import FaceDataset
from fer_lib.synthetic import make_faces

NUM_PEOPLE = 50
SPLITS = np.repeat(["train", "val", "test"], [34, 8, 8])


def generate() -> FaceDataset:
    """Returns the faces with their splits, and `file` in the metadata."""
    # Without the noise of a sensor all files together stay below one megabyte.
    faces = make_faces(100, seed=2026, people=NUM_PEOPLE, factors={"noise": 0.0})
    person = faces.metadata["person"].str.split("-").str[-1].astype(int)
    split = SPLITS[person]
    take = faces.metadata.groupby(["person", "emotion"]).cumcount()
    rows = zip(split, faces.metadata["emotion"], person, take, strict=True)
    files = [f"{part}/{emotion}/person_{who:02}_{n}.png" for part, emotion, who, n in rows]
    return dataclasses.replace(faces, split=split, metadata=faces.metadata.assign(file=files))


def write(folder: Path) -> None:
    """Writes the files, in place of those that are there."""
    faces = generate()
    for part in np.unique(SPLITS):
        shutil.rmtree(folder / part, ignore_errors=True)
    for image, file in zip(faces.images[..., 0], faces.metadata["file"], strict=True):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path, optimize=True)


def main(arguments: list[str] | None = None) -> int:
    """Writes the folder that the argument names; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    write(parser.parse_args(arguments).folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
