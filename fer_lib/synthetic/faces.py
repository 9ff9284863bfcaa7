"""Synthetic faces with known expressions: a data set that needs no download.

A parametric face is moved by facial action units and rendered with numpy alone. It is no stand-in
for people: a network that classifies these faces correctly has learned our renderer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.labels import EMOTIONS, canonical_emotion
from fer_lib.synthetic import face_parts, head
from fer_lib.synthetic.canvas import Canvas, camera, light
from fer_lib.synthetic.factors import (
    ACTION_UNITS,
    EMOTION_ACTION_UNITS,
    FACTORS,
    factor_of,
    sample_factors,
)
from fer_lib.synthetic.geometry import LANDMARKS, FaceGeometry


def make_faces(
    num_per_class: int | Mapping[str, int] = 100,
    seed: int = 0,
    image_size: int = 48,
    *,
    color: bool = False,
    class_names: Sequence[str] = EMOTIONS,
    people: int | None = None,
    factors: Mapping[str, Any] | None = None,
) -> FaceDataset:
    """Generates faces whose expressions, and everything else about them, are known.

    An expression is a set of facial action units (Ekman and Friesen, Facial Action Coding System,
    1978; the sets are the prototypes of EMFACS, without their variants):

    ========  ============================================================
    emotion   action units
    ========  ============================================================
    happy     6 cheek raiser, 12 lip corner puller
    sad       1 inner brow raiser, 4 brow lowerer, 15 lip corner depressor
    surprise  1, 2 outer brow raiser, 5 upper lid raiser, 26 jaw drop
    fear      1, 2, 4, 5, 7 lid tightener, 20 lip stretcher, 26
    angry     4, 5, 7, 23 lip tightener
    disgust   9 nose wrinkler, 15, 16 lower lip depressor
    contempt  14 dimpler, on one side
    ========  ============================================================

    The intensity of each face varies, so that weak expressions are close to neutral; each unit
    varies about it, and every face, a neutral one too, moves a little at random.

    Faces lie in the image as FER2013's do: eyes at (15.0, 18.5) and (33.0, 18.5) of 48 pixels.

    Args:
        num_per_class: Faces of each class, or a count for each class name.
        seed: The same seed gives the same faces, and a larger set begins with the smaller one
            (where `num_per_class` is a number).
        image_size: Edge of the square images in pixels, 16 to 1024.
        color: RGB images instead of gray ones.
        class_names: The classes, in label order; any of `EMOTIONS_8`.
        people: How many different people the set shows, each about equally often in every class;
            None makes every face another person.
        factors: Factors to fix or to skew, by the name of their column in `metadata`:
            one value (`{"skin_tone": 9}`); a range to draw from evenly (`{"yaw": (0, 10)}`); a
            list to choose from evenly (`{"hair": ["short", "none"]}`); an array with a value for
            each face; or a dictionary of these by class, which leaves the classes that it does not
            name as they are (`{"glasses": {"happy": True}}`). All other factors stay as they are.

    Returns:
        The faces, classes taking turns. `metadata` holds the true factors: `emotion`, `person`,
        `intensity`, the action units (0 to 1), the columns of `FACTORS`, and the landmarks in
        pixels (`left_eye_x` ... `mouth_right_y`); `subjects` says who is on each image.

    Raises:
        ValueError: A count, size or class is none that can be drawn, or a factor is unknown or
            out of its range.

    Example:
        >>> faces = make_faces(2, seed=1, factors={"skin_tone": {"angry": 9}})
        >>> faces.images.shape, int(faces.metadata["skin_tone"][0])
        ((14, 48, 48, 1), 9)
    """
    class_names = tuple(canonical_emotion(name) for name in class_names)
    counts = dict.fromkeys(class_names, num_per_class)
    if isinstance(num_per_class, Mapping):
        counts = dict.fromkeys(class_names, 0)
        counts |= {canonical_emotion(name): count for name, count in num_per_class.items()}
    for name, count in counts.items():
        if name not in class_names:
            raise ValueError(f"Expected classes among {class_names}. Received: {name!r}")
        _check_whole(f"num_per_class of {name}", count, 0, 10**7)
    if not sum(counts.values()):
        raise ValueError("Expected `num_per_class` of at least 1 in some class. Received: 0 faces")
    _check_whole("seed", seed, 0, 2**63)
    if people is not None:
        _check_whole("people", people, 1, 10**7)
    table = sample_factors(counts, seed, people, factors)
    images = draw_faces(table, image_size, color=color)
    columns = {name: table[name].to_numpy() for name in table}
    places = FaceGeometry(columns).landmarks(image_size).reshape(len(table), 10)
    # Sines differ in their last digit from machine to machine; a rounded table does not.
    places = places.astype(np.float64).round(3)
    names = [f"{name}_{axis}" for name in LANDMARKS for axis in "xy"]
    label = {name: index for index, name in enumerate(class_names)}
    return FaceDataset(
        images=images,
        labels=np.array([label[name] for name in table["emotion"]], np.int64),
        class_names=class_names,
        subjects=table["person"].to_numpy(str),
        metadata=table.assign(**dict(zip(names, places.T, strict=True))),
        name="synthetic",
    )


def draw_faces(table: pd.DataFrame, image_size: int = 48, *, color: bool = False) -> np.ndarray:
    """Draws every row of a table of factors, such as the `metadata` of `make_faces`.

    The same row gives the same face at any size, so small faces can be looked at in large.

    Args:
        table: One row per face; columns as `make_faces` describes them. A factor without a column
            has the value of the plain face: neutral, seen from the front.
        image_size: As of `make_faces`.
        color: As of `make_faces`.

    Returns:
        `uint8 (n, image_size, image_size, 1)`, or 3 channels with `color`.

    Raises:
        ValueError: A value or the size is out of its range.
    """
    _check_whole("image_size", image_size, 16, 1024)
    columns = {}
    for name in (*FACTORS, *ACTION_UNITS):
        plain = np.full(len(table), factor_of(name).plain)
        columns[name] = table[name].to_numpy() if name in table else plain
        factor_of(name).check(name, columns[name])
    channels = 3 if color else 1
    images = np.empty((len(table), image_size, image_size, channels), np.uint8)
    step = max(1, 16 * 48 * 48 // image_size**2)  # so few that they stay in the processor's cache
    for start in range(0, len(table), step):
        rows = slice(start, start + step)
        part = {name: values[rows] for name, values in columns.items()}
        images[rows] = _draw_batch(part, image_size, channels)
    return images


def _draw_batch(factors: Mapping[str, np.ndarray], size: int, channels: int) -> np.ndarray:
    """Draws one face for each value of the columns of a table of factors, each `(n,)`."""
    face = FaceGeometry(factors)
    canvas = Canvas(face, size, channels)
    colors = head.Colors(face, canvas)
    head.background(canvas, face, colors)
    head.skin(canvas, face, colors)
    face_parts.forehead_lines(canvas, face)
    face_parts.eye_lines(canvas, face)
    face_parts.mouth_lines(canvas, face)
    face_parts.nose(canvas, face, colors)
    head.beard(canvas, face, colors)
    face_parts.mouth(canvas, face, colors)
    light(canvas, face)
    face_parts.eyes(canvas, face, colors)
    face_parts.brows(canvas, face, colors)
    head.hair(canvas, face, colors)
    head.glasses(canvas, face, colors)
    return camera(canvas.color, face)


def draw_face(
    factors: Mapping[str, Any] | None = None, image_size: int = 256, *, color: bool = True
) -> np.ndarray:
    """Draws one face of which every factor is known.

    Args:
        factors: Whatever differs from the plain face, which is neutral and seen from the front:
            any factor or action unit, and `emotion` with `intensity` (0 to 1) for a whole
            prototype, which single action units then overrule.
        image_size: Edge of the square image in pixels, 16 to 1024.
        color: RGB instead of gray.

    Returns:
        `uint8 (image_size, image_size, 3)`, or 1 channel without `color`.

    Raises:
        ValueError: A factor is unknown or out of its range.

    Example:
        >>> draw_face({"AU12": 1.0, "skin_tone": 8}).shape
        (256, 256, 3)
        >>> draw_face({"emotion": "fear", "intensity": 0.5}, 48, color=False).shape
        (48, 48, 1)
    """
    factors = dict(factors or {})
    emotion = canonical_emotion(factors.pop("emotion", "neutral"))
    intensity = factors.pop("intensity", 1.0)
    factor_of("intensity").check("intensity", np.array([intensity]))
    row = {name: weight * intensity for name, weight in EMOTION_ACTION_UNITS[emotion].items()}
    row |= factors
    for name in row:
        factor_of(name)  # which refuses an unknown name
    return draw_faces(pd.DataFrame([row], index=[0]), image_size, color=color)[0]


def _check_whole(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"Expected `{name}` as a whole number. Received: {value!r}")
    if not low <= value <= high:
        raise ValueError(f"Expected `{name}` from {low} to {high}. Received: {value}")
