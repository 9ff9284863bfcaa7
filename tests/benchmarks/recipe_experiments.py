"""Which parts of the recipe help: paired trainings of the `tiny` network on FER2013.

    python tests/benchmarks/recipe_experiments.py fer2013.csv --votes fer2013new.csv
    python tests/benchmarks/recipe_experiments.py fer2013.csv --votes fer2013new.csv --long

The first command makes short trainings: every fourth Training image, six passes, two seeds, half an
hour on two quiet cores. The second makes long ones: all of Training, 30 epochs, three seeds, a
quarter of an hour for each training. Each change is trained with the same seeds, on the same
images, for as many steps as the reference, and compared on PublicTest, which nothing is selected
on: the difference of the accuracies, with a 95 % bootstrap interval over the images. A difference
counts only where the interval leaves out zero and the difference exceeds what another seed makes of
the reference, or a point where there is one seed. The results file is written after each training,
with its hits, and what it holds is not trained again; `--only` names the changes to train now.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

from fer_lib import alignment, files, training
from fer_lib.datasets import FaceDataset, load_fer2013, load_ferplus

SAVED_MODELS = Path(__file__).resolve().parents[2] / "saved_models"
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


# The change names what is left of the augmentation, and, below, what is added to the recipe.
_MIRRORED = NO_AUGMENTATION | {"flip_rate": 0.5}
_GEOMETRIC = _MIRRORED | {"rotation": 10.0, "zoom": (0.88, 1.14), "shift": 0.08}
LONG_CHANGES: dict[str, Change] = {
    "no augmentation": ("augmentation", {"augmentation": NO_AUGMENTATION}, None),
    "mirroring alone": ("augmentation", {"augmentation": _MIRRORED}, None),
    "mirroring, rotation, zoom, shift": ("augmentation", {"augmentation": _GEOMETRIC}, None),
    "without label smoothing": ("recipe", {"label_smoothing": 0.0}, None),
    "without averaged weights": ("recipe", {"average_decay": 0.0}, None),
    "with dropout (0.4)": ("recipe", {"dropout_rate": 0.4}, None),
    "with the FER+ head (0.3)": ("recipe", {"votes": 0.3}, None),
    "with distillation (0.7)": ("recipe", {"distillation": 0.7, "teacher": "cnn_fer2013"}, None),
}


@dataclasses.dataclass(frozen=True)
class Design:
    """Trainings that are compared with each other.

    Attributes:
        file: Where the results are.
        options: What the command line says to choose it.
        reference: The recipe that each change starts from.
        changes: The changes by name.
        seeds: Each is trained with all of them.
        every: 4 uses every fourth Training image, 1 all of them.
        passes: So often is each of them seen.
    """

    file: Path
    options: str
    reference: training.TrainingConfig
    changes: dict[str, Change]
    seeds: tuple[int, ...]
    every: int
    passes: int


# The short ones see the images of all passes in one epoch, so that PublicTest is predicted once.
SHORT = Design(SAVED_MODELS / "recipe_experiments.json", "", REFERENCE, CHANGES, (0, 1), 4, 6)
LONG = Design(
    SAVED_MODELS / "recipe_long_experiments.json",
    " --long",
    REFERENCE.replace(epochs=30, warmup_epochs=2.0, average_decay=0.998, keep="last"),
    LONG_CHANGES,
    (0, 1, 2),
    1,
    30,
)


def train_once(
    config: training.TrainingConfig,
    change: Change,
    sets: tuple[FaceDataset, FaceDataset],
    passes: int,
) -> np.ndarray:
    """Trains a change of the recipe; returns PublicTest's `bool (n,)` hits."""
    train_set, validation_set = sets
    _, changes, change_images = change
    if change_images is not None:
        train_set = dataclasses.replace(train_set, images=change_images(train_set.images))
    train_set = train_set[np.tile(np.arange(len(train_set)), passes // config.epochs)]
    with tempfile.TemporaryDirectory() as folder:
        config = config.replace(**changes)
        network, _ = training.fit(config, train_set, validation_set, folder, progress=False)
    probabilities = network.predict(validation_set.images, batch_size=256, verbose=0)
    return probabilities.argmax(axis=1) == validation_set.labels


def pack(hits: np.ndarray) -> str:
    """Returns `bool (n,)` as text, eight values a byte."""
    return base64.b64encode(np.packbits(hits)).decode()


def unpack(text: str, count: int) -> np.ndarray:
    """Returns what `pack` was given."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=count).astype(bool)


def compare(hits: np.ndarray, reference: np.ndarray) -> dict:
    """Compares `bool (seeds, n)` hits; returns accuracy, difference, interval and a verdict."""
    per_image = hits.mean(axis=0) - reference.mean(axis=0)
    interval = stats.bootstrap(
        (per_image,), np.mean, n_resamples=2000, method="percentile", rng=0
    ).confidence_interval
    difference = float(per_image.mean())
    spread = float(np.ptp(reference.mean(axis=1))) if len(reference) > 1 else 0.01
    clear = interval.low * interval.high > 0 and abs(difference) > spread
    verdict = ("helps" if difference > 0 else "harms") if clear else "too small to tell"
    return {
        "accuracy": round(float(hits.mean()), 4),
        "by_seed": [round(float(value), 4) for value in hits.mean(axis=1)],
        "difference": round(difference, 4),
        "difference_ci95": [round(float(interval.low), 4), round(float(interval.high), 4)],
        "verdict": verdict,
    }


def tabulate(design: Design, hits: dict[str, dict[str, str]], count: int) -> dict:
    """Returns the reference and the rows of all changes that have a seed in common with it."""

    def of(name: str, seeds: list[str]) -> np.ndarray:
        return np.array([unpack(hits[name][seed], count) for seed in seeds])

    reference = of("reference", sorted(hits["reference"]))
    rows = {}
    for name, change in design.changes.items():
        if seeds := sorted(set(hits.get(name, {})) & set(hits["reference"])):
            row = compare(of(name, seeds), of("reference", seeds))
            rows[name] = {"group": change[0], "seeds": list(map(int, seeds))} | row
    return {
        "reference": {
            "accuracy": round(float(reference.mean()), 4),
            "by_seed": [round(float(value), 4) for value in reference.mean(axis=1)],
        },
        "changes": rows,
    }


def main(arguments: list[str] | None = None) -> None:
    """Trains what is missing, prints the table, writes the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="FER2013 in any published layout")
    parser.add_argument("--votes", required=True, help="fer2013new.csv of FER+")
    parser.add_argument("--long", action="store_true", help="all images, 30 epochs, three seeds")
    parser.add_argument("--only", nargs="+", help="train these changes and the reference alone")
    parser.add_argument("--seeds", nargs="+", type=int, help="train these seeds alone")
    options = parser.parse_args(arguments)
    design = LONG if options.long else SHORT
    if unknown := set(options.only or ()) - set(design.changes):
        parser.error(f"Expected changes among {list(design.changes)}. Received: {sorted(unknown)}")
    if unknown := set(options.seeds or ()) - set(design.seeds):
        parser.error(f"Expected seeds among {design.seeds}. Received: {sorted(unknown)}")
    dataset = load_ferplus(options.votes, load_fer2013(options.data))
    sets = (dataset.subset(split="Training")[:: design.every], dataset.subset(split="PublicTest"))
    facts = {
        "command": f"python tests/benchmarks/recipe_experiments.py{design.options}",
        "recipe": design.reference.to_dict(),
        "seeds": list(design.seeds),
        "passes": design.passes,
        "training": {"images": len(sets[0]), "sha256": sets[0].content_hash},
        "scored_on": {"images": len(sets[1]), "sha256": sets[1].content_hash},
    }
    stored = json.loads(design.file.read_text("utf-8")) if design.file.is_file() else {}
    continued = ("recipe", "training", "scored_on")
    if stored and ("hits" not in stored or any(stored[key] != facts[key] for key in continued)):
        parser.error(
            f"Expected results of these trainings in {design.file}. Received: others, which cannot "
            "be continued; move the file away to train anew."
        )
    hits = stored.get("hits", {})
    wanted = {"reference": ("", {}, None)} | design.changes
    for seed in options.seeds or design.seeds:
        for name, change in wanted.items():
            skipped = options.only and name not in ("reference", *options.only)
            if skipped or str(seed) in hits.get(name, {}):
                continue
            config = design.reference.replace(seed=seed)
            found = train_once(config, change, sets, design.passes)
            hits.setdefault(name, {})[str(seed)] = pack(found)
            results = facts | tabulate(design, hits, len(sets[1])) | {"hits": hits}
            files.write_text(design.file, json.dumps(results, indent=1) + "\n")
            print(f"{name:34} seed {seed} {found.mean():.1%}", flush=True)
    for name, row in tabulate(design, hits, len(sets[1]))["changes"].items():
        low, high = row["difference_ci95"]
        print(
            f"{name:34} {row['accuracy']:.1%} {row['difference']:+.1%} "
            f"({low:+.1%} to {high:+.1%}) {row['verdict']}"
        )
    print(design.file)


if __name__ == "__main__":
    main()
