"""Does transfer help? FER2013 from few and many labeled images, with and without pretraining.

    python tests/benchmarks/transfer.py fer2013.csv --resnet50 resnet50_synthetic

The start is the `tiny` network trained on synthetic faces. It is then tuned on 1 %, 10 % and all
of the Training images (a stratified draw): from scratch, with frozen features (only the head
learns), and as a whole; each for the same number of steps. Scored on PublicTest, the last epoch;
three draws of 1 %, two of 10 %. `--resnet50` names the folder of a ResNet50 trained on drawn
faces by `train --data synthetic --recipe resnet50_synthetic`: what its pretraining is worth after
one pass over 30 % of the images by the recipe of `saved_models/resnet50_fer2013`. Writes
`saved_models/transfer_experiments.json`; runs that are stored are not repeated. About 20
minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

from fer_lib import pretrained, training
from fer_lib.datasets import FaceDataset, load_fer2013
from fer_lib.evaluation import compare, evaluate
from fer_lib.synthetic import make_faces

RESULTS = Path(__file__).resolve().parents[2] / "saved_models" / "transfer_experiments.json"
# Share of the Training images -> draws. Each training takes about so many steps.
SHARES = {0.01: (0, 1, 2), 0.1: (0, 1), 1.0: (0,)}
STEPS = {0.01: 200, 0.1: 400, 1.0: 900}
# Of the images that the two ResNet50s see, once each: enough to tell them apart.
RESNET50_SHARE = 0.3
BATCH_SIZE = 64
FACES_PER_CLASS = 3000
BASE = training.TrainingConfig(
    variant="tiny",
    batch_size=BATCH_SIZE,
    learning_rate=0.05,
    warmup_epochs=0.0,
    weight_decay=2e-3,
    average_decay=0.99,
    average_warmup=False,
    precision="mixed_bfloat16",
    augmentation={"erasing_rate": 0.2},
)


def pretrain(runs: Path) -> pretrained.Pretrained:
    """Returns the network that has learned synthetic faces, trained once."""
    folder = runs / "synthetic_faces"
    if not (folder / "card.json").is_file():
        config = BASE.replace(epochs=4, warmup_epochs=0.5)
        sets = make_faces(FACES_PER_CLASS, seed=0), make_faces(100, seed=1)
        training.train(
            config, *sets, folder, resume=folder.with_name("synthetic_faces.training").is_dir()
        )
    return pretrained.load_pretrained(folder)


def draw_part(dataset: FaceDataset, share: float, seed: int) -> FaceDataset:
    """Returns a stratified share of a data set."""
    return dataset if share == 1.0 else dataset.split_stratified(share, seed)[1]


def run(
    mode: str,
    share: float,
    seed: int,
    sets: tuple[FaceDataset, FaceDataset],
    start: pretrained.Pretrained,
    runs: Path,
) -> float:
    """Trains once, or reads what was trained before; returns the accuracy on PublicTest."""
    file = runs / f"{mode}.{share}.{seed}.json"
    if file.is_file():
        return json.loads(file.read_text())["accuracy"]
    part = draw_part(sets[0], share, seed)
    # One epoch a training, repeated images: the schedule counts steps, and nothing is selected.
    repeats = max(1, round(STEPS[share] * BATCH_SIZE / len(part)))
    many = part[np.tile(np.arange(len(part)), repeats)]
    config = BASE.replace(epochs=1, seed=seed)
    if mode == "frozen":
        config = config.replace(head_epochs=1, learning_rate=0.5)
    elif mode == "fine-tuned":
        config = config.replace(learning_rate=0.02)
    folder = runs / "current"
    shutil.rmtree(folder, ignore_errors=True)
    network, _ = training.fit(
        config, many, sets[1], folder, progress=False, start=None if mode == "scratch" else start
    )
    probabilities = network.predict(sets[1].images, batch_size=256, verbose=0)
    hits = probabilities.argmax(axis=1) == sets[1].labels
    file.write_text(json.dumps({"accuracy": float(hits.mean()), "images": len(part)}))
    return float(hits.mean())


def compare_resnet50(
    folder: Path, sets: tuple[FaceDataset, FaceDataset], runs: Path
) -> dict[str, object]:
    """Trains ResNet50 by its recipe for one pass, with the pretraining in `folder` and without."""
    part = draw_part(sets[0], RESNET50_SHARE, 0)
    start = pretrained.load_pretrained(folder)
    config = training.load_recipe("resnet50_fer2013").replace(epochs=1)
    reports = {}
    for mode in ("scratch", "fine-tuned"):
        file = runs / f"resnet50.{mode}.npy"
        if not file.is_file():
            current = runs / "current"
            shutil.rmtree(current, ignore_errors=True)
            begin = None if mode == "scratch" else start
            network, _ = training.fit(config, part, sets[1], current, progress=False, start=begin)
            np.save(file, network.predict(sets[1].images, batch_size=256, verbose=0))
        reports[mode] = evaluate(sets[1], np.load(file).astype(np.float64))
    scratch, tuned = reports["scratch"], reports["fine-tuned"]
    [pair] = compare(tuned, scratch, names=("fine-tuned", "scratch")).differences
    print(pair.sentence())
    return {
        "images": len(part),
        "epochs": 1,
        "start_accuracy_on_synthetic_faces": start.card["scores"]["validation"]["accuracy"],
        "scratch": round(scratch.accuracy, 4),
        "fine-tuned": round(tuned.accuracy, 4),
        "difference": round(pair.accuracy, 4),
        "difference_ci95": [round(end, 4) for end in pair.accuracy_ci95],
        "p_value": pair.p_value,
    }


def main() -> None:
    """Trains what is missing, prints the table, writes the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="FER2013 in any published layout")
    parser.add_argument("--runs", type=Path, default=Path("outputs/transfer"))
    parser.add_argument("--resnet50", type=Path, help="one trained on synthetic faces")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    dataset = load_fer2013(options.data)
    sets = (dataset.subset(split="Training"), dataset.subset(split="PublicTest"))
    start = pretrain(options.runs)
    rows = []
    for share, seeds in SHARES.items():
        for mode in ("scratch", "frozen", "fine-tuned"):
            scores = [run(mode, share, seed, sets, start, options.runs) for seed in seeds]
            images = len(draw_part(sets[0], share, 0))
            rows.append(
                {
                    "mode": mode,
                    "share": share,
                    "images": images,
                    "accuracy": round(float(np.mean(scores)), 4),
                    "by_draw": [round(score, 4) for score in scores],
                }
            )
            print(f"{images:6} images, {mode:10} {np.mean(scores):.1%} {scores}", flush=True)
    results = {
        "command": "python tests/benchmarks/transfer.py",
        "start": {
            "data": f"make_faces({FACES_PER_CLASS}, seed=0)",
            "accuracy_on_synthetic_faces": start.card["scores"]["validation"]["accuracy"],
        },
        "recipe": BASE.to_dict(),
        "steps": {str(share): steps for share, steps in STEPS.items()},
        "training_sha256": sets[0].content_hash,
        "scored_on": {"images": len(sets[1]), "sha256": sets[1].content_hash},
        "rows": rows,
    }
    if options.resnet50:
        results["resnet50"] = compare_resnet50(options.resnet50, sets, options.runs)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(RESULTS)


if __name__ == "__main__":
    main()
