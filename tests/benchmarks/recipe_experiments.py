"""Which parts of the recipe help: equal, short, paired trainings of the `tiny` network on FER2013.

    python tests/benchmarks/recipe_experiments.py fer2013.csv --votes fer2013new.csv

Every fourth Training image, six passes, two seeds; each change is trained with the same seeds, on
the same images, for as many steps as the reference, and compared on PublicTest, which nothing is
selected on: the difference of the accuracies, with a 95 % bootstrap interval over the images. A
difference counts only where the interval leaves out zero and the difference exceeds what another
seed makes of the reference. Runs that are stored are not repeated, so the command can be stopped
and started again; with all of them it writes `recipe_experiments.json`. About
half an hour on two quiet cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

from fer_lib import alignment, training
from fer_lib.datasets import FaceDataset, load_fer2013, load_ferplus

RESULTS = Path(__file__).resolve().parents[2] / "saved_models" / "recipe_experiments.json"
SEEDS = (0, 1)
EVERY = 4
# The images of all passes are one epoch, so that PublicTest is looked at once, at the end.
PASSES = 6
REFERENCE = training.TrainingConfig(
    variant="tiny",
    epochs=1,
    warmup_epochs=0.15,
    learning_rate=0.1,
    weight_decay=2e-3,
    label_smoothing=0.1,
    average_decay=0.99,
    average_warmup=False,
    precision="mixed_bfloat16",
    augmentation={"erasing_rate": 0.2},
)
NO_AUGMENTATION = {
    "flip_rate": 0.0, "rotation": 0.0, "zoom": (1.0, 1.0), "shift": 0.0,
    "contrast": 0.0, "brightness": 0.0, "erasing_rate": 0.0,
}  # fmt: skip


def _augment(**changes: object) -> dict:
    return {"augmentation": REFERENCE.augmentation | changes}


def upside_down(images: np.ndarray) -> np.ndarray:
    """Turns every second image over, top to bottom."""
    changed = images.copy()
    changed[::2] = changed[::2, ::-1]
    return changed


def mouth_erased(images: np.ndarray) -> np.ndarray:
    """Covers the mouth of every second image with middle gray."""
    corners = alignment.FACE_TEMPLATE[3:]
    left, right = corners[:, 0].min() - 4, corners[:, 0].max() + 4
    top, bottom = corners[:, 1].min() - 6, corners[:, 1].max() + 7
    changed = images.copy()
    changed[::2, round(top) : round(bottom), round(left) : round(right)] = 128
    return changed


# Name -> (group, changes of the recipe, change of the training images).
Change = tuple[str, dict, Callable[[np.ndarray], np.ndarray] | None]
CHANGES: dict[str, Change] = {
    "no augmentation": ("augmentation", {"augmentation": NO_AUGMENTATION}, None),
    "without mirroring": ("augmentation", _augment(flip_rate=0.0), None),
    "without rotation, zoom, shift": (
        "augmentation", _augment(rotation=0.0, zoom=(1.0, 1.0), shift=0.0), None,
    ),
    "without contrast, brightness": (
        "augmentation", _augment(contrast=0.0, brightness=0.0), None,
    ),
    "without random erasing": ("augmentation", _augment(erasing_rate=0.0), None),
    "with mixup (0.2)": ("augmentation", {"mixup": 0.2}, None),
    "with shear (30 degrees)": ("augmentation", _augment(shear=30.0), None),
    "half upside down": ("augmentation", {}, upside_down),
    "half with the mouth erased": ("augmentation", {}, mouth_erased),
    "without label smoothing": ("recipe", {"label_smoothing": 0.0}, None),
    "without averaged weights": ("recipe", {"average_decay": 0.0}, None),
    "with the FER+ head (0.3)": ("recipe", {"votes": 0.3}, None),
    "with distillation (0.7)": ("recipe", {"distillation": 0.7, "teacher": "cnn_fer2013"}, None),
}  # fmt: skip


def run(
    name: str, seed: int, change: Change, sets: tuple[FaceDataset, FaceDataset], runs: Path
) -> np.ndarray:
    """Trains once, or reads what was trained before; returns PublicTest's `bool (n,)` hits."""
    file = runs / f"{name.replace(' ', '_').replace(',', '')}.{seed}.npy"
    if file.is_file():
        return np.load(file)
    train_set, validation_set = sets
    _, changes, change_images = change
    if change_images is not None:
        train_set = dataclasses.replace(train_set, images=change_images(train_set.images))
    train_set = train_set[np.tile(np.arange(len(train_set)), PASSES)]
    config = REFERENCE.replace(seed=seed, **changes)
    folder = runs / "current"
    shutil.rmtree(folder, ignore_errors=True)
    network, _ = training.fit(config, train_set, validation_set, folder, progress=False)
    probabilities = network.predict(validation_set.images, batch_size=256, verbose=0)
    hits = probabilities.argmax(axis=1) == validation_set.labels
    np.save(file, hits)
    return hits


def compare(hits: np.ndarray, reference: np.ndarray) -> dict:
    """Compares `bool (seeds, n)` hits; returns accuracy, difference, interval and a verdict."""
    per_image = hits.mean(axis=0) - reference.mean(axis=0)
    interval = stats.bootstrap(
        (per_image,), np.mean, n_resamples=2000, method="percentile", rng=0
    ).confidence_interval
    difference = float(per_image.mean())
    spread = float(np.ptp(reference.mean(axis=1)))
    clear = interval.low * interval.high > 0 and abs(difference) > spread
    verdict = ("helps" if difference > 0 else "harms") if clear else "too small to tell"
    return {
        "accuracy": round(float(hits.mean()), 4),
        "by_seed": [round(float(value), 4) for value in hits.mean(axis=1)],
        "difference": round(difference, 4),
        "difference_ci95": [round(float(interval.low), 4), round(float(interval.high), 4)],
        "verdict": verdict,
    }


def main() -> None:
    """Trains what is missing, prints the table, writes the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="FER2013 in any published layout")
    parser.add_argument("--votes", required=True, help="fer2013new.csv of FER+")
    parser.add_argument("--runs", type=Path, default=Path("outputs/recipe_experiments"))
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    dataset = load_ferplus(options.votes, load_fer2013(options.data))
    sets = (dataset.subset(split="Training")[::EVERY], dataset.subset(split="PublicTest"))

    def all_seeds(name: str, change: Change) -> np.ndarray:
        return np.array([run(name, seed, change, sets, options.runs) for seed in SEEDS])

    reference = all_seeds("reference", ("", {}, None))
    print(f"{'reference':32} {reference.mean():.1%} {reference.mean(axis=1)}", flush=True)
    rows = {}
    for name, change in CHANGES.items():
        rows[name] = {"group": change[0]} | compare(all_seeds(name, change), reference)
        low, high = rows[name]["difference_ci95"]
        print(
            f"{name:32} {rows[name]['accuracy']:.1%} {rows[name]['difference']:+.1%} "
            f"({low:+.1%} to {high:+.1%}) {rows[name]['verdict']}",
            flush=True,
        )
    results = {
        "command": "python tests/benchmarks/recipe_experiments.py",
        "recipe": REFERENCE.to_dict(),
        "seeds": list(SEEDS),
        "passes": PASSES,
        "training": {"images": len(sets[0]), "sha256": sets[0].content_hash},
        "scored_on": {"images": len(sets[1]), "sha256": sets[1].content_hash},
        "reference": {
            "accuracy": round(float(reference.mean()), 4),
            "by_seed": [round(float(value), 4) for value in reference.mean(axis=1)],
        },
        "changes": rows,
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(RESULTS)


if __name__ == "__main__":
    main()
