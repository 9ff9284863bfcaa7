"""The recipe: fit with augmentation, averaged weights, checkpoints, resume, history and a card."""

from fer_lib.training.config import TrainingConfig, list_recipes, load_recipe
from fer_lib.training.loop import train

__all__ = ["TrainingConfig", "list_recipes", "load_recipe", "train"]
