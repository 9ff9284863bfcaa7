"""The faces of an image, the same for every backend: scaled, checked, clipped and sorted here."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import cv2
import numpy as np

from fer_lib.detection import yunet_backend
from fer_lib.detection.types import LANDMARKS, Face
from fer_lib.images import ImageSource, read_image

BACKENDS = ("mtcnn", "yunet", "fast")
"""What `FaceDetector` takes; `"fast"` is yunet where its weights are at hand, else mtcnn."""

# The lowest score of a face at the first and the second look. Of 740 press photographs mtcnn finds
# no face in 52, and in 13 after the second look; on 196 images without faces it has no false
# positive. A score of 0.6 would bring one more face and one of those.
_SCORE_THRESHOLDS = {"mtcnn": (0.9, 0.7), "yunet": (0.6, 0.6)}

# Without a limit of the caller's, the smallest wanted face is this part of the image's size
# (the square root of its area). So a detector never looks at more than 1.5 megapixels.
_MIN_PART = 1 / 60


class FaceDetector:
    """Finds the faces of images.

    The image is resized so that the smallest wanted face is just large enough for the
    backend; the larger `min_face_size`, the faster. Results are in pixels of the given image.

    Args:
        backend: `"mtcnn"` (Zhang et al., arXiv 1604.02878; needs Keras' TensorFlow backend),
            `"yunet"` (Wu et al., 10.1007/s11633-023-1423-y; several times faster, any Keras
            backend, fetches 230 kB of weights at first use), or `"fast"`: yunet where its weights
            have been fetched before, else mtcnn with a warning.
        min_face_size: Longer side in pixels of the smallest face that is reported, at least 10.
            `None`: 20, or a sixtieth of the image's size where that is more (58 pixels of
            4000x3000), so that large images do not take seconds.
        score_threshold: Faces with a lower score are left out. `None`: 0.9 for mtcnn (0.7 at the
            second look), 0.6 for yunet.

    Raises:
        ValueError: An argument is out of range, or mtcnn was asked for under another Keras backend.
        OSError: The weights of yunet cannot be fetched.

    Example:
        >>> import skimage.data
        >>> detector = FaceDetector("mtcnn")
        >>> len(detector.detect(skimage.data.astronaut()))
        1
    """

    def __init__(
        self,
        backend: str = "mtcnn",
        *,
        min_face_size: float | None = None,
        score_threshold: float | None = None,
    ) -> None:
        if backend not in BACKENDS:
            raise ValueError(f"Expected `backend` among {BACKENDS}. Received: backend={backend!r}")
        if min_face_size is not None and not 10 <= min_face_size < np.inf:
            raise ValueError(
                f"Expected `min_face_size` of 10 pixels or more. Received: {min_face_size!r}"
            )
        if score_threshold is not None and not 0 <= score_threshold <= 1:
            raise ValueError(f"Expected `score_threshold` in [0, 1]. Received: {score_threshold!r}")
        if backend == "fast":
            backend = "yunet"
            if not yunet_backend.has_weights():
                backend = "mtcnn"
                warnings.warn(
                    "The weights of the detector 'yunet' have not been fetched yet: 'fast' is "
                    "'mtcnn' here. FaceDetector('yunet') fetches them once.",
                    stacklevel=2,
                )
        self.backend = backend
        self.min_face_size = min_face_size
        self.score_threshold = score_threshold
        self._backend = _load_backend(backend)

    def __reduce__(self) -> tuple[Any, ...]:
        # Networks and locks do not travel between processes; the settings do.
        settings = {"min_face_size": self.min_face_size, "score_threshold": self.score_threshold}
        return functools.partial(FaceDetector, self.backend, **settings), ()

    def smallest_face(self, image: np.ndarray) -> float:
        """Returns the longer side in pixels of the smallest face that is looked for in an image."""
        height, width = image.shape[:2]
        return self.min_face_size or max(20.0, _MIN_PART * (height * width) ** 0.5)

    def detect(self, image: ImageSource, *, second_look: bool = True) -> list[Face]:
        """Returns the faces of one image, the largest first; none is an empty list.

        Args:
            image: An image in any form that `read_image` takes.
            second_look: Look again where nothing is found, with a replicated border around the
                image: faces that fill an image are found only with a margin. It costs images
                without faces twice the time, others nothing; streams do without it.
        """
        image = read_image(image)
        shown = _resize(image, self._backend.smallest_face / self.smallest_face(image))
        first, second = _SCORE_THRESHOLDS[self.backend]
        if self.score_threshold is not None:
            first = second = self.score_threshold
        faces = self._find(image, shown, 0, first)
        if not faces and second_look:
            border = max(shown.shape) // 4
            shown = cv2.copyMakeBorder(shown, *[border] * 4, cv2.BORDER_REPLICATE)
            faces = self._find(image, shown, border, second)
        return faces

    def _find(
        self, image: np.ndarray, shown: np.ndarray, border: int, threshold: float
    ) -> list[Face]:
        """Returns the faces of `image`, of which `shown` is a resized copy within a border."""
        found = self._backend.find(shown, threshold)
        size = np.array(image.shape[1::-1])
        factor = size / (np.array(shown.shape[1::-1]) - 2 * border)
        # Both backends count from the center of the first pixel, measured on images in two sizes.
        corners = (found.corners.reshape(-1, 2, 2) - border + 0.5) * factor - 0.5
        landmarks = (found.landmarks - border + 0.5) * factor - 0.5
        # A network overflows on an odd image now and then: what is not finite is not a face.
        finite = np.isfinite(corners).all(axis=(1, 2)) & np.isfinite(landmarks).all(axis=(1, 2))
        corners, scores, landmarks = corners[finite], found.scores[finite], landmarks[finite]
        inside = np.clip(corners, 0, size)
        sides, sides_inside = (box[:, 1] - box[:, 0] for box in (corners, inside))
        wanted = sides.max(axis=1) >= self.smallest_face(image)
        wanted &= sides_inside.prod(axis=1) > 0.5 * sides.prod(axis=1)
        edges = np.rint(inside[wanted]).astype(int)
        faces = map(_make_face, edges, scores[wanted], landmarks[wanted])
        faces = [face for face in faces if min(face.box[2:]) > 0]
        return sorted(faces, key=lambda face: face.box[2] * face.box[3], reverse=True)


def _load_backend(name: str) -> Any:
    """Returns an object with `find(image, score_threshold)` and the side of its smallest face."""
    if name == "yunet":
        return yunet_backend.YunetBackend()
    # Imported here: mtcnn brings TensorFlow, which a user of yunet need not have.
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Expected the TensorFlow backend of Keras for the detector 'mtcnn'. Received: "
            f"{keras.backend.backend()!r}; use 'yunet', which works with any backend."
        )
    from fer_lib.detection.mtcnn_backend import MtcnnBackend

    return MtcnnBackend()


def _resize(image: np.ndarray, scale: float) -> np.ndarray:
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return image
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=method)


def _make_face(edges: np.ndarray, score: float, points: np.ndarray) -> Face:
    (left, top), (right, bottom) = edges.tolist()
    landmarks = {name: (x, y) for name, (x, y) in zip(LANDMARKS, points.tolist(), strict=True)}
    return Face((left, top, right - left, bottom - top), min(1.0, float(score)), landmarks)
