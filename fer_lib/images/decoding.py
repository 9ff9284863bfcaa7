"""Encoded images to pixels: a short list of formats, a budget, and no trust in metadata."""

from __future__ import annotations

import functools
import importlib
import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

# Formats that photographs come in. Pillow reads 30 more, some of which start other programs.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "HEIF")
# Above so many pixels a JPEG is decoded at a half, a quarter or an eighth of its size.
_MAX_FULL_PIXELS = 128_000_000
# Files that unpack to more than 64 megapixels hold at least a byte for so many pixels; a blank
# JPEG has one for 60.
_BOMB_PIXELS, _MAX_PIXELS_PER_BYTE = 64_000_000, 300
_STRIP_PIXELS = 4_000_000
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_pillow_lock = threading.Lock()


def max_pixels() -> int:
    """Returns the budget of one image: the variable `FER_LIB_MAX_PIXELS`, else 256 megapixels."""
    return int(os.environ.get("FER_LIB_MAX_PIXELS", 256_000_000))


@functools.cache
def readable_formats() -> tuple[str, ...]:
    """Returns Pillow's names of the formats that are read here."""
    with suppress(ImportError):  # HEIC, the format of iPhones, needs `pip install pillow-heif`
        importlib.import_module("pillow_heif").register_heif_opener()
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def shorten(value: object) -> str:
    """Returns a name as it is quoted in a message: in quotes, and cut where it is long."""
    text = str(value)
    return repr(text if len(text) <= 120 else f"{text[:60]}...{text[-40:]}")


def decode(source: bytes | Image.Image, name: str) -> np.ndarray:
    """Returns the pixels of an image file or a PIL image, RGB `uint8 (height, width, 3)`.

    Args:
        source: The bytes of the file, or the opened image.
        name: What to call it in messages.

    Raises:
        OSError: It is not an image, cut off, or larger than `max_pixels`.
    """
    if isinstance(source, bytes) and not source:
        raise OSError(f"Expected an image. {name} is empty (0 bytes).")
    try:
        if isinstance(source, Image.Image):
            return _to_rgb(source, name)
        try:
            return _to_rgb(_open(source), name, len(source))
        except Exception:
            # Damaged or oversized metadata may have done it: the pixels alone are tried.
            bare = _strip_metadata(source)
            if bare == source:
                raise
            return _to_rgb(_open(bare), name, len(bare))
    except OversizedError:
        raise
    except UnidentifiedImageError:
        formats = readable_formats()
        hint = "" if "HEIF" in formats else "; HEIC needs `pip install pillow-heif`"
        raise OSError(
            f"Expected an image ({', '.join(formats)}). Received: {name}, which holds none of "
            f"these{hint}."
        ) from None
    except Exception as error:  # Pillow's decoders raise a dozen kinds
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise OSError(f"Cannot read {name} as an image: {reason}") from error


class OversizedError(OSError):
    """An image has more pixels than the budget allows."""


@contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """The budget is ours, see `_to_rgb`; and damaged metadata is no news to the user."""
    with _pillow_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _open(data: bytes) -> Image.Image:
    formats = readable_formats()
    with _without_pillows_limit():
        return Image.open(io.BytesIO(data), formats=formats)


def _to_rgb(image: Image.Image, name: str, size: int | None = None) -> np.ndarray:
    """Returns the pixels of a PIL image, upright and over white; `size` is its file's, in bytes."""
    count, limit = image.width * image.height, max_pixels()
    is_bomb = size is not None and count > max(_BOMB_PIXELS, _MAX_PIXELS_PER_BYTE * size)
    if count > limit or is_bomb:
        raise OversizedError(
            f"Refused to unpack {name}: {image.width}x{image.height} pixels may be a "
            f"decompression bomb; the limit is FER_LIB_MAX_PIXELS={limit}."
        )
    if count == 0:
        raise ValueError(f"it has no pixels, its size is {image.size}")
    if image.format == "TIFF":  # whose size Pillow checks once more when it is decoded
        with _without_pillows_limit():
            image.load()
    if image.format in ("JPEG", "MPO") and count > _MAX_FULL_PIXELS:
        image.draft("RGB", (image.width // 2, image.height // 2))
    orientation = _read_orientation(image)
    if orientation in _TRANSPOSITIONS:
        image = image.transpose(_TRANSPOSITIONS[orientation])
    if image.mode == "F" or image.mode.startswith("I"):
        pixels = np.array(image)
        if pixels.dtype == np.int32 and pixels.min() >= 0 and pixels.max() <= 65535:
            pixels = pixels.astype(np.uint16)  # a 16-bit file in Pillow's mode "I"
        return np.repeat(scale_to_bytes(pixels)[..., None], 3, axis=-1)
    if image.has_transparency_data:
        return lay_over_white(image.convert("RGBA"))
    image = image if image.mode == "RGB" else image.convert("RGB")
    # In strips, for `np.array(image)` holds three copies for a moment.
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    image.load()  # outside the lock: decoding takes long, copying does not
    with _without_pillows_limit():  # Pillow 12 checks the size of each strip
        for top in range(0, image.height, rows):
            bottom = min(top + rows, image.height)
            pixels[top:bottom] = image.crop((0, top, image.width, bottom))
    return pixels


def _read_orientation(image: Image.Image) -> int | None:
    """Returns the EXIF orientation, 1 to 8; damaged EXIF costs it, but not the pixels."""
    with _pillow_lock, warnings.catch_warnings(), suppress(Exception):
        warnings.simplefilter("ignore")
        return image.getexif().get(ExifTags.Base.Orientation)
    return None


def _strip_metadata(data: bytes) -> bytes:
    """Returns a PNG or JPEG file with nothing but what its pixels need, else the same bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        parts, place = [data[:8]], 8
        while place + 8 <= len(data):
            end = place + 12 + int.from_bytes(data[place : place + 4], "big")
            if data[place + 4 : place + 8] in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
                parts.append(data[place:end])
            place = end
        return b"".join(parts)
    if data.startswith(b"\xff\xd8"):
        parts, place = [data[:2]], 2
        while data[place : place + 1] == b"\xff" and data[place + 1 : place + 2] != b"\xda":
            end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
            marker = data[place + 1]
            # APP0 and APP14 say how colors are stored; other APPs and comments are metadata.
            if not (0xE0 < marker <= 0xEF and marker != 0xEE or marker == 0xFE):
                parts.append(data[place:end])
            place = end
        return b"".join([*parts, data[place:]])
    return data


def scale_to_bytes(array: np.ndarray) -> np.ndarray:
    """Returns pixel values as `uint8`; see `read_image` for the ranges."""
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return array
    if kind not in "fiu":
        raise ValueError(
            "Expected pixels as uint8 (0..255), uint16 (0..65535) or floats in [0, 1]. "
            f"Received: image.dtype={array.dtype}"
        )
    low, high = array.min(), array.max()
    if kind == "f":
        # Resizing overshoots by a little: a thousandth is clipped, more is another scale.
        if not (low >= -1e-3 and high <= 1 + 1e-3):
            raise ValueError(
                f"Expected floats in [0, 1], no NaN or infinity. Received values in [{low:.6g}, "
                f"{high:.6g}]; pass 0..255 as image.astype('uint8')."
            )
        return np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    if low >= 0 and high <= 255:
        return array.astype(np.uint8)
    if kind == "u" and array.dtype.itemsize == 2:  # in either byte order
        full = next(2**bits - 1 for bits in (10, 12, 14, 16) if high < 2**bits)
        return ((array.astype(np.uint32) * 255 + full // 2) // full).astype(np.uint8)
    raise ValueError(f"Expected integers in 0..255, or uint16. Received values in {low}..{high}")


def lay_over_white(image: Image.Image) -> np.ndarray:
    """Returns the RGB pixels of an RGBA image on a white background."""
    white = Image.new("RGBA", image.size, "white")
    return np.array(Image.alpha_composite(white, image).convert("RGB"))
