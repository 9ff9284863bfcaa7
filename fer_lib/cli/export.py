"""`export`: a trained model to a file for other runtimes, checked against Keras."""

from __future__ import annotations

import argparse
from pathlib import Path

# So many drawn faces have to get the same probabilities from the file as from Keras.
_CHECKED_PER_CLASS = 20
_LARGEST_DIFFERENCE = 1e-4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="cnn", help="a shipped model's name, or a model folder")
    parser.add_argument("--format", default="onnx", choices=("onnx", "litert"))
    parser.add_argument("--output", type=Path, help="the file; by default named after the model")


def run(arguments: argparse.Namespace) -> int:
    import numpy as np

    from fer_lib import export
    from fer_lib.pretrained import load_pretrained
    from fer_lib.synthetic import make_faces

    trained = load_pretrained(arguments.model)
    ending = export.FORMATS[arguments.format][0]
    path = arguments.output or Path(f"{trained.name}{ending}")
    export.export_model(trained, path, arguments.format)
    height = trained.image_shape[0]
    faces = make_faces(_CHECKED_PER_CLASS, image_size=height, class_names=("happy",)).images
    difference = float(np.abs(export.open_exported(path)(faces) - trained.predict(faces)).max())
    if difference > _LARGEST_DIFFERENCE:
        raise ValueError(
            f"Expected the probabilities of Keras from {path}, to {_LARGEST_DIFFERENCE}. "
            f"Received: a difference of {difference:.2g}; please report it with `info`"
        )
    print(
        f"{path}: {path.stat().st_size / 1e6:.1f} MB; the same probabilities as Keras on "
        f"{len(faces)} drawn faces (largest difference {difference:.1g})"
    )
    return 0
