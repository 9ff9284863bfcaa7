"""The recipe: fit with augmentation, averaged weights, checkpoints, resume, history and a card."""

from fer_lib.training.config import (
    TrainingConfig,
    choose_recipe,
    list_recipes,
    load_recipe,
    match_recipe,
)
from fer_lib.training.loop import fit, train

__all__ = [
    "TrainingConfig",
    "choose_recipe",
    "fit",
    "list_recipes",
    "load_recipe",
    "match_recipe",
    "train",
]
