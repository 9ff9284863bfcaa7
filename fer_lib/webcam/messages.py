"""The messages between `WebcamWidget` and its half in the browser, `widget.js`.

The browser sends `{"type": ..., "session": ...}`, some with one JPEG beside it, and the next only
when the answer to the last has come; so nothing can queue, however slow Python is.

| browser | Python |
|---|---|
| `start` | `started` |
| `frame` (`time_s`, `snapshot`) and JPEG | `result` |
| `next` (`snapshot`): a frame of the camera that Python reads | `result` and JPEG |
| `photo` (`snapshot`) and JPEG | `result` |
| `stop` | nothing |

A `result` holds `width`, `height`, `time_s` and `faces` (as `to_dict` gives them), and a `note` for
the user where a snapshot was asked for. Other answers are `stopped` (the video is over, or another
view took over) and `error`, both with a `message` for the user.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from PIL import Image
from seaborn.utils import relative_luminance

from fer_lib.images import read_image
from fer_lib.plotting.style import text_color

# What a browser may send.
MAX_JPEG_BYTES, MAX_JPEG_PIXELS = 16_000_000, 16_000_000


def describe_class(name: str, color: str) -> dict[str, str]:
    """Returns a class' colors: its own, that of text on it, and one that shows on dark ground."""
    light = to_hex(0.65 * np.array(to_rgb(color)) + 0.35)
    bright = color if relative_luminance(color) > 0.13 else light
    return {"name": name, "color": color, "text": text_color(color), "bright": bright}


def read_jpeg(buffers: list[Any]) -> np.ndarray:
    """Returns the image beside a message.

    Raises:
        OSError, ValueError: It is not one JPEG, or is damaged or larger than the limits.
    """
    if len(buffers) != 1:
        raise ValueError(f"Expected one JPEG beside the message. Received: {len(buffers)} parts")
    size = len(buffers[0])
    try:
        image = Image.open(io.BytesIO(buffers[0]), formats=["JPEG"])
    except OSError:
        raise ValueError(f"Expected a JPEG. Received: {size} bytes of something else") from None
    if size > MAX_JPEG_BYTES or image.width * image.height > MAX_JPEG_PIXELS:
        raise ValueError(
            f"Expected a JPEG of at most {MAX_JPEG_BYTES} bytes and {MAX_JPEG_PIXELS} pixels. "
            f"Received: {size} bytes, {image.width} x {image.height} pixels"
        )
    return read_image(image)


def shrink(image: np.ndarray, max_width: int) -> tuple[np.ndarray, bytes]:
    """Returns an image at most this wide, and the same as a JPEG."""
    canvas = Image.fromarray(image)
    canvas.thumbnail((max_width, canvas.height), Image.Resampling.BOX)
    file = io.BytesIO()
    canvas.save(file, "JPEG", quality=85)
    return np.asarray(canvas), file.getvalue()
