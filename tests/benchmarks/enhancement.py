"""Where `fer_lib.enhancement` helps: accuracy on corrupted faces, plain and cleaned.

    python tests/benchmarks/enhancement.py fer2013.csv

Prints one row per corruption, on every fourth face of PublicTest, seed 0.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from fer_lib import load_fer2013, load_pretrained
from fer_lib.enhancement import denoise, equalize_contrast

CLEANERS = {
    "plain": lambda face: face,
    "equalize_contrast": equalize_contrast,
    "denoise": denoise,
}


def corrupt(faces: np.ndarray) -> dict[str, np.ndarray]:
    """Returns faces `uint8 (n, 48, 48)` corrupted in several ways, by name."""
    generator = np.random.default_rng(0)

    def noise(deviation: float) -> np.ndarray:
        return np.clip(faces + generator.normal(0, deviation, faces.shape), 0, 255).round()

    corrupted = {
        "as they are": faces,
        "a quarter as bright": faces * 0.25,
        "gamma 2.5": 255 * (faces / 255) ** 2.5,
        "side light": faces * np.linspace(0.15, 1, faces.shape[2]),
        "one half at a fifth": np.where(np.arange(faces.shape[2]) < 24, faces * 0.2, faces),
        "pale": faces * 0.15 + 100,
        "noise of 10 gray levels": noise(10),
        "noise of 20 gray levels": noise(20),
        "noise of 30 gray levels": noise(30),
    }
    return {name: images.astype(np.uint8) for name, images in corrupted.items()}


def main(path: str) -> None:
    """Prints the table for a copy of FER2013."""
    dataset = load_fer2013(path, splits="PublicTest")[::4]
    model = load_pretrained("cnn_fer2013")
    rows = {}
    for name, faces in corrupt(dataset.images[..., 0]).items():
        rows[name] = {}
        for cleaner, clean in CLEANERS.items():
            answers = model.predict(np.stack([clean(face) for face in faces])).argmax(axis=1)
            rows[name][cleaner] = f"{(answers == dataset.labels).mean():.1%}"
    print(pd.DataFrame(rows).T.to_string())


if __name__ == "__main__":
    main(sys.argv[1])
