"""How a data set shows itself in a notebook: a contact sheet and a table of counts."""

from __future__ import annotations

import base64
import html
import io

import numpy as np
from PIL import Image

from fer_lib.datasets.face_dataset import FaceDataset

_PER_CLASS = 8
_CELL = 48  # pixels a picture on the sheet


def contact_sheet(dataset: FaceDataset, per_class: int = _PER_CLASS, seed: int = 0) -> np.ndarray:
    """Returns random pictures of every class side by side, one class a row.

    The pictures are the data set's own: where others own them, the sheet belongs in no file that
    is published.

    Args:
        dataset: Where the pictures come from.
        per_class: Pictures a row; a class with fewer ends in white.
        seed: The same seed shows the same pictures.

    Returns:
        `uint8 (classes * 48, per_class * 48, 3)`.
    """
    generator = np.random.default_rng(seed)
    sheet = np.full((len(dataset.class_names) * _CELL, per_class * _CELL, 3), 255, np.uint8)
    for label in range(len(dataset.class_names)):
        members = np.flatnonzero(dataset.labels == label)
        chosen = generator.choice(members, min(per_class, len(members)), replace=False)
        for column, index in enumerate(np.sort(chosen)):
            picture = Image.fromarray(np.squeeze(dataset.images[index])).convert("RGB")
            top, left = label * _CELL, column * _CELL
            sheet[top : top + _CELL, left : left + _CELL] = picture.resize((_CELL, _CELL))
    return sheet


def to_html(dataset: FaceDataset) -> str:
    """Returns the sheet, with the class names and counts beside its rows, as one piece of HTML."""
    counts = dataset.counts()
    sheet = contact_sheet(dataset)
    rows = []
    for label, name in enumerate(dataset.class_names):
        numbers = "".join(f"<td>{count}</td>" for count in counts.loc[name])
        strip = data_uri(sheet[label * _CELL : (label + 1) * _CELL])
        rows.append(
            f"<tr><th>{html.escape(name)}</th>{numbers}"
            f'<td><img alt="{html.escape(name)}" src="{strip}"></td></tr>'
        )
    head = "".join(f"<th>{html.escape(column)}</th>" for column in counts)
    return (
        f"<p>{html.escape(repr(dataset))}</p>"
        f"<table><thead><tr><th>class</th>{head}<th></th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def data_uri(image: np.ndarray) -> str:
    """Returns a picture, `uint8 (height, width, 3)`, as the address of an HTML image."""
    # JPEG, and without colour where there is none: a notebook that shows a few sheets stays small.
    picture = Image.fromarray(image)
    if (image == image[..., :1]).all():
        picture = picture.convert("L")
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
