"""From a picture to its faces with their expressions, in one object: detect, align, predict.

The parts are `detection`, `alignment` and `pretrained`; here they are only put together.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from fer_lib.alignment import crop_detected_face
from fer_lib.detection import Face, FaceDetector
from fer_lib.images import ImageSource, is_image, read_image
from fer_lib.pretrained import load_pretrained
from fer_lib.recognition.faces import FaceEmotion, TrackedEmotion
from fer_lib.recognition.stream import DETECT_EVERY, EmotionStream


class Classifier(Protocol):
    """What `EmotionRecognizer` needs of a model; `load_pretrained` returns one."""

    class_names: tuple[str, ...]

    def predict(self, faces: np.ndarray) -> np.ndarray:
        """Returns `float32 (n, num_classes)` probabilities of `uint8 (n, 48, 48)` faces."""


class EmotionRecognizer:
    """Recognises the expressions of all faces in pictures.

    Args:
        model: The name or folder of a trained model (see `load_pretrained`), or a loaded one: any
            object with `class_names` and `predict(faces)`. `None` is `"cnn"`, for images and
            streams alike; `"cnn_tiny"` answers a stream in a third of the time.
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
        model: str | os.PathLike[str] | Classifier | None = None,
        detector: str | FaceDetector = "mtcnn",
    ) -> None:
        if model is None:
            model = "cnn"
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
        self, pictures: ImageSource | Iterable[ImageSource]
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
        if is_image(pictures):
            return self.predict([pictures])[0]
        size = getattr(self.model, "image_shape", (48, 48, 1))[0]
        faces: list[list[Face]] = []
        crops: list[np.ndarray] = []
        for picture in pictures:
            image = read_image(picture)
            faces.append(self.detector.detect(image))
            crops += [crop_detected_face(image, face, size) for face in faces[-1]]
        probabilities = iter(self.predict_faces(np.array(crops, np.uint8)))
        names = self.class_names
        return [[FaceEmotion(face, next(probabilities), names) for face in row] for row in faces]

    def predict_faces(self, crops: np.ndarray) -> np.ndarray:
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

    def start_stream(
        self,
        *,
        detect_every: int = DETECT_EVERY,
        smoothing_s: float = 0.25,
        background: bool = True,
    ) -> EmotionStream:
        """Returns an engine for a video or a camera, which takes one frame after the other.

        Args:
            detect_every: Faces are detected in every so many-th frame and tracked in between.
            smoothing_s: Time in seconds over which the probabilities of a face are averaged.
            background: Detect in a thread of its own, so that no frame waits for it; for the same
                answers on every run say False. See `EmotionStream`.

        Raises:
            ValueError: An argument is out of range.

        Example:
            >>> with EmotionRecognizer().start_stream() as stream:  # doctest: +SKIP
            ...     faces = stream.update(frame, time_s=0.04)
        """
        return EmotionStream(
            self.model,
            self.detector,
            detect_every=detect_every,
            smoothing_s=smoothing_s,
            background=background,
        )

    def stream(
        self,
        frames: Iterable[np.ndarray | tuple[float, np.ndarray]],
        *,
        fps: float = 30.0,
        detect_every: int = DETECT_EVERY,
        smoothing_s: float = 0.25,
        background: bool = True,
    ) -> Iterator[tuple[float, list[TrackedEmotion]]]:
        """Yields the faces of each frame of a video, a camera, or any other source of frames.

        Args:
            frames: RGB `uint8 (height, width, 3)` frames, or pairs of a time in seconds and such
                a frame. Taken one by one, as the results are asked for.
            fps: Frames a second, where the frames come without a time.
            detect_every: See `start_stream`, as for the other arguments.
            smoothing_s: See `start_stream`.
            background: See `start_stream`.

        Yields:
            The time in seconds and the list of `TrackedEmotion`, the largest face first, once a
            frame.

        Raises:
            ValueError: A frame or an argument is not as it should be.

        Example:
            >>> for time_s, faces in EmotionRecognizer().stream(frames):  # doctest: +SKIP
            ...     print(time_s, [(face.face_id, face.emotion) for face in faces])
        """
        if not 0 < fps < np.inf:
            raise ValueError(f"Expected `fps` above 0. Received: {fps!r}")
        with self.start_stream(
            detect_every=detect_every, smoothing_s=smoothing_s, background=background
        ) as engine:
            for index, item in enumerate(frames):
                time_s, frame = item if isinstance(item, tuple) else (index / fps, item)
                yield float(time_s), engine.update(frame, time_s)
