"""Faces by the cascade of the `mtcnn` package: its weights, constants and results, compiled.

The package runs its three networks layer by layer, reports every TensorFlow error as "no faces",
rounds the landmarks and breaks with `min_face_size` above 24. Here each stage is one TensorFlow
function for images of any size, and images are resized instead (`FaceDetector`).
"""

from __future__ import annotations

from importlib import resources

import numpy as np
import tensorflow as tf
from mtcnn.utils.tensorflow import load_weights

from fer_lib import processes
from fer_lib.detection.types import Detections

# Networks as small as these gain little from a GPU, which a training run may be using.
_DEVICE = "CPU:0"
# The package's constants: the pyramid's first and next factors, the side of the first network's
# window, and for each stage the lowest score and the largest overlap.
_FIRST_SCALE, _NEXT_SCALE, _WINDOW = 12 / 20, 0.709, 12
_PROPOSAL_SCORE, _REFINED_SCORE = 0.6, 0.7
_OVERLAP_IN_SCALE, _OVERLAP = 0.5, 0.7
# Pooling (side, stride, padding) after the convolutions of each network.
_POOLING = {
    "pnet": [(2, 2, "SAME"), None, None],
    "rnet": [(3, 2, "SAME"), (3, 2, "VALID"), None],
    "onet": [(3, 2, "SAME"), (3, 2, "VALID"), (2, 2, "SAME"), None],
}
_NOTHING = Detections(np.empty((0, 4)), np.empty(0), np.empty((0, 5, 2)))


class MtcnnBackend:
    """mtcnn 1.0 with the constants of its `detect_faces`, four times as fast."""

    smallest_face = 20.0

    def __init__(self) -> None:
        processes.mark_networks_loaded()
        pixels = tf.TensorSpec([None, None, 3], tf.uint8)
        scales, boxes = tf.TensorSpec([None]), tf.TensorSpec([None, 4])
        self._propose = tf.function(_make_proposer(), input_signature=[pixels, scales])
        self._refine = tf.function(_make_refiner("rnet", 24), input_signature=[pixels, boxes])
        self._finish = tf.function(_make_refiner("onet", 48), input_signature=[pixels, boxes])

    def find(self, image: np.ndarray, score_threshold: float) -> Detections:
        """Returns the faces of an RGB `uint8 (height, width, 3)` image."""
        processes.check_not_forked()
        levels = round(np.log(min(image.shape[:2]) / _WINDOW) / -np.log(_NEXT_SCALE) - 1)
        if levels < 1:
            return _NOTHING
        scales = np.float32(_FIRST_SCALE * _NEXT_SCALE ** np.arange(levels))
        with tf.device(_DEVICE):
            pixels = tf.constant(image)
            boxes = _square(_pick_proposals(self._propose(pixels, scales).numpy().astype(float)))
            if len(boxes) == 0:
                return _NOTHING
            offsets, scores = _run(self._refine, pixels, boxes)
            boxes = _square(_select(boxes, scores, offsets, _REFINED_SCORE)[0])
            if len(boxes) == 0:
                return _NOTHING
            offsets, points, scores = _run(self._finish, pixels, boxes)
        # Ten parts of the box: five x, then five y.
        points = points.reshape(-1, 2, 5).transpose(0, 2, 1)
        landmarks = points * _size(boxes)[:, None] + boxes[:, None, :2] - 1
        boxes, scores, kept = _select(boxes, scores, offsets, score_threshold, smaller=True)
        return Detections(boxes, scores, landmarks[kept])


def _run(stage: tf.types.experimental.GenericFunction, pixels: tf.Tensor, boxes: np.ndarray):
    """Returns the outputs of a refining network for each box, the score last."""
    height, width = pixels.shape[:2]
    parts = boxes[:, [1, 0, 3, 2]] / (height, width, height, width)
    *outputs, scores = (output.numpy().astype(float) for output in stage(pixels, parts))
    return [*outputs, scores[:, 1]]


def _make_proposer():
    """Returns a function from pixels and scales to rows: scale's number, four corners, score."""
    *weights, box_kernel, box_bias, score_kernel, score_bias = _load("pnet")
    kernel = np.concatenate([box_kernel, score_kernel], axis=-1)
    bias = np.concatenate([box_bias, score_bias])

    def propose(pixels, scales):
        size = tf.cast(tf.shape(pixels)[:2], tf.float64)

        def add_level(number, rows):
            scale = scales[number]
            shape = tf.cast(size * tf.cast(scale, tf.float64), tf.int32)
            level = tf.image.resize(pixels[None], shape, tf.image.ResizeMethod.AREA)
            features = _convolve(level, weights, _POOLING["pnet"])
            heads = tf.nn.bias_add(tf.nn.conv2d(features, kernel, 1, "VALID"), bias)[0]
            scores = tf.nn.softmax(heads[..., 4:])[..., 1]
            cells = tf.where(scores > _PROPOSAL_SCORE)  # (n, 2) row, column
            offsets = tf.gather_nd(heads, cells)[:, :4] * (_WINDOW - 1)
            corner = tf.cast(cells[:, ::-1] * 2, tf.float32)
            box = tf.concat([corner + 1, corner + _WINDOW], axis=1) + offsets
            which = tf.fill([tf.shape(cells)[0], 1], tf.cast(number, tf.float32))
            found = [which, box / scale, tf.gather_nd(scores, cells)[:, None]]
            return number + 1, rows.write(number, tf.concat(found, axis=1))

        count = tf.shape(scales)[0]
        rows = tf.TensorArray(tf.float32, count, element_shape=[None, 6], infer_shape=False)
        _, rows = tf.while_loop(lambda number, _: number < count, add_level, (0, rows))
        return rows.concat()

    return propose


def _make_refiner(name: str, side: int):
    """Returns a function from pixels and boxes to the outputs of `rnet` or `onet`.

    Boxes are `(top, left, bottom, right)` in parts of the image.
    """
    weights, pooling = _load(name), _POOLING[name]
    kernel, bias, slope, *heads = weights[3 * len(pooling) :]

    def refine(pixels, boxes):
        first = tf.zeros(tf.shape(boxes)[0], tf.int32)
        # What lies outside the image is 0 once it is normalized.
        crops = tf.image.crop_and_resize(
            pixels[None], boxes, first, (side, side), extrapolation_value=127.5
        )
        features = tf.transpose(_convolve(crops, weights, pooling), [0, 2, 1, 3])
        features = tf.reshape(features, [-1, kernel.shape[0]]) @ kernel + bias
        features = _prelu(features, slope)
        *offsets, scores = (features @ k + b for k, b in zip(heads[::2], heads[1::2], strict=True))
        return [*offsets, tf.nn.softmax(scores)]

    return refine


def _load(name: str) -> list[np.ndarray]:
    # A bare name would be looked for in the working folder, and unpickled.
    with resources.as_file(resources.files("mtcnn.assets.weights") / f"{name}.lz4") as path:
        return [np.asarray(values, np.float32) for values in load_weights(str(path))]


def _convolve(pixels, weights: list[np.ndarray], pooling: list):
    features = (tf.cast(pixels, tf.float32) - 127.5) / 128
    for index, pool in enumerate(pooling):
        kernel, bias, slope = weights[3 * index : 3 * index + 3]
        features = tf.nn.bias_add(tf.nn.conv2d(features, kernel, 1, "VALID"), bias)
        features = _prelu(features, slope)
        if pool is not None:
            features = tf.nn.max_pool2d(features, *pool)
    return features


def _prelu(features, slope: np.ndarray):
    return tf.maximum(features, 0) + slope * tf.minimum(features, 0)


def _pick_proposals(rows: np.ndarray) -> np.ndarray:
    """Returns the boxes `(n, 4)` that are left of the proposals of all scales."""
    levels = [rows[rows[:, 0] == number] for number in np.unique(rows[:, 0])]
    kept = [level[_suppress(level[:, 1:5], level[:, 5], _OVERLAP_IN_SCALE)] for level in levels]
    rows = np.concatenate([rows[:0], *kept])
    return rows[_suppress(rows[:, 1:5], rows[:, 5], _OVERLAP)][:, 1:5]


def _select(
    boxes: np.ndarray, scores: np.ndarray, offsets: np.ndarray, threshold: float, **options: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the moved boxes with a high score that no better one covers, scores, and indices."""
    boxes = boxes + offsets * np.tile(_size(boxes), 2)
    high = np.flatnonzero(scores > threshold)
    kept = high[_suppress(boxes[high], scores[high], _OVERLAP, **options)]
    return boxes[kept], scores[kept], kept


def _suppress(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, smaller: bool = False
) -> np.ndarray:
    """Returns the indices of boxes that overlap no box of a higher score, the best first.

    As in the package a box also gives way to one that itself gives way. Overlap is measured
    against the union, or against the smaller of the two boxes.
    """
    order = np.argsort(scores)[::-1]
    boxes = boxes[order]
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept = np.ones(len(boxes), bool)
    for start in range(0, len(boxes), 256):  # in blocks: textures may have 10,000 proposals
        part = slice(start, start + 256)
        low = np.maximum(boxes[part, None, :2], boxes[None, :, :2])
        high = np.minimum(boxes[part, None, 2:], boxes[None, :, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=2)
        first, second = area[part, None], area[None]
        whole = np.minimum(first, second) if smaller else first + second - shared
        kept &= ~np.triu(shared > threshold * whole, k=start + 1).any(axis=0)
    return order[kept]


def _size(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, 2:] - boxes[:, :2] + 1


def _square(boxes: np.ndarray) -> np.ndarray:
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    low = boxes[:, :2] + (size - side) / 2
    return np.concatenate([low, low + side], axis=1)
