"""Images: every form of the same image reads the same, and bad ones fail in one clear line."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from fer_lib.images import decoding, find_images, is_image, read_image, to_gray, write_image
from fer_lib.paths import cache_dir

rgb_images = hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)))


def encode(image: Image.Image | np.ndarray, kind: str = "PNG", **options) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)


@contextlib.contextmanager
def refused(error: type[Exception], match: str) -> Iterator[None]:
    """Expects an error whose message is one short line."""
    with pytest.raises(error, match=match) as caught:
        yield
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@settings(max_examples=50, deadline=None)
@given(pixels=rgb_images)
def test_every_form_of_an_image_reads_the_same(tmp_path_factory, pixels):
    path = tmp_path_factory.mktemp("forms") / "image.png"
    path.write_bytes(encode(pixels))
    forms = [
        path,
        str(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        io.BytesIO(path.read_bytes()),
        pixels,
        pixels.astype(np.int64),
        pixels.astype(np.uint16),
        pixels / 255,
        (pixels / 255).astype(np.float32),
        np.asfortranarray(pixels),
        Image.fromarray(pixels),
        Image.open(path),
    ]
    for form in forms:
        image = read_image(form)
        assert image.dtype == np.uint8 and image.flags.c_contiguous and image.flags.writeable
        np.testing.assert_array_equal(image, pixels)


def test_an_rgb_array_is_not_copied_and_a_jpeg_reads_as_pillow_decodes_it(noise):
    assert np.shares_memory(read_image(noise), noise)
    data = encode(noise, "JPEG", quality=90)
    np.testing.assert_array_equal(read_image(data), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(noise, orientation):
    # Transposed and flipped as the number says, written out for arrays.
    stored = noise.swapaxes(0, 1) if orientation > 4 else noise
    stored = stored[::-1] if orientation in (3, 4, 6, 7) else stored
    stored = stored[:, ::-1] if orientation in (2, 3, 7, 8) else stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(np.ascontiguousarray(stored), exif=exif)
    np.testing.assert_array_equal(read_image(data), noise)


def test_transparent_parts_lie_over_white():
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0, :, 3] = 255  # the upper row is opaque black, the lower one is not there
    expected = np.repeat([[[0] * 3], [[255] * 3]], 3, axis=1)
    gray_alpha = Image.fromarray(pixels, "RGBA").convert("LA")
    for form in (pixels, pixels / 255, encode(pixels), encode(gray_alpha)):
        np.testing.assert_array_equal(read_image(form), expected)


def test_palettes_are_looked_up():
    indexed = Image.new("P", (4, 2))
    indexed.putpalette([10, 20, 30, 200, 100, 50])
    indexed.putpixel((1, 0), 1)
    see_through = encode(indexed, "PNG", transparency=1)
    for data, second in ((encode(indexed, "GIF"), [200, 100, 50]), (see_through, [255] * 3)):
        assert read_image(data)[0, :2].tolist() == [[10, 20, 30], second]


@pytest.mark.parametrize("size", [(30, 40), (1, 1), (10, 10), (1, 500)])
def test_gray_images_of_any_size_have_three_equal_channels(size):
    gray = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8)
    expected = np.stack([gray] * 3, axis=-1)
    for form in (gray, gray[..., None], encode(gray), Image.fromarray(gray)):
        np.testing.assert_array_equal(read_image(form), expected)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "L", "1"])
def test_other_color_modes_are_converted(mode):
    image = Image.new("RGB", (8, 8), (255, 255, 255)).convert(mode)
    assert (read_image(encode(image, "JPEG", quality=95)) > 250).all()
    if mode != "YCbCr":  # Pillow before 13 cannot read such a TIFF that it wrote itself.
        assert (read_image(encode(image, "TIFF")) > 250).all()


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (5, 5), color) for color in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_image(data)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_file_without_permission(tmp_path, noise):
    path = write_image(tmp_path / "secret.png", noise)
    path.chmod(stat.S_IWUSR)
    with refused(PermissionError, "No permission"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"this is no image\n" * 9, "HEIC needs|HEIF"),
        (b"\xff\xd8\xff\xe0", "Cannot read|Expected an image"),
        *((kind, "JPEG, MPO|JPEG, PNG") for kind in ("EPS", "PDF", "TGA", "DDS", "SGI", "PCX")),
        *((kind, "Cannot read") for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")),
    ],
)
def test_files_that_are_no_images_other_formats_and_cut_off(tmp_path, noise, content, word):
    if isinstance(content, str):
        content = encode(noise, content)
        content = content[: len(content) // 2] if word == "Cannot read" else content
    path = tmp_path / "image.jpg"
    path.write_bytes(content)
    for form in (content, path):
        with refused(OSError, word):
            read_image(form)


def test_images_beyond_the_budget_are_refused_before_they_are_decoded(monkeypatch, noise, recwarn):
    blank = encode(Image.new("1", (16000, 15000)))  # 240 megapixels in 30 kB
    with refused(OSError, "decompression bomb"):
        read_image(blank)
    monkeypatch.setenv("FER_LIB_MAX_PIXELS", "1199")
    for form in (encode(noise), Image.fromarray(noise)):
        with pytest.raises(OSError, match="FER_LIB_MAX_PIXELS=1199"):
            read_image(form)
    monkeypatch.setenv("FER_LIB_MAX_PIXELS", "1200")
    assert read_image(encode(noise)).shape == noise.shape
    assert not recwarn.list


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_formats_of_photographs_are_read_within_our_own_limits(monkeypatch, noise, kind):
    data = encode(noise, kind, **({"compression": "tiff_lzw"} if kind == "TIFF" else {}))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_image(data).shape == noise.shape
    assert Image.MAX_IMAGE_PIXELS == 10
    monkeypatch.setattr(decoding, "_MAX_FULL_PIXELS", 1199)
    half = (15, 20, 3) if kind in ("JPEG", "MPO") else noise.shape
    assert read_image(data).shape == half


def insert_chunk(png: bytes, kind: bytes, data: bytes) -> bytes:
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return png[:33] + chunk + png[33:]  # behind IHDR


PNG_CHUNKS = [
    (b"eXIf", b"\x00\x08\x00\x02nonsense"),
    (b"iCCP", b"name\0\0no zlib"),
    (b"zTXt", b"Comment\0\0" + zlib.compress(b" " * 3_000_000)),
    (b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b" " * 3_000_000)),
    (b"tEXt", b"no separator" * 9),
    (b"pHYs", b"\1"),
    (b"gAMA", b""),
]
JPEG_SEGMENTS = [b"\xe2MPF\0II*\0\xff\xff", b"\xedPhotoshop 3.0\x008BIM\xff", b"\xe1Exif\0\0"]


def test_damaged_metadata_never_costs_the_pixels(noise):
    png, jpeg = encode(noise), encode(noise, "JPEG")
    for kind, data in PNG_CHUNKS:
        np.testing.assert_array_equal(read_image(insert_chunk(png, kind, data)), noise)
    for segment in JPEG_SEGMENTS:
        marker = b"\xff" + segment[:1] + struct.pack(">H", len(segment) + 1) + segment[1:]
        np.testing.assert_array_equal(read_image(jpeg[:2] + marker + jpeg[2:]), read_image(jpeg))


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM"])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_damaged_exif_never_costs_the_pixels(noise, exif, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    clean = read_image(encode(noise, kind, **options))
    np.testing.assert_array_equal(read_image(encode(noise, kind, exif=exif, **options)), clean)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_sixteen_bit_values_are_as_deep_as_the_largest_needs(tmp_path, bits):
    levels = np.linspace(0, 2**bits - 1, 256).astype(np.uint16).reshape(16, 16)
    expected = np.arange(256).reshape(16, 16)
    integers = Image.fromarray(levels.astype(np.int32))  # Pillow's mode "I"
    forms = [levels, levels.astype(">u2"), encode(levels), encode(levels, "TIFF"), integers]
    for form in [*forms, encode(levels, transparency=7)]:
        np.testing.assert_allclose(read_image(form)[..., 0], expected, atol=bits not in (8, 16))


def test_matrices_are_arrays_and_masks_are_refused(noise):
    gray = noise[..., 0]
    np.testing.assert_array_equal(read_image(np.asmatrix(gray)), read_image(gray))
    unmasked = np.ma.masked_array(gray, mask=False)
    np.testing.assert_array_equal(read_image(unmasked), read_image(gray))
    with pytest.raises(ValueError, match="mask"):
        read_image(np.ma.masked_less(gray, 9))


def test_open_files_and_uploads_are_one_image(tmp_path, noise):
    path = write_image(tmp_path / "image.png", noise)

    class Upload:
        def read(self):
            return path.read_bytes()

    with path.open("rb") as file:
        for form in (file, Upload(), io.BytesIO(path.read_bytes())):
            assert is_image(form)
            np.testing.assert_array_equal(read_image(form), noise)
    written = io.BytesIO()
    Image.fromarray(noise).save(written, "PNG")  # stands at its end
    np.testing.assert_array_equal(read_image(written), noise)
    with pytest.raises(TypeError, match="'rb'"):
        read_image(io.StringIO("text"))


@pytest.mark.parametrize(
    ("source", "error", "word"),
    [
        ("https://example.com/face.jpg?" + "x" * 5000, ValueError, "address"),
        ("data:image/png;base64," + "A" * 5000, ValueError, "address"),
        ("iVBORw0KGgoAAAANSUhEUgAA" * 300, ValueError, "base64"),
        ("a" * 5000 + ".jpg", OSError, r"\.\.\."),
        ("face\0.jpg", ValueError, "face"),
        ("none.jpg", FileNotFoundError, "'none.jpg' does not exist"),
        (".", IsADirectoryError, "find_images"),
        *((source, TypeError, type(source).__name__) for source in (None, 3, [[0, 1]], {"a": 1})),
    ],
)
def test_what_is_no_image_is_named_in_a_short_line(source, error, word):
    with refused(error, word):
        read_image(source)


def test_names_with_a_tilde_are_files_and_no_home_is_no_crash(tmp_path, noise, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image("./~draft.png", noise)
    assert [file.name for file in find_images(".")] == ["~draft.png"]
    assert read_image(find_images(".")[0]).shape == noise.shape
    monkeypatch.setattr(Path, "expanduser", lambda path: exec("raise RuntimeError('no home')"))
    monkeypatch.setattr(Path, "home", lambda: exec("raise RuntimeError('no home')"))
    monkeypatch.delenv("FER_LIB_HOME")
    with pytest.raises(FileNotFoundError):
        read_image("~/none.png")
    assert cache_dir().name == "fer_lib"


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((0, 5, 3), np.uint8), "shape"),
        (np.zeros((5, 0), np.uint8), "shape"),
        (np.array([]), "shape"),
        (np.zeros(48, np.uint8), "shape"),
        (np.zeros((4, 4, 2), np.uint8), "shape"),
        (np.zeros((4, 4, 5), np.uint8), "shape"),
        (np.zeros((2, 4, 4, 3), np.uint8), "shape"),
        (np.full((4, 4), np.nan), "NaN"),
        (np.where(np.eye(4) > 0, np.nan, 0.5), "NaN"),
        (np.full((4, 4), np.inf), "infinity"),
        (np.full((4, 4, 3), 255.0), "astype"),
        (np.full((4, 4, 3), -0.5), "floats"),
        (np.full((4, 4, 3), 256), "integers"),
        (np.full((4, 4, 3), -1), "integers"),
        (np.full((4, 4, 3), "x"), "dtype"),
        (np.full((4, 4, 3), None), "dtype=object"),
        (np.zeros((4, 4, 3), complex), "dtype"),
    ],
)
def test_wrong_arrays(array, expected):
    with refused(ValueError, f"Expected.*{expected}"):
        read_image(array)


def test_is_image_tells_one_from_several(noise):
    for one in ("a.jpg", b"", noise, noise[..., 0], Image.fromarray(noise)):
        assert is_image(one)
    for several in (["a.jpg"], (noise,), noise[None], iter([noise])):
        assert not is_image(several)


def test_find_images_walks_folders(tmp_path, noise):
    inner = tmp_path / "b" / "c"
    expected = [
        write_image(tmp_path / "a.png", noise),
        write_image(inner / "B.JPG", noise),
        write_image(tmp_path / "y.jfif", noise),
        write_image(tmp_path / "z.webp", noise),
    ]
    (tmp_path / "notes.txt").write_text("no image")
    (inner / "._B.JPG").write_bytes(b"what a Mac leaves on a stick")
    (tmp_path / "folder.jpg").mkdir()
    for hidden in (".ipynb_checkpoints", ".thumbnails", "__MACOSX"):
        write_image(tmp_path / hidden / "a.png", noise)
    skipped = []
    assert find_images(tmp_path, skipped) == find_images(tmp_path) == expected
    assert skipped == [tmp_path / "notes.txt"]
    assert find_images(str(expected[0])) == expected[:1]
    assert find_images(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    assert find_images(tmp_path / "folder.jpg") == []
    with pytest.raises(FileNotFoundError, match="not there"):
        find_images(tmp_path / "none")


def test_find_images_follows_links_once(tmp_path, noise):
    album = tmp_path / "album"
    write_image(tmp_path / "elsewhere" / "a.png", noise)
    album.mkdir()
    (album / "linked").symlink_to(tmp_path / "elsewhere")
    (album / "circle").symlink_to(album)
    (album / "broken.jpg").symlink_to(tmp_path / "none")
    skipped = []
    assert find_images(album, skipped) == [album / "linked" / "a.png"]
    assert skipped == [album / "broken.jpg"]


def test_to_gray_weighs_the_colors():
    image = np.eye(3, dtype=np.uint8)[None] * 255  # a red, a green and a blue pixel
    np.testing.assert_allclose(to_gray(image)[0], [76, 150, 29], atol=1)
    gray = np.full((3, 3), 7, np.uint8)
    assert to_gray(gray) is gray
    np.testing.assert_array_equal(to_gray(read_image(gray)), gray)


def test_write_image_writes_whole_files_or_says_what_is_wrong(tmp_path, noise):
    path = write_image(tmp_path / "new" / "image.png", noise)
    np.testing.assert_array_equal(read_image(path), noise)
    with pytest.raises(ValueError, match=r"faces\.png"):
        write_image(tmp_path / "image.xyz", noise)
    (tmp_path / "file").write_text("in the way")
    with refused(OSError, "choose another place"):
        write_image(tmp_path / "file" / "image.png", noise)
