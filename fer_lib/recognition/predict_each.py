"""Many images at once, of which none costs another its faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fer_lib.images import read_image
from fer_lib.recognition.emotion_recognizer import EmotionRecognizer
from fer_lib.recognition.face_emotion import FaceEmotion


def predict_each(
    recognizer: EmotionRecognizer,
    images: Sequence[Any],
    read: Callable[[Any], np.ndarray] = read_image,
) -> list[list[FaceEmotion] | Exception]:
    """Returns the faces of each image, or why there are none.

    All faces are predicted in one pass; where that fails, image by image.

    Args:
        recognizer: Finds the faces and predicts them.
        images: What `read` takes.
        read: Returns the RGB `uint8 (height, width, 3)` pixels of one of them, which are in memory
            one image at a time.
    """
    answers: list[list[FaceEmotion] | Exception] = [[] for _ in images]
    readable: list[int] = []

    def read_all() -> Iterator[np.ndarray]:
        for index, image in enumerate(images):
            try:
                pixels = read(image)
            except Exception as error:  # a decoder may raise anything
                answers[index] = error
            else:
                readable.append(index)
                yield pixels

    try:
        for index, faces in zip(readable, recognizer.predict(read_all()), strict=True):
            answers[index] = faces
        return answers
    except Exception as error:  # and so may a network
        if len(images) == 1:
            return [error]
        return [predict_each(recognizer, [image], read)[0] for image in images]
