"""`webcam`: the webcam in a window, with the faces' expressions."""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_lib.cli.arguments import add_recognizer, make_recognizer
from fer_lib.paths import DEFAULT_STREAM_MODEL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add, text = parser.add_argument, "a camera's number, a stream's address or a video file"
    add("--camera", default="0", help=text)
    add_recognizer(parser, model=DEFAULT_STREAM_MODEL)
    add("--output", type=Path, default=Path("outputs"), metavar="DIR", help="for saved images")


def run(arguments: argparse.Namespace) -> int:
    from fer_lib.webcam import run_webcam
    from fer_lib.webcam.window import check_display

    check_display()  # before the seconds that the networks take
    camera = int(arguments.camera) if arguments.camera.isdecimal() else arguments.camera
    table = run_webcam(camera, make_recognizer(arguments), output=arguments.output)
    frames = table["frame"].nunique()
    seconds = table["time_s"].iloc[-1] - table["time_s"].iloc[0] if frames else 0.0
    print(f"{frames} frames in {seconds:.1f} s")
    return 0
