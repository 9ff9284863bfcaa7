"""From an image to its faces with their expressions, in one object: detect, align, predict.

The parts are `detection`, `alignment` and `pretrained`; here they are only put together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fer_lib.alignment import crop_detected_face
from fer_lib.detection import BACKENDS, Face, FaceDetector
from fer_lib.images import ImageSource, is_image, read_image
from fer_lib.pretrained import load_pretrained
from fer_lib.recognition.emotion_stream import EmotionStream
from fer_lib.recognition.face_emotion import Classifier, FaceEmotion


class EmotionRecognizer:
    """Recognizes the expressions of all faces in images and videos.

    It can be pickled: a model given by its name or folder, and the detector's networks, are loaded
    anew.

    Args:
        model: The name or folder of a trained model (see `load_pretrained`), or a loaded one: any
            object with `class_names` and `predict(faces)`. `None` is `"cnn"`, for images and
            streams alike; `"cnn_tiny"` takes a third of the time.
        detector: `"mtcnn"`, `"yunet"`, `"fast"` (yunet where its weights are at hand, else
            mtcnn), or a `FaceDetector` with settings of your own.

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
        model: str | os.PathLike[str] | Classifier | None = None,
        detector: str | FaceDetector = "mtcnn",
    ) -> None:
        self._source = "cnn" if model is None else model
        is_name = isinstance(self._source, (str, os.PathLike))
        self.model = load_pretrained(self._source) if is_name else self._source
        if not (hasattr(self.model, "predict") and hasattr(self.model, "class_names")):
            raise TypeError(
                "Expected `model` as a name, a folder, or an object with `predict` and "
                f"`class_names` such as Pretrained(model, class_names). Received: {type(model)}"
            )
        self.detector = FaceDetector(detector) if isinstance(detector, str) else detector
        if not hasattr(self.detector, "detect"):
            raise TypeError(
                f"Expected `detector` among {BACKENDS}, or a FaceDetector. Received: {detector!r}"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return EmotionRecognizer, (self._source, self.detector)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return tuple(self.model.class_names)

    def predict(
        self, images: ImageSource | Iterable[ImageSource]
    ) -> list[FaceEmotion] | list[list[FaceEmotion]]:
        """Returns the faces of one image, or of each image of a list.

        All faces of all images are one forward pass. Images are read one after the other and
        only their crops are kept, so a list of paths may be long.

        Args:
            images: An image in any form that `read_image` takes, or a list of such, or an
                array `(n, height, width, 3)`.

        Returns:
            For one image a list of `FaceEmotion`, the largest face first, empty where there is no
            face; for several, a list of such lists in the same order.

        Raises:
            OSError, ValueError, TypeError: An image cannot be read, see `read_image`.
        """
        if is_image(images) or isinstance(images, Mapping) or not isinstance(images, Iterable):
            return self.predict([images])[0]
        shape = getattr(self.model, "image_shape", (48, 48, 1))
        found: list[list[Face]] = []
        crops: list[np.ndarray] = []
        for image in map(read_image, images):
            found.append(self.detector.detect(image))
            crops += [crop_detected_face(image, face, shape) for face in found[-1]]
        rows = iter(np.asarray(self.model.predict(np.array(crops)), np.float32) if crops else ())
        names = self.class_names
        return [[FaceEmotion(face, next(rows), names) for face in faces] for faces in found]

    def start_stream(self, **options: Any) -> EmotionStream:
        """Returns an `EmotionStream` for a video or a camera, which takes frame after frame.

        Args:
            **options: `detect_every`, `smoothing_s` and `background`, see `EmotionStream`.

        Example:
            >>> with EmotionRecognizer().start_stream() as stream:  # doctest: +SKIP
            ...     faces = stream.update(frame, time_s=0.04)
        """
        return EmotionStream(self.model, self.detector, **options)


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
