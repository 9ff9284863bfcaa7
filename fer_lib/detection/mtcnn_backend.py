"""Faces by the cascade of three networks in the `mtcnn` package, without its faults.

The package's own `detect_faces` reports every TensorFlow error as "no faces" and rounds the
landmarks; its three stages, which are public, do neither when they are called one by one.
"""

from __future__ import annotations

import keras
import numpy as np

from fer_lib.detection.face_detector import Detections

# As the package does by default: three networks as small as these gain little from a GPU, which a
# training may be using.
_DEVICE = "CPU:0"


class MtcnnBackend:
    """mtcnn 1.0 at the one face size where it works.

    With `min_face_size` above 24 or so its pyramid ends in pictures that are smaller than the 12
    pixels which its first network needs. So that argument stays at its default, 20, and pictures
    are resized instead.
    """

    smallest_face = 20.0

    def __init__(self, score_threshold: float) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "Expected the TensorFlow backend of Keras for the detector 'mtcnn'. Received: "
                f"{keras.backend.backend()!r}; use 'yunet', which works with any backend."
            )
        # Not before the check: without TensorFlow these imports fail with a less helpful error.
        import mtcnn
        import tensorflow as tf

        self._device = tf.device
        self._score_threshold = score_threshold
        # The networks must not be built in half precision because a training next to them is.
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float32")
        try:
            with tf.device(_DEVICE):
                self._stages = mtcnn.MTCNN(device=_DEVICE).stages
        finally:
            keras.config.set_dtype_policy(policy)

    def find(self, image: np.ndarray) -> Detections:
        """Returns the faces of an RGB `uint8 (height, width, 3)` picture."""
        pixels = (image[None].astype(np.float32) - 127.5) / 128  # (1, height, width, 3)
        boxes = None
        with self._device(_DEVICE):
            for stage in self._stages:
                boxes = stage(
                    bboxes_batch=boxes,
                    images_normalized=pixels,
                    images_oshapes=np.array([image.shape]),
                    threshold_onet=self._score_threshold,
                )
                if len(boxes) == 0:
                    return Detections(np.empty((0, 4)), np.empty(0), np.empty((0, 5, 2)))
        # A row is: picture, left, top, right, bottom, score, five x, five y.
        landmarks = boxes[:, 6:16].reshape(-1, 2, 5).transpose(0, 2, 1)
        return Detections(boxes[:, 1:5], boxes[:, 5], landmarks)
