"""`augment`: augmented copies of pictures, to look at or to train on elsewhere."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="a picture, or a folder of them")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR")
    parser.add_argument("--copies", type=int, default=4, help="copies of each picture")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> int:
    import numpy as np

    from fer_lib.augmentation import build_augmenter
    from fer_lib.images import find_images, read_image, write_image

    if arguments.copies < 1:
        raise ValueError(f"Expected --copies of at least 1. Received: {arguments.copies}")
    root = Path(arguments.path)
    files = find_images(root)
    if not files:
        raise FileNotFoundError(f"Expected pictures in {root}. Received: a folder without any.")
    augmenter = build_augmenter(seed=arguments.seed)
    failures = 0
    for file in files:
        try:
            image = read_image(file)
        except (OSError, ValueError) as error:
            print(f"fer_lib augment: {file}: {error}", file=sys.stderr)
            failures += 1
            continue
        batch = np.repeat(image[np.newaxis].astype(np.float32), arguments.copies, axis=0)
        copies = np.asarray(augmenter(batch, training=True)).round().clip(0, 255).astype(np.uint8)
        # Class-named folders stay as they are, so that the copies can be trained on.
        inner = file.relative_to(root) if root.is_dir() else Path(file.name)
        for index, copy in enumerate(copies):
            target = arguments.output / inner.with_name(f"{inner.stem}_augmented_{index}.png")
            target.parent.mkdir(parents=True, exist_ok=True)
            write_image(target, copy)
    print(f"{(len(files) - failures) * arguments.copies} pictures in {arguments.output}")
    return 1 if failures else 0
