"""From a picture to its faces with their expressions, in one object: detect, align, predict.

The parts are `detection`, `alignment` and `pretrained`; here they are only put together.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fer_lib.alignment import align_face
from fer_lib.detection import Face, FaceDetector
from fer_lib.images import PictureSource, is_picture, read_image
from fer_lib.pretrained import load_pretrained


class Classifier(Protocol):
    """What `EmotionRecognizer` needs of a model; `load_pretrained` returns one."""

    class_names: tuple[str, ...]

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Returns `float32 (n, num_classes)` probabilities of `uint8 (n, 48, 48)` crops."""


@dataclass(frozen=True)
class FaceEmotion:
    """One face of a picture and what its expression may be.

    Attributes:
        face: Where the face is.
        probabilities: `float32 (num_classes,)`, in the order of `class_names`.
        class_names: The names of the classes.
    """

    face: Face
    probabilities: np.ndarray
    class_names: tuple[str, ...]

    @property
    def emotion(self) -> str:
        """The most probable class."""
        return self.class_names[int(np.argmax(self.probabilities))]

    @property
    def confidence(self) -> float:
        """The probability of `emotion`, in `[0, 1]`."""
        return float(np.max(self.probabilities))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The face's `(x, y, width, height)` in pixels of the picture."""
        return self.face.box

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON.

        The keys are `box`, `detection_score`, `landmarks` (or `None`), `emotion`, `confidence`
        and `probabilities` (class name to probability).
        """
        return {
            **self.face.to_dict(),
            "emotion": self.emotion,
            "confidence": self.confidence,
            "probabilities": dict(
                zip(self.class_names, map(float, self.probabilities), strict=True)
            ),
        }


class EmotionRecognizer:
    """Recognises the expressions of all faces in pictures.

    Args:
        model: The name or folder of a trained model (see `load_pretrained`), or a loaded one: any
            object with `class_names` and `predict(crops)`.
        detector: `"mtcnn"`, `"yunet"`, or a `FaceDetector` with settings of your own.

    Raises:
        FileNotFoundError: No model of that name.
        TypeError: `model` or `detector` is something else.

    Example:
        >>> import skimage.data
        >>> faces = EmotionRecognizer().predict(skimage.data.astronaut())  # doctest: +SKIP
        >>> faces[0].emotion  # doctest: +SKIP
        'happy'
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Classifier = "cnn",
        detector: str | FaceDetector = "mtcnn",
    ) -> None:
        if isinstance(model, (str, os.PathLike)):
            model = load_pretrained(model)
        if not (hasattr(model, "predict") and hasattr(model, "class_names")):
            raise TypeError(
                "Expected `model` as a name, a folder, or an object with `predict` and "
                f"`class_names` such as Pretrained(model, class_names). Received: {type(model)}"
            )
        if isinstance(detector, str):
            detector = FaceDetector(detector)
        if not hasattr(detector, "detect"):
            raise TypeError(
                f"Expected `detector` as 'mtcnn', 'yunet' or a FaceDetector. Received: {detector!r}"
            )
        self.model = model
        self.detector = detector

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return tuple(self.model.class_names)

    def predict(
        self, pictures: PictureSource | Iterable[PictureSource]
    ) -> list[FaceEmotion] | list[list[FaceEmotion]]:
        """Returns the faces of one picture, or of each picture of a list.

        All faces of all pictures are one forward pass. Pictures are read one after the other and
        only their crops are kept, so a list of paths may be long.

        Args:
            pictures: A picture in any form that `read_image` takes, or a list of such, or an
                array `(n, height, width, 3)`.

        Returns:
            For one picture a list of `FaceEmotion`, the largest face first, empty where there is no
            face; for several, a list of such lists in the same order.

        Raises:
            OSError, ValueError, TypeError: A picture cannot be read, see `read_image`.
        """
        if is_picture(pictures):
            return self.predict([pictures])[0]
        size = getattr(self.model, "image_size", (48, 48))[0]
        faces: list[list[Face]] = []
        crops: list[np.ndarray] = []
        for picture in pictures:
            image = read_image(picture)
            faces.append(self.detector.detect(image))
            crops += [align_face(image, face, size) for face in faces[-1]]
        probabilities = iter(self.predict_crops(np.array(crops, np.uint8)))
        names = self.class_names
        return [[FaceEmotion(face, next(probabilities), names) for face in row] for row in faces]

    def predict_crops(self, crops: np.ndarray) -> np.ndarray:
        """Returns the probabilities of faces that are aligned already.

        Args:
            crops: `uint8 (n, 48, 48)` in grey levels, as `align_face` returns them.

        Returns:
            `float32 (n, num_classes)`.
        """
        crops = np.asarray(crops)
        if len(crops) == 0:
            return np.empty((0, len(self.class_names)), np.float32)
        return np.asarray(self.model.predict(crops), np.float32)
