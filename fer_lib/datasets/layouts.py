"""Public sets: CK+, JAFFE and KDEF from the laboratory; RAF-DB, AffectNet, ExpW from the web.

`path` is the folder of the set or the one above it; `dataset_info` says which files are read and
who made them. Options are `image_size`, `color` and `detector` of `load_folder`; where published
images are faces already, no detector is used. Images that cannot be used are in `left_out`. Missing
folders are a `FileNotFoundError`, labels that break the format and no image at all a `ValueError`.

Sets from the laboratory have `subjects`, so split them with `split_by_subject`; in those from the
web the same person may be on both sides of a split. You need your own copy; most are on request.

How they lie on the disk is in `layouts.toml`: regular expressions say where the label of each image
stands, in the name of the image file, in a line of a list, or in a small file beside it.
"""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.datasets.catalogue import dataset_info
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013_files import SPLIT_OF_NAME
from fer_lib.datasets.ferplus import VOTES_IN_FILE, majority
from fer_lib.datasets.listing import read_listing
from fer_lib.files import expand_user
from fer_lib.images import find_images
from fer_lib.labels import EMOTIONS, EMOTIONS_8, find_emotion

Folder = str | os.PathLike[str]
Layout = SimpleNamespace
"""One table of `layouts.toml`, where the fields are described, with the `key` of its set."""

_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_BOX = ["x", "y", "width", "height"]
_SIDES = ["left", "top", "right", "bottom", "middle_x", "middle_y"]
_FLOATS = [*_BOX, *_SIDES, "confidence", "valence", "arousal"]
_DEFAULTS = {"labels": "", "images": [], "codes": "", "skipped": [], "only": {}}
_DEFAULTS |= {"contempt": False, "people": False}


def load_ckplus(path: Folder, **options: Any) -> FaceDataset:
    """Loads CK+, in the classes `EMOTIONS_8`, or its cropped peak frames, `CK+48`.

    Of each sequence with a label the last three frames get it, and the first frame is neutral;
    they are nearly identical. The metadata have the columns `sequence` and `frame`.
    """
    return load_layout(path, "ckplus", **options)


def load_jaffe(path: Folder, **options: Any) -> FaceDataset:
    """Loads JAFFE, with the metadata column `take`."""
    return load_layout(path, "jaffe", **options)


def load_kdef(path: Folder, **options: Any) -> FaceDataset:
    """Loads the straight views of KDEF, with the metadata columns `session` and `sex` (F or M)."""
    return load_layout(path, "kdef", **options)


def load_rafdb(path: Folder, **options: Any) -> FaceDataset:
    """Loads the basic emotions of RAF-DB, splits `"Training"` and `"Test"`."""
    return load_layout(path, "rafdb", **options)


def load_affectnet(path: Folder, **options: Any) -> FaceDataset:
    """Loads AffectNet, in the classes `EMOTIONS_8`, splits `"Training"` and `"Validation"`.

    Kaggle's YOLO folders may have a `"Test"`; else the metadata have the columns `valence` and
    `arousal`, `[-1, 1]`. The annotations "none", "uncertain" and "no face" are not read.
    """
    return load_layout(path, "affectnet", **options)


def load_expw(path: Folder, **options: Any) -> FaceDataset:
    """Loads ExpW, one image per face, the square around its box; the set is not split.

    The metadata have the columns `face_id` and `confidence` (of the box).
    """
    return load_layout(path, "expw", **options)


@functools.cache
def list_layouts() -> dict[str, list[Layout]]:
    """Returns the layouts of each set, by its key in the catalogue."""
    file = importlib.resources.files("fer_lib.datasets") / "layouts.toml"
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        key: [Layout(**{"key": key, "sign": row["inside"], **_DEFAULTS, **row}) for row in rows]
        for key, rows in tables.items()
    }


def recognize_layout(root: Path) -> str | None:
    """Returns the key of the set in a folder or right below it, told by names of files."""
    for layout in itertools.chain.from_iterable(list_layouts().values()):
        if _find(root, layout.sign) and _find(root, layout.inside):
            return layout.key
    return None


def load_layout(path: Folder, key: str, detector: Any = None, **options: Any) -> FaceDataset:
    """Loads the set with this key from the first of its layouts that is there."""
    path, layouts = expand_user(path), list_layouts()[key]
    for layout in layouts:
        root = _find(path, layout.inside) if path.is_dir() else None
        if root is not None:
            listing, left_out = _list_rows(root, layout)
            options["detector"] = detector if layout.people else None
            names = EMOTIONS_8 if layout.contempt else EMOTIONS
            return read_listing(listing, root, names, key, left_out, **options)
    inside = " or ".join(name for layout in layouts for name in layout.inside)
    received = f"{path}{'' if path.is_dir() else ', no folder'}"
    raise FileNotFoundError(
        f"Expected the folder of {layouts[0].title} with {inside}. Received: {received}"
    )


def _find(path: Path, patterns: list[str]) -> Path | None:
    """Returns the folder, or one right below it, in which one of the patterns matches."""
    folders = [path, *sorted(f for f in path.iterdir() if f.is_dir() and f.name[0] not in "._")]
    hits = (f for f in folders if any(next(f.glob(p), None) is not None for p in patterns))
    return next(hits, None)


def _list_rows(root: Path, layout: Layout) -> tuple[pd.DataFrame, dict[str, str]]:
    """Lists the images of a set for `read_listing`, and what does not fit its layout."""
    rows = pd.DataFrame(_ROWS[layout.rows](root, layout), columns=["where", "text"], dtype=object)
    pattern = rf"(?is)\A(?:{layout.pattern.replace('#', _NUMBER)})\Z"
    table = rows["text"].str.extract(pattern).astype(object)
    codes = _read_codes(root, layout)
    table["emotion"] = [_emotion(code, codes, layout.skipped) for code in table["emotion"]]
    unfit = rows[table["emotion"].isna()]
    problems = [f"expected {layout.expected}. Received: {t[-80:]!r}" for t in unfit["text"]]
    left_out = dict(zip(unfit["where"], problems, strict=True))
    if left_out and layout.rows != "names":
        raise ValueError("{}: {}".format(*next(iter(left_out.items()))))
    table = table[table["emotion"].fillna("") != ""]
    for column, value in layout.only.items():
        table = table[table.pop(column).str.upper() == value]
    table = table.reset_index(drop=True)
    if "split" in table:
        table["split"] = table["split"].str.lower().replace(SPLIT_OF_NAME)
    if "subject" in table:
        table["subject"] = table["subject"].str.upper()
    if "frame" in table:
        table["frame"] = table["frame"].astype(int)
    if "votes" in table:
        table[VOTES_IN_FILE] = table["votes"].str.split(",", expand=True).astype(int)
    if layout.images:
        table["file"] = [_find_image(root, layout, row) for row in table.to_dict("records")]
    numbers = table.columns.intersection(_FLOATS)
    table[numbers] = table[numbers].astype(float)
    if "left" in table:
        table["x"], table["width"] = table["left"], table["right"] - table["left"]
        table["y"], table["height"] = table["top"], table["bottom"] - table["top"]
    elif "middle_x" in table:
        table["x"] = table["middle_x"] - table["width"] / 2
        table["y"] = table["middle_y"] - table["height"] / 2
    if "x" in table:
        table["box"] = list(table[_BOX].itertuples(index=False, name=None))
    helpers = [*_BOX, *_SIDES, "stem", "folder", "votes"]
    return table.drop(columns=helpers, errors="ignore"), left_out


def _find_image(root: Path, layout: Layout, fields: dict[str, Any]) -> str:
    places = [image.format(**fields) for image in layout.images]
    return next((place for place in places if (root / place).is_file()), places[0])


def _read_codes(root: Path, layout: Layout) -> dict[str, str]:
    """Returns what the codes of a set mean: by its own list `data.yaml`, else by the catalogue."""
    if not layout.codes:
        labels = dataset_info(layout.key).labels
        return dict(zip(labels.codes, labels.names, strict=True))
    file = root / layout.codes
    if not file.is_file():
        raise FileNotFoundError(f"{layout.title}: expected the names of its classes in {file}")
    text = re.sub("#.*", "", file.read_text(encoding="utf-8", errors="replace"))
    block = re.search(r"(?ms)^names:(.*?)(?=^\w|\Z)", text)
    names = re.findall(r"[A-Za-z][\w ]*", block[1] if block else "")
    return {str(number): name for number, name in enumerate(names)}


def _emotion(code: Any, codes: dict[str, str], skipped: list[str]) -> str | None:
    """Returns our name for a code, "" where no class is shown, None if unknown."""
    if not isinstance(code, str):
        return None
    if "," in code:
        favorite = int(majority(np.array([code.split(",")], int))[0])
        code = list(codes)[favorite] if favorite >= 0 else ""
    if code in ("", *skipped):
        return ""
    return find_emotion(codes.get(code, code))


def _names(root: Path, layout: Layout) -> Iterator[tuple[str, str]]:
    """The paths of all images, for sets whose file names say all; suffix and case do not matter."""
    for file in find_images(root):
        yield (file.relative_to(root).as_posix(),) * 2


def _lines(root: Path, layout: Layout) -> Iterator[tuple[str, str]]:
    """The lines of lists, one image each, blank lines and a header aside."""
    for file in sorted(root.glob(layout.labels)):
        name = file.relative_to(root).as_posix()
        text = file.read_text(encoding="utf-8-sig", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and (number > 1 or re.search(r"\d", line)):
                yield f"{file}, line {number}", f"{name}\t{line.strip()}"


def _ckplus_frames(root: Path, layout: Layout) -> Iterator[tuple[str, str]]:
    """Frame and code: the first frame of a sequence is neutral, the last three show the code."""
    for file in sorted(root.glob(layout.labels)):
        folder = root / "cohn-kanade-images" / file.parent.relative_to(root / "Emotion")
        missing = folder / f"{folder.parent.name}_{folder.name}_0"
        frames = (find_images(folder) if folder.is_dir() else []) or [missing]
        for frame in dict.fromkeys([frames[0], *frames[-3:]]):
            code = "0" if frame is frames[0] else file.read_text().strip()
            yield str(file), f"{frame.relative_to(root).as_posix()} {code}"


def _affectnet_numbers(root: Path, layout: Layout) -> Iterator[tuple[str, str]]:
    """The image and the three numbers of each `annotations/0_exp.npy` and its siblings."""
    for file in sorted(root.glob(layout.labels)):
        number = file.name.removesuffix("_exp.npy")
        files = [file.with_name(f"{number}_{kind}.npy") for kind in ("exp", "val", "aro")]
        try:
            numbers = [str(np.load(f, allow_pickle=False)) for f in files]
        except (ValueError, EOFError) as error:
            raise ValueError(f"{file}: expected one number. Received: {error}") from None
        yield str(file), " ".join([f"{file.parts[-3]}/images/{number}.jpg", *numbers])


_ROWS = {"names": _names, "lines": _lines}
_ROWS |= {"ckplus": _ckplus_frames, "affectnet": _affectnet_numbers}
