"""Write a teacher: what trained models predict for FER2013's training images, as soft labels.

    python tests/tools/write_teacher.py fer2013.csv saved_models/teacher --model cnn

The geometric mean of the models' probabilities (ten-crop), less than a megabyte for FER2013.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_lib import files, pretrained
from fer_lib.datasets import FaceDataset, load_fer2013
from fer_lib.pretrained.image_hashes import hash_images
from fer_lib.training import teacher


def write_teacher(
    folder: str | os.PathLike[str],
    dataset: FaceDataset,
    models: Sequence[pretrained.Pretrained],
    tta: bool = True,
) -> dict:
    """Writes `teacher.npz` and `teacher.json`; returns what the latter holds.

    `agrees_with_label`, the share of the images whose label the teacher predicts, says how well it
    knows the labels.

    Raises:
        ValueError: No model, or models of other classes than the data set's.
    """
    if not models or any(model.class_names != dataset.class_names for model in models):
        raise ValueError(
            f"Expected models of the classes {dataset.class_names}. "
            f"Received: {[(model.name, model.class_names) for model in models]}"
        )
    probabilities = pretrained.mean_of_logs(
        [model.predict(dataset.images, tta=tta) for model in models]
    )
    with files.write_atomically(Path(folder) / teacher.TEACHER_FILE) as partial:
        np.savez_compressed(
            partial,
            keys=hash_images(dataset.images),
            probabilities=probabilities.astype(np.float16),
            class_names=np.array(dataset.class_names),
        )
    card = {
        "models": [model.name for model in models],
        "tta": tta,
        "data": {"name": dataset.name, "images": len(dataset), "sha256": dataset.content_hash},
        "agrees_with_label": round(float((probabilities.argmax(1) == dataset.labels).mean()), 4),
    }
    files.write_text(Path(folder) / "teacher.json", json.dumps(card, indent=2) + "\n")
    return card


def main() -> None:
    """Writes the teacher of the named models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="FER2013 in any published layout")
    parser.add_argument("output", type=Path, help="the folder to write")
    parser.add_argument("--model", nargs="+", default=["cnn"], help="names or folders of models")
    options = parser.parse_args()
    dataset = load_fer2013(options.data, splits="Training")
    models = [pretrained.load_pretrained(name) for name in options.model]
    print(write_teacher(options.output, dataset, models))


if __name__ == "__main__":
    main()
