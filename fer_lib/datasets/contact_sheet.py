"""How a data set shows itself in a notebook: a contact sheet and a table of counts."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

if TYPE_CHECKING:
    from fer_lib.datasets.face_dataset import FaceDataset

_CELL = 48  # pixels per image on the sheet


def contact_sheet(dataset: FaceDataset, per_class: int = 8, seed: int = 0) -> np.ndarray:
    """Returns random images of every class side by side, one class per row.

    The pixels are the data set's own: do not publish the sheet where others own them. A class with
    fewer than `per_class` images ends in white; the same seed shows the same images.

    Returns:
        `uint8 (classes * 48, per_class * 48, 3)`.
    """
    generator = np.random.default_rng(seed)
    sheet = np.full((len(dataset.class_names), _CELL, per_class, _CELL, 3), 255, np.uint8)
    for label in range(len(dataset.class_names)):
        members = np.flatnonzero(dataset.labels == label)
        chosen = generator.choice(members, min(per_class, len(members)), replace=False)
        for column, index in enumerate(np.sort(chosen)):
            image = Image.fromarray(np.squeeze(dataset.images[index])).convert("RGB")
            sheet[label, :, column] = image.resize((_CELL, _CELL))
    return sheet.reshape(len(sheet) * _CELL, per_class * _CELL, 3)


def to_html(dataset: FaceDataset) -> str:
    """Returns the sheet, with the class names and counts beside its rows, as one piece of HTML."""
    table = dataset.counts().rename(index=html.escape, columns=html.escape)
    strips = np.split(contact_sheet(dataset), len(table))
    table[""] = [
        f'<img alt="{name}" src="{data_uri(strip)}">'
        for name, strip in zip(table.index, strips, strict=True)
    ]
    with pd.option_context("display.max_colwidth", None):  # pandas would cut the images
        return f"<p>{html.escape(repr(dataset))}</p>{table.to_html(escape=False, border=0)}"


def data_uri(image: np.ndarray) -> str:
    """Returns an image, `uint8 (height, width, 3)`, as the address of an HTML image."""
    # JPEG, and gray where there is no color, so that a notebook with a few sheets stays small.
    mode = "L" if (image == image[..., :1]).all() else "RGB"
    file = io.BytesIO()
    Image.fromarray(image).convert(mode).save(file, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
