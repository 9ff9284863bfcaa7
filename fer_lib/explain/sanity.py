"""Does a map depend on what the network has learned? The check that pretty maps often fail.

Adebayo et al., arXiv 1810.03292: with random weights the network knows nothing, so its maps must be
others. Methods whose maps stay alike show the image's edges, not the network's reasons.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from scipy import stats

from fer_lib.explain.gradcam import grad_cam
from fer_lib.explain.model_inputs import keras_model

if TYPE_CHECKING:
    from fer_lib.pretrained import Pretrained


def randomize_weights(model: Pretrained | keras.Model, seed: int = 0) -> Pretrained | keras.Model:
    """Returns a copy of a model that has forgotten everything: each weight array is shuffled.

    Shuffling keeps the distribution of every layer's weights, so that activations stay in range.

    Args:
        model: What `load_pretrained` returns, or a Keras model; it stays as it is.
        seed: Of the shuffling.

    Returns:
        The copy, of the same kind as `model`.
    """
    network = keras_model(model)
    generator = np.random.default_rng(seed)
    weights = [generator.permutation(w.ravel()).reshape(w.shape) for w in network.get_weights()]
    copy = keras.models.clone_model(network)
    copy.set_weights(weights)
    if network is model:
        return copy
    return dataclasses.replace(model, model=copy, name=f"{model.name} randomized")


def sanity_check(
    model: Pretrained | keras.Model,
    images: Any,
    *,
    method: Callable[..., np.ndarray] = grad_cam,
    seed: int = 0,
) -> np.ndarray:
    """Compares the maps of a model with those of a copy with random weights.

    Args:
        model: What `load_pretrained` returns, or a Keras model.
        images: As `method` takes them.
        method: `grad_cam`, `occlusion_map`, or your own: `method(model, images)` returns maps
            `(n, height, width)`.
        seed: Of the random weights.

    Returns:
        Spearman's rank correlation of the two maps of each image, `float64 (n,)`, -1 to 1: near
        0 where the map depends on what the network has learned, near 1 where it does not. 0 where
        one of the maps is the same everywhere.
    """
    trained = method(model, images)
    random = method(randomize_weights(model, seed), images)
    pairs = zip(trained, random, strict=True)
    return np.array([_rank_correlation(first.ravel(), second.ravel()) for first, second in pairs])


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(stats.spearmanr(first, second).statistic)
