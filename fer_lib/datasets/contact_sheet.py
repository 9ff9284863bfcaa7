"""How a data set shows itself in a notebook: a few images of each class beside its counts."""

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

_PER_CLASS, _CELL = 8, 48  # images of a class, pixels of an image


def to_html(dataset: FaceDataset) -> str:
    """Returns a row per class, its counts and random images, as one piece of HTML.

    The pixels are the data set's own: do not publish them where others own them. A class with
    fewer images than fit ends in white; the same data set always shows the same images.
    """
    generator = np.random.default_rng(0)
    table = dataset.counts().rename(index=html.escape, columns=html.escape)
    shown = []
    for label, name in enumerate(table.index):
        strip = np.full((_CELL, _PER_CLASS, _CELL, 3), 255, np.uint8)
        members = np.flatnonzero(dataset.labels == label)
        chosen = generator.choice(members, min(_PER_CLASS, len(members)), replace=False)
        for column, index in enumerate(np.sort(chosen)):
            image = Image.fromarray(np.squeeze(dataset.images[index])).convert("RGB")
            strip[:, column] = image.resize((_CELL, _CELL))
        # JPEG, and gray where there is no color, so that a notebook with a few of them stays small.
        mode, file = "L" if (strip == strip[..., :1]).all() else "RGB", io.BytesIO()
        Image.fromarray(strip.reshape(_CELL, -1, 3)).convert(mode).save(file, "JPEG", quality=80)
        data = base64.b64encode(file.getvalue()).decode()
        shown.append(f'<img alt="{name}" src="data:image/jpeg;base64,{data}">')
    with pd.option_context("display.max_colwidth", None):  # pandas would cut the images
        page = table.assign(**{"": shown}).to_html(escape=False, border=0)
    return f"<p>{html.escape(repr(dataset))}</p>{page}"
