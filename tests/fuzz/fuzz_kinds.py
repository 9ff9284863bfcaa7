"""What is damaged, and what reads it: one function per kind, `rng` to a read or a refusal."""

from __future__ import annotations

import io
import json
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import skimage
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

Check = Callable[[np.random.Generator], None]
_FILLS = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x01", b"\xfe", b"\x20")


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Returns a file with one to eight damages: half of them near its beginning."""
    for _ in range(rng.integers(1, 9)):
        end = max(1, min(len(data), 400) if rng.random() < 0.5 else len(data))
        start = int(rng.integers(end))
        size = int(rng.choice((1, 1, 2, 4, 4, 8, 64, 1000)))
        part, rest = data[start : start + size], data[start + size :]
        match rng.integers(6):
            case 0:
                part = bytes(rng.integers(0, 256, len(part), np.uint8))
            case 1:
                part = _FILLS[rng.integers(len(_FILLS))] * len(part)
            case 2:
                part = b""
            case 3:
                part = part * int(rng.integers(2, 5))
            case 4:
                other = int(rng.integers(len(data) or 1))
                part = data[other : other + size]
            case 5 if rng.random() < 0.3:
                rest = b""
        data = data[:start] + part + rest
    return data


def images(folder: Path) -> Check:
    """Image files of every format, from those that packages ship."""
    from fer_lib.images import decoding, read_image

    formats = decoding.readable_formats()
    packaged = [
        Path(matplotlib.get_data_path(), "sample_data"),
        Path(skimage.__file__).parent / "data",
    ]
    files = [file for place in packaged for file in place.iterdir() if file.is_file()]
    files = [file for file in files if file.suffix in (".png", ".jpg", ".gif", ".tif")]
    seeds = [file.read_bytes() for file in sorted(files) if file.stat().st_size < 120_000]
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a photograph"
    with Image.open(packaged[0] / "grace_hopper.jpg") as photograph:
        small = photograph.resize((96, 110))
    alpha = small.copy()
    alpha.putalpha(small.convert("L"))
    deep = Image.fromarray(np.asarray(small.convert("L")).astype(np.uint16) * 257)
    variants = [
        *((kind, small, {}) for kind in formats if kind in Image.SAVE),
        ("JPEG", small, {"exif": exif, "progressive": True}),
        ("JPEG", small.convert("CMYK"), {"comment": b"a comment"}),
        ("JPEG", small.convert("L"), {"dpi": (300, 300)}),
        ("PNG", alpha, {"exif": exif}),
        ("PNG", small.quantize(16), {"transparency": 3}),
        ("PNG", deep, {}),
        ("WEBP", alpha, {"lossless": True, "exif": exif}),
        ("GIF", small, {"save_all": True, "append_images": [alpha.convert("RGB")] * 2}),
        ("TIFF", deep, {"compression": "tiff_lzw"}),
        ("TIFF", small, {"compression": "jpeg"}),
        ("TIFF", alpha, {"compression": "tiff_adobe_deflate", "exif": exif}),
        ("BMP", small.quantize(16), {}),
        ("PPM", small.convert("1"), {}),
    ]
    for kind, image, options in variants:
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        seeds += [stream.getvalue()] * 2

    def check(rng: np.random.Generator) -> None:
        _check_rgb(read_image(mutate(seeds[rng.integers(len(seeds))], rng)))

    return check


def _check_rgb(image: np.ndarray) -> None:
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size


def videos(folder: Path) -> Check:
    """Videos of every container, with and without sound, to their frames."""
    import clips

    from fer_lib.video import VideoSource

    frames = [clips.scene(20 + index, size=(96, 128)) for index in range(12)]
    plans = [(".mp4", "aac"), (".mov", None), (".mkv", "mp3"), (".webm", None)]
    plans += [(".avi", "mp3"), (".gif", None), (".ts", "mp2"), (".flv", None)]
    seeds = []
    for suffix, sound in plans:
        path = clips.write_clip(folder / f"seed{suffix}", frames, sound=sound)
        seeds.append((suffix, path.read_bytes()))

    def check(rng: np.random.Generator) -> None:
        suffix, data = seeds[rng.integers(len(seeds))]
        path = folder / f"video{suffix}"
        path.write_bytes(mutate(data, rng))
        with VideoSource(path) as source:
            last_s = -1.0
            for frame in source:
                _check_rgb(frame.image)
                assert frame.time_s > last_s
                last_s = frame.time_s

    return check


def arrays(folder: Path) -> Check:
    """Arrays of any shape and values, to images, crops and enhanced images."""
    from fer_lib.alignment import align_face, crop_detected_face, crop_face
    from fer_lib.detection import LANDMARKS, Face
    from fer_lib.enhancement import equalize_contrast
    from fer_lib.images import read_image, to_gray

    kinds = ["u1"] * 6 + ["f4", "f8", "f2", "i8", "u2", ">u2", "i4", "?", "c8", "O", "U3", "M8[s]"]
    odd = (0.0, 1.0, -1.0, 255.0, 256.0, 1e-30, 1e30, np.nan, np.inf, -np.inf)

    def numbers(rng: np.random.Generator, count: int) -> list[float]:
        values = rng.normal(60, 10.0 ** rng.integers(0, 5), count)
        odd_ones = rng.random(count) < rng.choice((0, 0, 0.2))
        return np.where(odd_ones, rng.choice(odd, count), values).tolist()

    def make(rng: np.random.Generator) -> np.ndarray:
        sides = rng.choice((0, 1, 2, 3, 17, 48, 200, 700), rng.choice((0, 1, 2, 3, 3, 3, 4)))
        shape = list(sides)
        if len(shape) > 2:
            shape[2:] = rng.choice((1, 3, 3, 3, 4, 2, 0), len(shape) - 2)
        kind = np.dtype(str(rng.choice(kinds)))
        values = np.frombuffer(rng.bytes(4096), np.uint8)
        array = np.resize(values, shape) if np.prod(shape) else np.zeros(shape, np.uint8)
        if kind.kind == "f":
            array = array / rng.choice((1, 255, 255, 255))
            if array.size and rng.random() < 0.2:
                array = np.where(rng.random(shape) < 0.01, rng.choice(odd), array)
        with np.errstate(all="ignore"):
            array = np.asarray(array).astype(kind)
        if array.ndim and rng.random() < 0.2:
            array = array[::-1].T if array.ndim == 2 else array[..., ::-1]
        if rng.random() < 0.05:
            array = np.ma.masked_array(array, mask=rng.random() < 0.5)
        return array

    def check(rng: np.random.Generator) -> None:
        image = read_image(make(rng))
        _check_rgb(image)
        assert to_gray(image).shape == image.shape[:2]
        box, size = numbers(rng, 4), int(rng.choice((1, 7, 48, 224)))
        assert crop_face(image, (10, 10, 5, 9), size).shape == (size, size)
        points = dict(zip(LANDMARKS, np.reshape(numbers(rng, 10), (5, 2)), strict=True))
        equalize_contrast(image[:64, :64])
        face = Face((3, 4, 20, 30), landmarks=points)
        assert crop_detected_face(image, face, (size, 32, 3)).shape == (size, 32, 3)
        assert align_face(image, face, size).shape == (size, size)
        assert crop_face(image, box, size, color=True).shape == (size, size, 3)

    return check


def stores(folder: Path) -> Check:
    """Data sets, archives, caches, cards, recipes and models."""
    import keras

    from fer_lib import paths, training
    from fer_lib.datasets import FaceDataset, load_fer2013
    from fer_lib.datasets.archives import unpack
    from fer_lib.labels import EMOTIONS
    from fer_lib.pretrained import model_folder
    from fer_lib.pretrained.model_file import read_model, save_model

    pixels = np.random.default_rng(0).integers(0, 256, (21, 48, 48, 1), np.uint8)
    usage = np.repeat(["Training", "PublicTest", "PrivateTest"], 7)
    labels = np.tile(np.arange(7), 3)
    dataset = FaceDataset(images=pixels, labels=labels, class_names=EMOTIONS, split=usage)
    dataset.save(folder / "set.npz")
    np.savez(folder / "fer2013.npz", pixels=pixels[..., 0], emotion=labels, usage=usage)
    rows = zip(labels, pixels.reshape(21, -1), usage, strict=True)
    lines = [f"{label},{' '.join(map(str, row))},{part}" for label, row, part in rows]
    (folder / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *lines]))
    (folder / "card.json").write_bytes((paths.find_model("cnn_tiny") / "card.json").read_bytes())
    shutil.copy(training.config.RECIPES_DIR / "cnn.toml", folder / "recipe.toml")
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(7)]
    save_model(keras.Sequential(layers), folder / "model.keras")
    with zipfile.ZipFile(folder / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("set.npz", "card.json", "recipe.toml"):
            archive.write(folder / name, f"inner/{name}")
    for packing in ("", "gz", "bz2", "xz"):
        with tarfile.open(folder / f"set.tar{packing}", f"w:{packing}") as archive:
            archive.add(folder / "card.json", "inner/card.json")
            archive.add(folder / "recipe.toml", "inner/recipe.toml")

    def read_archive(path: Path) -> None:
        target = folder / "unpacked"
        try:
            unpack(path, target)
            outside = [p for p in target.rglob("*") if p.is_symlink()]
            assert not outside
        finally:
            shutil.rmtree(target, ignore_errors=True)

    readers: dict[str, Callable[[Path], object]] = {
        "set.npz": FaceDataset.load,
        "fer2013.npz": load_fer2013,
        "fer2013.csv": load_fer2013,
        "card.json": lambda path: json.dumps(model_folder.read_card(path.parent)),
        "recipe.toml": training.load_recipe,
        "model.keras": read_model,
        **{f"set.{suffix}": read_archive for suffix in ("zip", "tar", "targz", "tarbz2", "tarxz")},
    }
    seeds = {name: (folder / name).read_bytes() for name in readers}

    def check(rng: np.random.Generator) -> None:
        name = str(rng.choice(list(readers)))
        place = folder / "damaged"
        place.mkdir(exist_ok=True)
        (place / name).write_bytes(mutate(seeds[name], rng))
        readers[name](place / name)

    return check


KINDS = {"images": images, "videos": videos, "arrays": arrays, "stores": stores}
