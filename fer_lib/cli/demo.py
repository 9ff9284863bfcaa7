"""`demo`: two real photographs that come with the libraries, recognized and drawn."""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_lib.cli.arguments import add_recognizer, make_recognizer, save_figure
from fer_lib.cli.predict import print_face


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recognizer(parser)
    parser.add_argument("--output", type=Path, default=Path("outputs"), metavar="DIR")


def run(arguments: argparse.Namespace) -> int:
    from matplotlib import cbook, pyplot
    from skimage.data import astronaut

    from fer_lib.images import read_image
    from fer_lib.plotting import plot_predictions

    arguments.output.mkdir(parents=True, exist_ok=True)
    hopper = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    photographs = {
        "Eileen Collins (NASA, public domain)": astronaut(),
        "Grace Hopper (US Navy, public domain)": read_image(hopper),
    }
    recognizer = make_recognizer(arguments)
    figure = pyplot.figure(figsize=(8, 8.4), layout="constrained")
    axes = figure.subplots(len(photographs), 2, width_ratios=(3, 2))
    for (ax, bars_ax), (name, image) in zip(axes, photographs.items(), strict=True):
        faces = recognizer.predict(image)
        plot_predictions(image, faces, ax=ax, bars_ax=bars_ax)
        bars_ax.set_box_aspect(1)
        print(name)
        for face in faces:
            print_face(face.to_dict())
    path = arguments.output / "demo.png"
    save_figure(figure, path)
    print(f"The annotated photographs are in {path}. Open the notebooks with: make lab")
    return 0
