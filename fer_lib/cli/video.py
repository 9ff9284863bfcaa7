"""`video`: a video, a folder of frames or a live address, to a table and an annotated video."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from fer_lib.cli import streams
from fer_lib.cli.arguments import (
    add_engine,
    add_recognizer,
    check_outputs,
    make_recognizer,
    number,
    save_figure,
)
from fer_lib.paths import DEFAULT_STREAM_MODEL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    text = "a video, a folder of videos or of frames, an address, or a camera's number"
    add("source", metavar="SOURCE", help=text)
    text = "the table to write; the folder of the tables where the source is a folder of videos"
    add("--csv", type=Path, required=True, metavar="OUT", help=text)
    add("--annotate", type=Path, metavar="OUT.mp4", help="write the video with boxes and labels")
    add("--plot", type=Path, metavar="OUT.png", help="write the timeline")
    add_recognizer(parser, model=DEFAULT_STREAM_MODEL)
    text = "detect faces in every N-th frame and track them in between (default: 10)"
    add("--detect-every", type=number(1, 10**6), default=10, metavar="N", help=text)
    text = "frames per second of a folder (default: 30)"
    add("--fps", type=number(0.01, 1000, float), default=30.0, help=text)
    add_engine(parser)


def run(arguments: argparse.Namespace) -> int:
    from fer_lib.batch import is_video
    from fer_lib.images import find_images
    from fer_lib.plotting import plot_timeline
    from fer_lib.video import analyze_video

    source = Path(arguments.source)
    is_camera = arguments.source.isdecimal() and not source.exists()
    outputs = {name: getattr(arguments, name) for name in ("csv", "annotate", "plot")}
    other: list[Path] = []
    inputs = find_images(source, other) if source.is_dir() else [source]
    videos = list(filter(is_video, other))
    if videos:
        return _run_folder(arguments, videos)
    if arguments.resume or arguments.engine != "local":
        raise ValueError("Expected a folder of videos with --resume and --engine. Received: none")
    check_outputs(inputs, **outputs)
    with warnings.catch_warnings():
        # They are said in words of this subcommand's own below.
        warnings.filterwarnings("ignore", "Interrupted|.*damaged or cut off")
        table = analyze_video(
            int(arguments.source) if is_camera else arguments.source,
            make_recognizer(arguments),
            csv_path=arguments.csv,
            annotate=arguments.annotate,
            detect_every=arguments.detect_every,
            fps=arguments.fps,
            progress=sys.stderr.isatty(),
        )
    facts = table.attrs
    if facts["lost_frames"]:
        lost = f"{facts['lost_frames']} frames are damaged or cut off and are left out"
        streams.report("video", lost)
    if facts["frames"] and arguments.plot is not None:
        save_figure(plot_timeline(table)[0].figure, arguments.plot)
    _print_summary(table, arguments.source)
    print("Written: " + ", ".join(str(path) for path in outputs.values() if path is not None))
    if facts["interrupted"]:
        streams.report("video", "interrupted; what was read until then is kept")
        return 130
    return 0


def _run_folder(arguments: argparse.Namespace, videos: list[Path]) -> int:
    """Writes a table for each video of a folder, and a line for each as it is done."""
    import pandas as pd

    from fer_lib import batch

    if arguments.annotate or arguments.plot:
        raise ValueError("Expected a single video with --annotate and --plot. Received: a folder")
    options = {"detect_every": arguments.detect_every}
    of_recognizer = (arguments.model, arguments.detector, arguments.min_face_size)
    # Absolute, since the workers of a cluster run in folders of their own.
    videos = [video.absolute() for video in videos]
    folder, output = Path(arguments.source).absolute(), arguments.csv.absolute()
    tables = batch.VideoTables(folder, output, of_recognizer, options)
    if arguments.resume:
        videos = [video for video in videos if not tables.target(video).exists()]
    names, failures = list(map(str, videos)), 0
    rows = batch.make_batches(names, tables, batch_size=1)
    if arguments.engine == "ray":
        where = arguments.workers, arguments.address
        rows = batch.make_batches_on_ray(names, tables, *where, batch_size=1)
    for done in rows:
        for row in done.itertuples():
            if pd.notna(row.frames):
                print(f"{row.path}: {row.frames} frames, {row.faces} faces", flush=True)
            else:
                failures += 1
            if pd.notna(row.error):
                streams.report("video", f"{row.path}: {row.error}")
    print(f"Written: {len(names) - failures} of {len(names)} tables, in {arguments.csv}")
    return 1 if failures else 0


def _print_summary(table, source: str) -> None:
    faces = table.dropna(subset="face_id").groupby("face_id")
    count = f"{len(faces) or 'no'} face{'' if len(faces) == 1 else 's'}"
    print(f"{source}: {table.attrs['frames']} frames, {count}")
    means = faces[table.attrs["class_names"]].mean()
    for face_id, seen in faces.size().items():
        ranked = means.loc[face_id].sort_values(ascending=False)
        shares = "  ".join(f"{emotion} {value:.2f}" for emotion, value in ranked.items())
        print(f"  face {face_id}, in {seen} frames: {shares}")
