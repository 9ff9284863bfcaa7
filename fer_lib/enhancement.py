"""Clean-up of poor images as plain functions, to call where they help and nowhere else.

The recognizer calls them only where you ask for it (`predict --enhance`): its networks are trained
on images as they come and normalize each crop themselves, so a good image only loses. All take a
gray array `(height, width)`, or any image that `read_image` takes, and return `uint8` of the same
height and width, gray for a gray array, else RGB. The accuracies below are those of the shipped
`cnn_fer2013` on every fourth face of FER2013's PublicTest, corrupted and then cleaned, as
`tests/benchmarks/enhancement.py` prints them.
"""

from __future__ import annotations

import cv2
import numpy as np

from fer_lib.images import ImageSource, read_image, to_gray

# 2 x 2 parts suit the crop of a face; beyond a limit of 4 or so noise and skin texture come out.
_CLIP_LIMIT, _TILES = 2.0, (2, 2)
# About the standard deviation of the noise in gray levels (two thirds of it in color).
_STRENGTH = 10.0


def enhance(image: ImageSource) -> np.ndarray:
    """Returns an image with its noise removed and its local contrast equalized.

    It suits the crop of a face that is grainy and in shadow. A clean face loses. A large image
    takes a second per megapixel.

    Example:
        >>> enhance(np.full((48, 48), 90, np.uint8)).shape
        (48, 48)
    """
    return equalize_contrast(denoise(image))


def equalize_contrast(image: ImageSource) -> np.ndarray:
    """Returns an image with its local contrast equalized (contrast-limited, adaptive: CLAHE).

    Helps where a part of the face lies in deep shadow: with one half of each face at a fifth of
    its brightness, accuracy rises from 63% to 66%. Shallow shadows gain a point or two, faces
    that are dark or pale all over nothing. Good images lose (72% to 71%), noisy ones more.
    Of a color image only the lightness changes.
    """
    equalizer = cv2.createCLAHE(_CLIP_LIMIT, _TILES)
    if _is_gray(image):
        return equalizer.apply(to_gray(image))
    lab = cv2.cvtColor(read_image(image), cv2.COLOR_RGB2LAB)
    lab[..., 0] = equalizer.apply(np.ascontiguousarray(lab[..., 0]))
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def denoise(image: ImageSource) -> np.ndarray:
    """Returns an image with its noise averaged away over similar patches (non-local means).

    Helps where grain is plainly visible: with noise of 10 gray levels on each face, accuracy rises
    from 52% to 64%. It takes the lines of a clean face for noise: 72% falls to 70%.
    """
    if _is_gray(image):
        return cv2.fastNlMeansDenoising(to_gray(image), h=_STRENGTH)
    bgr = cv2.cvtColor(read_image(image), cv2.COLOR_RGB2BGR)
    bgr = cv2.fastNlMeansDenoisingColored(bgr, h=_STRENGTH, hColor=_STRENGTH)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _is_gray(image: ImageSource) -> bool:
    return isinstance(image, np.ndarray) and image.ndim == 2
