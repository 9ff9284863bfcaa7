"""Write datasets/AUGMENTATION.md and its image from the stored experiments (`--check`: compare).

    python tests/tools/write_augmentation_guide.py

The figures come from `saved_models/recipe_experiments.json` and `recipe_long_experiments.json`,
which `tests/benchmarks/recipe_experiments.py` writes; the faces of the image are synthetic.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "saved_models" / "recipe_experiments.json"
LONG_RESULTS = RESULTS.with_name("recipe_long_experiments.json")
GUIDE = ROOT / "datasets" / "AUGMENTATION.md"
IMAGE = ROOT / "datasets" / "augmentation.png"

TEMPLATE = Path(__file__).with_name("augmentation_guide.md")


def make_guide(results: dict, long: dict) -> str:
    """Returns the guide's text."""
    images, seeds = results["training"]["images"], results["seeds"]
    reference = results["reference"]
    setting = (
        f"The `tiny` network, {results['passes']} passes over {images:,} Training "
        f"images of FER2013 (every fourth), {len(seeds)} seeds, scored on PublicTest. The "
        f"reference has all of the usual augmentation (mirroring, 10 degrees, zoom 0.88 to 1.14, "
        f"shift 8%, contrast 0.2, brightness 0.1, erasing 0.2) and reaches "
        f"{reference['accuracy']:.1%} ({' and '.join(f'{v:.1%}' for v in reference['by_seed'])}). "
        "Differences are to the same seeds, with 95% bootstrap intervals over the images; one "
        "counts where the interval leaves out zero and the difference exceeds what another seed "
        f"makes of the reference. `{results['command']}` prints it."
    )
    long_setting = (
        f"All {long['training']['images']:,} Training images, {long['passes']} epochs: with all of "
        f"the usual augmentation `tiny` reaches {long['reference']['accuracy']:.1%}. Each change "
        "names what is left of the augmentation, or what is added to the recipe. With one seed a "
        f"difference counts from a point on. `{long['command']}` prints it, and trains what is not "
        "in the table yet."
    )
    return TEMPLATE.read_text(encoding="utf-8").format(
        setting=setting,
        long_setting=long_setting,
        long_table=_table(long),
        table=_table(results, "augmentation"),
        summary=_summary(results, "augmentation"),
        recipe_table=_table(results, "recipe"),
        recipe_summary=_summary(results, "recipe"),
    )


def _table(results: dict, group: str | None = None) -> str:
    lines = [
        "| change | seeds | accuracy | difference in points | verdict |",
        "|---|---|---|---|---|",
    ]
    for name, row in results["changes"].items():
        if group in (None, row["group"]):
            low, high = (100 * end for end in row["difference_ci95"])
            lines.append(
                f"| {name} | {len(row['by_seed'])} | {row['accuracy']:.1%} "
                f"| {100 * row['difference']:+.1f} ({low:+.1f} to {high:+.1f}) | {row['verdict']} |"
            )
    return "\n".join(lines)


def _summary(results: dict, group: str) -> str:
    said = {"helps": [], "harms": [], "too small to tell": []}
    for name, row in results["changes"].items():
        if row["group"] == group:
            said[row["verdict"]].append(name)
    sentences = []
    for verdict, start in (
        ("helps", "Helped in this training"),
        ("harms", "Harmed"),
        ("too small to tell", "Too small to tell, either way"),
    ):
        if said[verdict]:
            sentences.append(f"{start}: {'; '.join(said[verdict])}.")
    return "\n".join(sentences)


def draw_image(path: Path) -> None:
    """Draws one face under each transformation."""
    import keras
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    import fer_lib

    keras.utils.set_random_seed(0)
    smile, other = (
        fer_lib.draw_face({"emotion": name, "intensity": 1.0}, image_size=96, color=False)
        for name in ("happy", "sad")
    )
    still = {
        "flip_rate": 0.0, "rotation": 0.0, "zoom": (1.0, 1.0), "shift": 0.0, "contrast": 0.0,
        "brightness": 0.0, "erasing_rate": 0.0,
    }  # fmt: skip

    def augmented(**changes: object) -> np.ndarray:
        augmenter = fer_lib.build_augmenter(**(still | changes), seed=5)
        return keras.ops.convert_to_numpy(augmenter(smile[None].astype("float32"), training=True))[
            0
        ]

    mouthless = smile.copy()
    mouthless[62:90, 24:72] = 128
    cells = [
        ("unchanged", smile),
        ("mirrored", smile[:, ::-1]),
        ("rotated", augmented(rotation=15.0)),
        ("zoomed, shifted", augmented(zoom=(0.8, 0.8), shift=0.08)),
        ("contrast, brightness", augmented(contrast=0.5, brightness=0.2)),
        ("random erasing", augmented(erasing_rate=1.0)),
        ("mixup", 0.6 * smile + 0.4 * other),
        ("strong shear", augmented(shear=40.0)),
        ("vertical flip", smile[::-1]),
        ("mouth erased", mouthless),
    ]
    figure, axes = plt.subplots(2, 5, figsize=(9, 4.2), layout="constrained")
    for ax, (title, image) in zip(axes.flat, cells, strict=True):
        ax.imshow(np.clip(image[..., 0], 0, 255), cmap="gray", vmin=0, vmax=255)
        ax.set_title(title, fontsize=10)
        ax.axis("off")
    figure.savefig(path, dpi=90)


def main(arguments: list[str]) -> int:
    """Writes or checks the guide; returns the exit status."""
    text = make_guide(*(json.loads(f.read_text(encoding="utf-8")) for f in (RESULTS, LONG_RESULTS)))
    if "--check" in arguments:
        return int(GUIDE.read_text(encoding="utf-8") != text)
    GUIDE.write_text(text, encoding="utf-8")
    draw_image(IMAGE)
    print(GUIDE, IMAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
