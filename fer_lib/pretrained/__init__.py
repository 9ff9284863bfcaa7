"""A trained model with all that belongs to it, as one folder: weights, card, history, predictions.

Loading never unpickles and never needs the network.
"""

from fer_lib.pretrained.model_folder import load_pretrained, read_card, save_pretrained, write_card
from fer_lib.pretrained.pretrained import Pretrained, apply_temperature, pack_hashes

__all__ = [
    "Pretrained",
    "apply_temperature",
    "load_pretrained",
    "pack_hashes",
    "read_card",
    "save_pretrained",
    "write_card",
]
