"""Any form of an image to RGB: paths, bytes, open files, arrays and PIL images."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from fer_lib.files import expand_user, write_atomically
from fer_lib.images.decoding import decode, lay_over_white, max_pixels, scale_to_bytes, shorten

ImageSource = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | np.ndarray | Image.Image
)
"""All that `read_image` takes."""

_ENCODED = (bytes, bytearray, memoryview)


def read_image(image: ImageSource) -> np.ndarray:
    """Returns an image as RGB, turned upright, whatever holds it.

    EXIF rotation is applied, transparent parts are laid over white; palette, gray, CMYK and 16-bit
    images are converted. Of an animation the first frame is taken. Damaged metadata is left out.
    A JPEG of more than 128 megapixels is read at a half of its size or less.

    Args:
        image: A path, the bytes of an image file, an open binary file or anything else with
            `read`, a `PIL.Image`, or an array `(height, width)`, `(height, width, 1)`,
            `(height, width, 3)` in RGB order or `(height, width, 4)` with alpha. Floats are in
            `[0, 1]`, integers in `0..255`. 16-bit values (`uint16`, and files) may go further:
            if the largest needs more than 8 bits, all are taken as 10, 12, 14 or 16 bits deep,
            the fewest that hold it.

    Returns:
        `uint8 (height, width, 3)`. An array that already looks so is returned without a copy.

    Raises:
        OSError: The file is missing, no image, cut off, or larger than `FER_LIB_MAX_PIXELS`.
        ValueError: An array has a wrong shape, dtype or range, is masked, or holds NaN; or text
            is an address or base64 instead of a path.
        TypeError: `image` is none of the above.

    Example:
        >>> read_image(np.zeros((4, 6), "float32")).shape
        (4, 6, 3)
    """
    if isinstance(image, np.ndarray):
        return _from_array(image)
    if isinstance(image, Image.Image):
        return decode(image, "the PIL image")
    if isinstance(image, _ENCODED):
        return decode(bytes(image), f"the {len(image)} bytes")
    if isinstance(image, (str, os.PathLike)):
        return _from_path(image)
    if hasattr(image, "read"):
        return _from_open_file(image)
    raise TypeError(
        "Expected an image: a path, bytes, an open file, a numpy array or a PIL image. "
        f"Received: {type(image).__name__}"
    )


def is_image(value: Any) -> bool:
    """Tells one image from several, of which `(n, height, width, channels)` is one form."""
    if isinstance(value, np.ndarray):
        return value.ndim != 4
    return isinstance(value, (str, os.PathLike, Image.Image, *_ENCODED)) or hasattr(value, "read")


def to_gray(image: ImageSource) -> np.ndarray:
    """Returns an image as gray levels, `uint8 (height, width)` (luma of ITU-R BT.601)."""
    if isinstance(image, np.ndarray) and image.ndim == 2 and image.dtype == np.uint8 and image.size:
        return image
    return np.asarray(Image.fromarray(read_image(image)).convert("L"))


def write_image(path: str | os.PathLike[str], image: ImageSource) -> Path:
    """Writes an image in the format that the suffix names, and returns the path.

    Raises:
        ValueError: The suffix names no image format.
        OSError: The file cannot be written there; an older file stays.
    """
    path = expand_user(path)
    if path.suffix.lower() not in Image.registered_extensions():
        raise ValueError(
            f"Expected the name of an image file, such as 'faces.png'. Received: {shorten(path)}"
        )
    pixels = Image.fromarray(read_image(image))
    with write_atomically(path) as partial:
        pixels.save(partial)
    return path


def _from_path(path: str | os.PathLike[str]) -> np.ndarray:
    text = os.fspath(path)
    if isinstance(text, str):
        if re.match(r"(https?|ftp|s3|gs|data):", text):
            raise ValueError(f"Expected an image file. Received the address {shorten(text)}.")
        if len(text) > 200 and re.fullmatch(r"[\w+/=\s-]+", text):
            raise ValueError(
                f"Expected an image file. Received text like base64 ({len(text)} characters); "
                "pass base64.b64decode(text)."
            )
        if "\0" in text:
            raise ValueError(f"Expected a file name. Received: {shorten(text)}")
    name = shorten(text)
    try:
        file = expand_user(path)
        if file.is_dir():
            raise IsADirectoryError(
                f"Expected an image file. Received the folder {name}; "
                "fer_lib.images.find_images lists its images."
            )
        if file.exists() and not file.is_file():
            raise OSError(f"Expected an image file. {name} is a device or a pipe.")
        if file.stat().st_size > 4 * max_pixels():
            raise OSError(f"Refused to read {name}: it is too large for an image.")
        return decode(file.read_bytes(), name)
    except FileNotFoundError:
        raise FileNotFoundError(f"Expected an image file. {name} does not exist.") from None
    except PermissionError:
        raise PermissionError(f"No permission to read {name}.") from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise OSError(f"Expected an image file. {name} is too long for a name.") from None


def _from_open_file(file: BinaryIO) -> np.ndarray:
    data = file.read()
    if isinstance(data, _ENCODED) and not data and hasattr(file, "seek"):
        file.seek(0)  # it was just written, or read before
        data = file.read()
    if not isinstance(data, _ENCODED):
        raise TypeError(
            "Expected a file that is open for binary reading ('rb'). Its read() returned: "
            f"{type(data).__name__}"
        )
    return decode(bytes(data), shorten(getattr(file, "name", "the open file")))


def _from_array(array: np.ndarray) -> np.ndarray:
    shape = array.shape
    if np.ma.is_masked(array):
        raise ValueError("Expected pixels without a mask. Received: a masked array; fill it first.")
    array = np.asarray(array)  # np.matrix and other subclasses index in other ways
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4) or array.size == 0:
        raise ValueError(
            "Expected an image of shape (height, width), (height, width, 1), (height, width, 3) "
            f"or (height, width, 4). Received: image.shape={shape}"
        )
    pixels = scale_to_bytes(array)
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    elif pixels.shape[-1] == 4:
        pixels = lay_over_white(Image.fromarray(np.ascontiguousarray(pixels)))
    return np.ascontiguousarray(pixels)
