"""How public sets lie on the disk, and the one function that reads them all.

A layout says by regular expressions where the label of each image stands: in the name of the image
file, in a line of a list, or in a small file beside it. The sets are in `public_sets`.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.listing import find_folder, read_listing
from fer_lib.images import find_images
from fer_lib.labels import EMOTIONS, canonical_emotion

NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
"""A regular expression of a number."""

Row = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the images of one set are, and where their labels stand.

    Args:
        key: The set's key in the catalogue, which becomes the data set's name.
        title: Its name in messages.
        rows: Yields for a folder and this layout the texts that stand for an image each, with
            the file or line that they come from: `names`, `lines`, or a function of the set.
        pattern: A regular expression that fits these texts. Its groups become columns: `emotion`
            is required; `file`, `split` and `subject` have their usual meaning, and
            `x y width height` or `left top right bottom` are a box in pixels.
        expected: What a row has to hold, for messages.
        inside: Entries of the folder, one of which is there.
        labels: Which files below the folder hold labels, as a glob pattern.
        image: The image file, relative to the folder, from the groups.
        codes: Numbers that stand for emotions; None for those that are passed over.
        splits: Our names for the values of `split`.
        numbers: The columns that are numbers.
        class_names: The classes of the set.
        strict: Whether a row that does not fit is an error; otherwise it is left out.
    """

    key: str
    title: str
    rows: Callable[[Path, Layout], Iterator[Row]]
    pattern: str
    expected: str
    inside: tuple[str, ...] = ()
    labels: str = ""
    image: str = "{file}"
    codes: Mapping[str, str | None] | None = None
    splits: Mapping[str, str] = dataclasses.field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    class_names: tuple[str, ...] = EMOTIONS
    strict: bool = True


def read_layout(
    path: str | os.PathLike[str],
    *layouts: Layout,
    change: Callable[[pd.DataFrame], pd.DataFrame] = lambda listing: listing,
    **options: Any,
) -> FaceDataset:
    """Reads a set that lies in one of several layouts.

    Args:
        path: The folder of the set, or the one above it.
        *layouts: The layouts that the set is known in; the first whose entries are there is taken.
        change: Chooses or completes rows of the table before the images are read.
        **options: `image_size`, `color` and `detector` of `read_listing`.

    Raises:
        FileNotFoundError: No folder holds one of the layouts.
        ValueError: A label breaks the format, or nothing can be read.
    """
    title, inside = layouts[0].title, sum((layout.inside for layout in layouts), ())
    root = find_folder(path, title, inside)
    layout = next(x for x in layouts if not x.inside or any((root / e).exists() for e in x.inside))
    listing, left_out = list_layout(root, layout)
    return read_listing(
        change(listing), root, layout.class_names, layout.key, left_out=left_out, **options
    )


def list_layout(root: Path, layout: Layout) -> tuple[pd.DataFrame, dict[str, str]]:
    """Lists the images of a set for `read_listing`, and what does not fit its layout."""
    rows, left_out = [], {}
    for where, text in layout.rows(root, layout):
        match = re.fullmatch(layout.pattern, text, re.IGNORECASE)
        fields = match.groupdict() if match else {}
        try:
            emotion = _emotion(fields, layout)
        except ValueError:
            problem = f"expected {layout.expected}. Received: {text[-80:]!r}"
            if layout.strict:
                raise ValueError(f"{where}: {problem}") from None
            left_out[where] = problem
            continue
        if emotion is None:
            continue
        for name in layout.numbers:
            fields[name] = float(fields[name])
        if "left" in fields:
            left, top, right, bottom = (fields.pop(n) for n in ("left", "top", "right", "bottom"))
            fields["box"] = (left, top, right - left, bottom - top)
        elif "x" in fields:
            fields["box"] = tuple(fields.pop(name) for name in ("x", "y", "width", "height"))
        if "split" in fields:
            fields["split"] = layout.splits[fields["split"].lower()]
        if "subject" in fields:
            fields["subject"] = fields["subject"].upper()
        rows.append({**fields, "file": layout.image.format(**fields), "emotion": emotion})
    groups = re.compile(layout.pattern).groupindex
    return pd.DataFrame(rows, columns=None if rows else [*{"file": 0, **groups}]), left_out


def _emotion(fields: dict[str, str], layout: Layout) -> str | None:
    """Returns our name for the emotion of a row; a `ValueError` if it has none."""
    code = fields.get("emotion", "")
    if layout.codes is None:
        return canonical_emotion(code)
    if code not in layout.codes:
        raise ValueError(code)
    name = layout.codes[code]
    return None if name is None else canonical_emotion(name)


def names(root: Path, layout: Layout) -> Iterator[Row]:
    """The paths of all images, for sets whose file names say all; suffix and case do not matter."""
    for file in find_images(root):
        path = file.relative_to(root).as_posix()
        yield path, path


def lines(root: Path, layout: Layout) -> Iterator[Row]:
    """The lines of lists, one image each, blank lines and a header aside."""
    for file in sorted(root.glob(layout.labels)):
        text = file.read_text(encoding="utf-8-sig", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            is_header = number == 1 and not re.search(r"\d", line)
            if line.strip() and not is_header:
                yield f"{file}, line {number}", line.strip()
