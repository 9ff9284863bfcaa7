"""Images that show nothing, too little, or no face."""

from __future__ import annotations

import numpy as np

from fer_lib.audit.finding import Finding, plural
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.ferplus import VOTE_COLUMNS

MIN_DEVIATION = 3.0
"""Images with less contrast (standard deviation in gray levels of 255) show nothing."""

_MIN_SIDE = 32  # below, people and networks lose the eyes and brows
_MAX_ENLARGEMENT = 2.0


def check_images(dataset: FaceDataset) -> list[Finding]:
    """Finds constant, nearly constant and tiny images, and those that voters call no face."""
    findings = []

    def add(name: str, chosen: np.ndarray, one: str, many: str, text: str) -> None:
        indices = np.flatnonzero(chosen)
        if len(indices):
            findings.append(Finding(name, f"{plural(len(indices), one, many)} {text}", indices))

    deviation = np.array([image.std(axis=(0, 1)).max() for image in dataset.images])
    add("constant", deviation == 0, "image is", "images are", "one constant color")
    nearly = (deviation > 0) & (deviation < MIN_DEVIATION)
    text = f"nearly constant, with a standard deviation below {MIN_DEVIATION:g} of 255 gray levels"
    add("nearly_constant", nearly, "image is", "images are", text)
    height, width = dataset.images.shape[1:3]
    if min(height, width) < _MIN_SIDE:
        title = f"All images are {width}x{height} pixels, less than {_MIN_SIDE}"
        findings.append(Finding("tiny", title, examples=np.arange(8)[: len(dataset)]))
    elif {"width", "height"} <= set(dataset.metadata):
        source = dataset.metadata[["width", "height"]].min(axis=1).to_numpy()
        text = f"enlarged {_MAX_ENLARGEMENT:g} times or more, the smallest from {source.min():.0f}"
        enlarged = source * _MAX_ENLARGEMENT < min(height, width)
        add("tiny", enlarged, "image was", "images were", f"{text} pixels")
    if set(VOTE_COLUMNS) <= set(dataset.metadata):
        votes = dataset.metadata[list(VOTE_COLUMNS)].to_numpy()
        no_face = 2 * votes[:, -1] > votes.sum(axis=1)
        add("not_a_face", no_face, "image", "images", "that most FER+ voters call not a face")
    return findings
