"""`video`: a film, a folder of frames or a live address, to a table and an annotated film."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from fer_lib.cli.predict import add_recognizer_arguments
from fer_lib.paths import DEFAULT_STREAM_MODEL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="SOURCE", help="a video file, a folder of frames, or an address"
    )
    parser.add_argument("--csv", type=Path, required=True, metavar="OUT", help="the table to write")
    parser.add_argument(
        "--annotate", type=Path, metavar="OUT.mp4", help="write the video with boxes and labels"
    )
    parser.add_argument("--plot", type=Path, metavar="OUT.png", help="write the timeline")
    add_recognizer_arguments(parser, model=DEFAULT_STREAM_MODEL)
    parser.add_argument(
        "--detect-every",
        type=int,
        default=10,
        metavar="N",
        help="detect faces in every N-th frame and track them in between (default: 10)",
    )
    parser.add_argument(
        "--fps", type=float, default=30.0, help="pictures a second of a folder (default: 30)"
    )


def run(arguments: argparse.Namespace) -> int:
    from fer_lib.detection import FaceDetector
    from fer_lib.recognition import EmotionRecognizer
    from fer_lib.video import analyze_video

    detector = FaceDetector(arguments.detector, min_face_size=arguments.min_face_size)
    recognizer = EmotionRecognizer(arguments.model, detector)
    with warnings.catch_warnings():
        # They are said in words of this verb's own below.
        warnings.filterwarnings("ignore", "Interrupted|.*damaged or cut off")
        table = analyze_video(
            arguments.source,
            recognizer,
            csv=arguments.csv,
            annotate=arguments.annotate,
            detect_every=arguments.detect_every,
            fps=arguments.fps,
            progress=sys.stderr.isatty(),
        )
    facts = table.attrs
    if facts["lost_frames"]:
        print(
            f"fer_lib video: {facts['lost_frames']} frames are damaged or cut off and are left out",
            file=sys.stderr,
        )
    if facts["frames"] and arguments.plot is not None:
        _save_timeline(table, arguments.plot)
    _print_summary(table, arguments)
    if facts["interrupted"]:
        print("fer_lib video: interrupted; what was read until then is kept", file=sys.stderr)
        return 130
    return 0


def _save_timeline(table, target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")  # Files only: a window needs a screen, which a server has not.
    from matplotlib import pyplot

    from fer_lib.plotting import plot_timeline

    figure = plot_timeline(table)[0].figure
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    pyplot.close(figure)


def _print_summary(table, arguments: argparse.Namespace) -> None:
    frames = table.attrs["frames"]
    faces = table.dropna(subset="face_id").groupby("face_id")
    count = f"{len(faces) or 'no'} face{'' if len(faces) == 1 else 's'}"
    print(f"{arguments.source}: {frames} frames, {count}")
    means = faces[table.attrs["class_names"]].mean()
    for face_id, seen in faces.size().items():
        ranked = means.loc[face_id].sort_values(ascending=False)
        shares = "  ".join(f"{emotion} {value:.2f}" for emotion, value in ranked.items())
        print(f"  face {face_id}, in {seen} frames: {shares}")
    outputs = [arguments.csv, arguments.annotate, arguments.plot]
    print("Written: " + ", ".join(str(path) for path in outputs if path is not None))
