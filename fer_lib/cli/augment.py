"""`augment`: augmented copies of images, to look at or to train on elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_lib.cli import streams
from fer_lib.cli.arguments import number
from fer_lib.errors import one_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", type=Path, help="an image, or a folder of them")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR")
    parser.add_argument("--copies", type=number(1, 1000), default=4, help="copies of each image")
    parser.add_argument("--seed", type=number(0, 2**32 - 1), default=0)


def run(arguments: argparse.Namespace) -> int:
    import keras

    from fer_lib.augmentation import build_augmenter
    from fer_lib.images import find_images, read_image, write_image

    root = arguments.path.expanduser()
    files = find_images(root)
    if not files:
        raise FileNotFoundError(f"Expected images in {root}. Received: a folder without any.")
    augmenter = build_augmenter(seed=arguments.seed)
    failures = 0
    for file in files:
        # Class-named folders stay as they are, so that the copies can be trained on.
        inner = file.relative_to(root) if root.is_dir() else Path(file.name)
        try:
            batch = read_image(file)[None].astype("float32")
            for index in range(arguments.copies):
                copy = keras.ops.convert_to_numpy(augmenter(batch, training=True))[0]
                target = inner.with_name(f"{inner.stem}_augmented_{index}.png")
                write_image(arguments.output / target, copy.round().clip(0, 255).astype("uint8"))
        except Exception as error:  # one image never costs the others
            streams.report("augment", f"{file}: {one_line(error)}")
            failures += 1
    print(f"{(len(files) - failures) * arguments.copies} images in {arguments.output}")
    return 1 if failures else 0
