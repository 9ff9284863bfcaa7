"""What a network loses and gains in 8 bits: accuracy, difference from Keras and time, in one run.

    python tests/benchmarks/quantization.py fer2013.csv fer2013new.csv [--model cnn_tiny]

Accuracy is by what people see, on the faces of PublicTest with a clear majority of FER+ votes: as
they are, and with a fifth of their contrast. LiteRT runs on one core, Keras on all. The last column
is what Keras exports with all layers in 8 bits, among them the one that normalizes each image.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from speed import measure

from fer_lib import export
from fer_lib.datasets import load_fer2013, load_ferplus
from fer_lib.pretrained import Pretrained, load_pretrained
from fer_lib.synthetic import make_faces


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="FER2013 in any published layout")
    parser.add_argument("votes", help="the votes of FER+, fer2013new.csv")
    parser.add_argument("--model", default="cnn_tiny", help="a shipped model's name, or a folder")
    parser.add_argument("--repeats", type=int, default=100, help="timed calls of each kind")
    options = parser.parse_args()
    dataset = load_fer2013(options.data, splits="PublicTest")
    dataset = load_ferplus(options.votes, dataset, labels="votes")
    trained = load_pretrained(options.model)
    predictors, sizes = {"Keras": trained.predict}, {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder, f"{name}.tflite") for name in ("LiteRT", "int8", "all int8")}
        export.export_model(trained, paths["LiteRT"], "litert")
        export.export_model(trained, paths["int8"], "litert", int8=True)
        export_all_int8(trained, paths["all int8"])
        for name, path in paths.items():
            predictors[name], sizes[name] = export.open_exported(path), path.stat().st_size
    faces = dataset.images.astype(np.float32)
    parts = {"": faces, ", low contrast": np.round(100 + faces / 5)}
    expected = {part: trained.predict(images) for part, images in parts.items()}
    rows = {}
    for name, predict in predictors.items():
        rows[name] = row = {"kB": sizes.get(name, np.nan) / 1000}
        for part, images in parts.items():
            found = predict(images)
            row[f"accuracy{part}"] = (found.argmax(axis=1) == dataset.labels).mean()
            row[f"largest difference{part}"] = np.abs(found - expected[part]).max()
        for count in (1, 64):
            call = lambda predict=predict, count=count: predict(faces[:count])  # noqa: E731
            row[f"ms for {count}"] = measure(name, call, options.repeats)["median_ms"]
    print(pd.DataFrame(rows).round(4).to_string())
    seeds = "seeds 0 (calibration) and 1 (parity)"
    print(f"{trained.name}, {len(dataset):,} faces, {seeds}, sha256 {dataset.content_hash}")


def export_all_int8(trained: Pretrained, path: Path) -> None:
    """Exports a model as Keras does with the settings of TensorFlow's guide to int8."""
    faces = make_faces(43).images.astype(np.float32)
    trained.model.export(
        str(path),
        format="litert",
        verbose=False,
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=lambda: ([face[None]] for face in faces),
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
    )


if __name__ == "__main__":
    main()
