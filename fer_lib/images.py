"""The one door for pictures: whatever holds one comes out as RGB `uint8 (height, width, 3)`.

Reads, checks and writes pixels; it neither resizes nor enhances them (`alignment`, `enhancement`).
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | np.ndarray | Image.Image
"""All that `read_image` takes."""

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

_ENCODED = (bytes, bytearray, memoryview)
# What Pillow's decoders raise for damaged files, besides OSError.
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, IndexError, KeyError, EOFError, struct.error)


def read_image(source: ImageSource) -> np.ndarray:
    """Returns a picture as RGB, turned upright, whatever holds it.

    EXIF rotation is applied, transparent parts are laid over white, and palette, grey, CMYK and
    16-bit pictures are converted. Of an animation the first frame is taken.

    Args:
        source: A path, the bytes of a picture file, a `PIL.Image`, or an array of shape
            `(height, width)`, `(height, width, 1)`, `(height, width, 3)` in RGB order or
            `(height, width, 4)` with alpha: integers in `0..255`, `uint16` in `0..65535`,
            or floats in `[0, 1]`.

    Returns:
        `uint8 (height, width, 3)`. An array that already looks so is returned without a copy.

    Raises:
        OSError: The file is missing, no picture, cut off, or so large that it may be a
            decompression bomb (`PIL.Image.MAX_IMAGE_PIXELS`).
        ValueError: An array has a wrong shape, dtype or range, or holds NaN.
        TypeError: `source` is none of the above.

    Example:
        >>> read_image(np.zeros((4, 6), "float32")).shape
        (4, 6, 3)
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _decode(source, "the PIL image")
    if isinstance(source, _ENCODED):
        return _open(io.BytesIO(source), f"the {len(source)} bytes")
    if isinstance(source, (str, os.PathLike)):
        path = Path(source).expanduser()
        if path.is_dir():
            raise IsADirectoryError(
                f"Expected a picture file. Received the folder {str(path)!r}; "
                "fer_lib.images.find_images lists its pictures."
            )
        try:
            with path.open("rb") as stream:
                return _open(stream, repr(str(path)))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"Expected a picture file. {str(path)!r} does not exist."
            ) from None
        except PermissionError:
            raise PermissionError(f"No permission to read {str(path)!r}.") from None
    raise TypeError(
        "Expected a picture: a path, bytes, a numpy array or a PIL image. "
        f"Received: {type(source).__name__}"
    )


def is_image(value: Any) -> bool:
    """Tells one picture from several: whether `value` is what `read_image` takes.

    An array of four axes is a batch of pictures, `(n, height, width, channels)`.
    """
    if isinstance(value, np.ndarray):
        return value.ndim != 4
    return isinstance(value, (str, os.PathLike, Image.Image, *_ENCODED))


def find_images(path: str | os.PathLike[str]) -> list[Path]:
    """Returns the picture files of a folder and its subfolders, sorted; of a file, the file itself.

    Files are told by their suffix (`IMAGE_SUFFIXES`); hidden ones are left out.

    Raises:
        FileNotFoundError: Nothing is at `path`.
    """
    root = Path(path).expanduser()
    if root.is_dir():
        return sorted(
            file
            for file in root.rglob("*")
            if file.suffix.lower() in IMAGE_SUFFIXES
            and not file.name.startswith(".")
            and file.is_file()
        )
    if not root.exists():
        raise FileNotFoundError(f"Expected a picture or a folder. {str(root)!r} does not exist.")
    return [root]


def to_gray(image: ImageSource) -> np.ndarray:
    """Returns a picture as grey levels, `uint8 (height, width)` (luma of ITU-R BT.601)."""
    if isinstance(image, np.ndarray) and image.ndim == 2 and image.dtype == np.uint8 and image.size:
        return image
    return np.asarray(Image.fromarray(read_image(image)).convert("L"))


def write_image(path: str | os.PathLike[str], image: ImageSource) -> Path:
    """Writes a picture in the format that the suffix names, making the folder where it is missing.

    Returns:
        The path that was written.

    Raises:
        ValueError: The suffix names no picture format.
        OSError: The file cannot be written there.
    """
    path = Path(path).expanduser()
    picture = Image.fromarray(read_image(image))
    if path.suffix.lower() not in Image.registered_extensions():
        raise ValueError(
            f"Expected the name of a picture file, such as 'faces.png'. Received: {str(path)!r}"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    except OSError as error:
        raise OSError(
            f"Cannot write {str(path)!r} ({error.strerror or error}); choose another folder."
        ) from error
    return path


def _open(stream: BinaryIO, name: str) -> np.ndarray:
    if stream.seek(0, io.SEEK_END) == 0:
        raise OSError(f"Expected a picture. {name} is empty (0 bytes).")
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            # Pillow only warns up to twice its limit; here the limit is one (see _decode).
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(stream)
    except Image.DecompressionBombError as error:
        raise OSError(f"Refused to unpack {name}: {error}") from error
    except UnidentifiedImageError as error:
        raise OSError(f"Expected a picture. {name} holds no format that Pillow reads.") from error
    except _DECODE_ERRORS as error:
        raise OSError(f"Cannot read {name} as a picture: {error}") from error
    return _decode(picture, name)


def _decode(picture: Image.Image, name: str) -> np.ndarray:
    limit = Image.MAX_IMAGE_PIXELS
    if limit and picture.width * picture.height > limit:
        raise OSError(
            f"Refused to unpack {name}: {picture.width}x{picture.height} pixels may be a "
            f"decompression bomb; raise PIL.Image.MAX_IMAGE_PIXELS ({limit}) if you trust it."
        )
    if 0 in picture.size:
        raise ValueError(f"Expected a picture with pixels. Received {name} of size {picture.size}")
    try:
        # Each step copies the picture, some 50 MB of a photograph, so none is taken in vain.
        if picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            picture = ImageOps.exif_transpose(picture)
        if picture.mode == "F" or picture.mode.startswith("I"):
            pixels = np.array(picture)
        elif picture.has_transparency_data:
            pixels = _over_white(picture.convert("RGBA"))
        elif picture.mode == "RGB":
            pixels = np.array(picture)
        else:
            pixels = np.array(picture.convert("RGB"))
    except _DECODE_ERRORS as error:
        raise OSError(f"Cannot read {name} as a picture, is it cut off? {error}") from error
    if pixels.dtype == np.int32 and pixels.min() >= 0 and pixels.max() <= 65535:
        pixels = pixels.astype(np.uint16)  # a 16-bit file in Pillow's mode "I"
    return _from_array(pixels)


def _from_array(array: np.ndarray) -> np.ndarray:
    shape = array.shape
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4) or array.size == 0:
        raise ValueError(
            "Expected a picture of shape (height, width), (height, width, 1), (height, width, 3) "
            f"or (height, width, 4). Received: image.shape={shape}"
        )
    pixels = _to_uint8(array)
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    elif pixels.shape[-1] == 4:
        pixels = _over_white(Image.fromarray(np.ascontiguousarray(pixels)))
    return np.ascontiguousarray(pixels)


def _to_uint8(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:  # in either byte order
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not np.isfinite([low, high]).all():
            raise ValueError(
                "Expected finite pixels. Received an image that holds NaN or infinity."
            )
        # Resizing overshoots by a little: a thousandth is clipped, more is another scale.
        if low < -1e-3 or high > 1 + 1e-3:
            raise ValueError(
                "Expected floats in [0, 1]. Received values in "
                f"[{low:.6g}, {high:.6g}]; pass 0..255 as image.astype('uint8')."
            )
        return np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    if array.dtype.kind in "iu":
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > 255:
            raise ValueError(f"Expected integers in 0..255. Received values in {low}..{high}")
        return array.astype(np.uint8)
    raise ValueError(
        "Expected pixels as uint8 (0..255), uint16 (0..65535) or floats in [0, 1]. "
        f"Received: image.dtype={array.dtype}"
    )


def _over_white(picture: Image.Image) -> np.ndarray:
    white = Image.new("RGBA", picture.size, "white")
    return np.array(Image.alpha_composite(white, picture).convert("RGB"))
