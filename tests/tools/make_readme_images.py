"""Makes the README's images of video and webcam, from public-domain faces only.

    python tests/tools/make_readme_images.py [demo] [frame] [timeline] [widget]

`demo.png`: what `make demo` draws. `frame.png`: a frame as `annotate_frame` draws it.
`timeline.png`: `plot_timeline` of a video of two photographs. `widget.png`: `WebcamWidget` in
JupyterLab; needs Chromium. Without a name all four.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

import camera_clip
import clips
import jupyter_browser
import matplotlib
import matplotlib.cbook
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import skimage.data
from PIL import Image, ImageColor, ImageFilter

from fer_lib import EMOTIONS, EmotionRecognizer, analyze_video, cli
from fer_lib.images import read_image
from fer_lib.labels import EMOTION_COLORS
from fer_lib.paths import DEFAULT_STREAM_MODEL
from fer_lib.plotting import plot_timeline
from fer_lib.video import annotate_frame

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "images"  # Jupyter shows no hidden one
MAX_BYTES = 300_000
SIDE, RATE, SECONDS = 384, 12, 12
# Of each photograph: from when to when it is there, and when it is out of focus, in seconds.
SCENES = (
    (((0, 5), (5.8, 10)), (2, 3)),
    (((2.5, 12),), (8, 9.5)),
)


def make_demo() -> Image.Image:
    """Returns what `make demo` draws."""
    with tempfile.TemporaryDirectory() as folder:
        cli.main(["demo", "--output", folder])
        return Image.open(Path(folder, "demo.png")).convert("RGB")


def make_frame() -> Image.Image:
    """Returns two photographs side by side in one frame, annotated."""
    astronaut, admiral = _photographs()
    frame = np.concatenate([astronaut, admiral], axis=1)
    alone = np.concatenate([astronaut, np.full_like(admiral, 150)], axis=1)
    with EmotionRecognizer(DEFAULT_STREAM_MODEL).start_stream(
        background=False, detect_every=1
    ) as stream:
        stream.update(alone, 0.0)  # comes first, so she has the number that she has in the timeline
        return Image.fromarray(annotate_frame(frame, stream.update(frame, 1.0)))


def make_timeline() -> Image.Image:
    """Returns the timeline of a video of both photographs, which come and go."""
    with tempfile.TemporaryDirectory() as folder:
        video = clips.write_clip(Path(folder, "video.mp4"), _make_video(), rate=RATE)
        table = analyze_video(video, progress=False)
    axes = plot_timeline(table)
    file = io.BytesIO()
    axes[0].figure.savefig(file, dpi=110)
    plt.close(axes[0].figure)
    return Image.open(file).convert("RGB")


def _photographs() -> list[np.ndarray]:
    """Returns an astronaut (NASA) and a rear admiral (US Navy), `uint8 (384, 384, 3)` each."""
    hopper = read_image(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    parts = [skimage.data.astronaut()[:384, 20:404], hopper[20:500, 16:496]]
    return [np.asarray(Image.fromarray(part).resize((SIDE, SIDE))) for part in parts]


def _make_video() -> list[np.ndarray]:
    """A camera sways over each photograph; a wall is shown where one is away."""
    wall = np.full((SIDE, SIDE, 3), 150, np.uint8)
    halves = []
    for image, (times, blurred) in zip(_photographs(), SCENES, strict=True):
        swaying = camera_clip.moving_photograph(image, RATE * 5, (SIDE, SIDE))
        half = []
        for index in range(RATE * SECONDS):
            second = index / RATE
            frame = swaying[index % len(swaying)]
            if blurred[0] <= second < blurred[1]:
                frame = np.asarray(Image.fromarray(frame).filter(ImageFilter.GaussianBlur(4)))
            half.append(frame if any(a <= second < b for a, b in times) else wall)
        halves.append(half)
    return [np.concatenate(pair, axis=1) for pair in zip(*halves, strict=True)]


def make_widget() -> Image.Image:
    """Returns the webcam widget in JupyterLab, a swaying photograph before its camera."""
    missing = jupyter_browser.browser_missing()
    if missing:
        raise SystemExit(f"The image of the widget {missing}")
    code = "from fer_lib import WebcamWidget\nWebcamWidget()"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code)], metadata={"kernelspec": kernel}
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nbformat.write(notebook, folder / "webcam.ipynb")
        frames = camera_clip.moving_photograph(skimage.data.astronaut())
        clip = camera_clip.write_camera_clip(folder / "clip.y4m", frames)
        with (
            jupyter_browser.serve_jupyter(folder) as server,
            jupyter_browser.open_chromium(camera=clip, height=1200) as browser,
        ):
            page = (lab := browser.open_notebook(server, "webcam.ipynb")).page
            lab.run_all()
            page.get_by_role("button", name="Start camera").click()
            page.locator(".fer-chart").wait_for(timeout=120_000)
            page.wait_for_timeout(12_000)  # until the chart is full
            place = page.locator(".fer-webcam").bounding_box()
            place["width"] = 16 + page.locator(".fer-stage").bounding_box()["width"]
            image = page.screenshot(clip=place)
    return Image.open(io.BytesIO(image)).convert("RGB")


def save(name: str, image: Image.Image) -> None:
    """Writes an image with as many colors as fit into the limit.

    Raises:
        ValueError: It is too large even with few colors.
    """
    path = FOLDER / f"{name}.png"
    for colors in (None, 256, 96):
        shown = image if colors is None else _reduce(image, colors)
        shown.save(path, optimize=True)
        if path.stat().st_size < MAX_BYTES:
            print(f"{path}: {path.stat().st_size} bytes, {colors or 'all'} colors")
            return
    raise ValueError(f"Expected less than {MAX_BYTES} bytes. {path} has {path.stat().st_size}.")


def _reduce(image: Image.Image, colors: int) -> Image.Image:
    """Returns the image with a palette in which paper and bars keep their colors."""
    names = ["#ffffff", *(EMOTION_COLORS[name] for name in EMOTIONS)]
    kept = np.array([ImageColor.getrgb(name) for name in names])
    common = np.reshape(image.quantize(colors - len(kept)).getpalette(), (-1, 3))
    # Pillow takes a neighbor instead of the very color, where there is one.
    near = np.abs(common[:, None] - kept).max(axis=2).min(axis=1) < 12
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([kept, common[~near]]).ravel().tolist())
    return image.quantize(palette=palette)


def main() -> None:
    makers = {
        "demo": make_demo,
        "frame": make_frame,
        "timeline": make_timeline,
        "widget": make_widget,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(makers))
    names = parser.parse_args().names or list(makers)
    unknown = sorted(set(names) - set(makers))
    if unknown:
        parser.error(f"Expected {', '.join(makers)}. Received: {', '.join(unknown)}")
    matplotlib.use("Agg")
    for name in names:
        save(name, makers[name]())


if __name__ == "__main__":
    main()
