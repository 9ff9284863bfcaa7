"""What a training run is made of, as one value; recipe files hold those of the shipped models."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fer_lib import models
from fer_lib.augmentation import build_augmenter

RECIPES_DIR = Path(__file__).resolve().parent.parent / "recipes"
_MANY_IMAGES = 5000
_KINDS = {"str": str, "int": int, "float": (int, float), "bool": bool, "dict": Mapping}
_CHOICES = {
    "variant": (*models.CNN_VARIANTS, "resnet50"),
    "optimizer": ("sgd", "adam"),
    "keep": ("best", "last"),
    "precision": ("float32", "mixed_bfloat16"),
}
_MINIMA = {
    "epochs": 1, "batch_size": 1, "warmup_epochs": 0, "weight_decay": 0, "mixup": 0, "votes": 0
}  # fmt: skip


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the result of a training run, but for the data.

    Attributes:
        variant: Which network: one of `models.build_cnn`, or `"resnet50"`.
        epochs: Passes over the training images, at least 1.
        batch_size: Images per step, at least 1.
        learning_rate: Highest rate, above 0.
        optimizer: `"sgd"` with Nesterov momentum 0.9, or `"adam"`.
        warmup_epochs: The rate rises linearly for so many epochs, then falls along a cosine.
        weight_decay: Decoupled from the momentum, as Keras does it: use ten times what recipes
            for PyTorch's SGD say. Biases and batch normalization are left out.
        label_smoothing: Share of the target that is spread over all classes, `[0, 1)`.
        average_decay: Decay, a step, of the exponential average of the weights that is
            evaluated and kept, `[0, 1)`.
        average_warmup: Bounds that decay by the steps taken, `min(decay, (1 + t) / (10 + t))`, and
            scores the plain weights, too, of which the better are kept: for training runs of
            any length. The recipes of the first shipped models do without.
        dropout_rate: Of the embedding; the variant's own where it is None.
        resolution: See `models.build_resnet50`; of no meaning to the others.
        weights: The same: where the backbone's weights come from.
        head_epochs: So many of the epochs train the head alone, the first ones.
        unfreeze_from: Afterwards the layers from this one on are trained; all where it is None.
        freeze_batch_norm: Whether batch normalization keeps the statistics that it came with.
        mixup: Images and targets are mixed in pairs, with a share drawn from Beta(a, a) (Zhang
            et al., arXiv 1710.09412); 0 leaves it out.
        teacher: A trained model, by name or folder, that the network learns from besides.
        distillation: Weight in the loss of what the teacher says of the same augmented images,
            `[0, 1]`; the labels have the rest (Hinton et al., arXiv 1503.02531; Beyer et al.,
            arXiv 2106.05237).
        distillation_temperature: Softens teacher and student in that part, above 0.
        votes: Weight of a second head that learns how the FER+ taggers voted, at least 0; the head
            is dropped at the end. Needs the vote columns of `load_ferplus`.
        votes_share: So much of the kept logits comes from that second head instead, `[0, 1]`: 0
            predicts the label, 1 what people see, and the mean of both heads is between.
        prior_correction: The kept probabilities are divided by the classes' shares of the votes to
            this power, at least 0, so that frequent classes are not preferred (Menon et al., arXiv
            2007.07314, section 4.1).
        keep: `"best"` keeps the epoch of the highest validation accuracy, `"last"` the last one,
            so that the validation set chooses nothing.
        precision: `"float32"`, or `"mixed_bfloat16"`: twice as fast on hardware that has it.
            The model is saved in float32 either way.
        seed: Of the weights, the order, the augmentation and the dropout.
        augmentation: Arguments of `augmentation.build_augmenter`.
    """

    variant: str = "base"
    epochs: int = 36
    batch_size: int = 128
    learning_rate: float = 0.1
    optimizer: str = "sgd"
    warmup_epochs: float = 2.0
    weight_decay: float = 5e-3
    label_smoothing: float = 0.1
    average_decay: float = 0.998
    average_warmup: bool = True
    dropout_rate: float | None = None
    resolution: int = 96
    weights: str | None = None
    head_epochs: int = 0
    unfreeze_from: str | None = None
    freeze_batch_norm: bool = False
    mixup: float = 0.0
    teacher: str | None = None
    distillation: float = 0.0
    distillation_temperature: float = 3.0
    votes: float = 0.0
    votes_share: float = 0.0
    prior_correction: float = 0.0
    keep: str = "best"
    precision: str = "float32"
    seed: int = 0
    augmentation: dict[str, object] = field(default_factory=dict)

    def __post_init__(self):
        for entry in dataclasses.fields(self):
            value, kinds = getattr(self, entry.name), _KINDS[re.match(r"\w+", entry.type)[0]]
            fine = isinstance(value, kinds) and (kinds is bool or not isinstance(value, bool))
            optional = value is None and "None" in entry.type
            if not (fine or optional):
                raise ValueError(
                    f"Expected `{entry.name}` of type {entry.type}. Received: {value!r}"
                )
        values = vars(self)
        checks = {k: (values[k] in names, f"one of {names}") for k, names in _CHOICES.items()}
        checks |= {k: (values[k] >= low, f"at least {low}") for k, low in _MINIMA.items()}
        checks |= {
            "learning_rate": (self.learning_rate > 0, "above 0"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "in [0, 1)"),
            "average_decay": (0 <= self.average_decay < 1, "in [0, 1)"),
            "head_epochs": (0 <= self.head_epochs <= self.epochs, "from 0 to `epochs`"),
            "distillation": (0 <= self.distillation <= 1, "in [0, 1]"),
            "distillation_temperature": (self.distillation_temperature > 0, "above 0"),
            "votes_share": (
                0 <= self.votes_share <= bool(self.votes),
                "in [0, 1], 0 without votes",
            ),
            "prior_correction": (
                self.prior_correction >= 0 and (self.votes_share > 0 or not self.prior_correction),
                "at least 0, 0 without votes_share",
            ),
        }
        for name, (fine, expected) in checks.items():
            if not fine:
                raise ValueError(f"Expected `{name}` {expected}. Received: {values[name]!r}")

    def to_dict(self) -> dict[str, object]:
        """Returns plain values, as JSON and the model's card hold them."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def replace(self, **changes: object) -> TrainingConfig:
        """Returns a copy with some values changed."""
        return dataclasses.replace(self, **changes)


def match_recipe(config: TrainingConfig, card: Mapping[str, object]) -> TrainingConfig:
    """Returns a recipe for the network that a trained model has, to fine-tune it.

    Args:
        config: The recipe, such as `load_recipe("finetune")`.
        card: The trained model's card, `Pretrained.card`.

    Raises:
        ValueError: The card does not say which network it is.
    """
    made_by = card.get("recipe")
    if not isinstance(made_by, Mapping) or "variant" not in made_by:
        raise ValueError(
            "Expected the card of a model that `train` made, with its recipe. Received: one "
            "without; name a recipe of the same network instead"
        )
    of_the_network = ("variant", "resolution")
    return config.replace(**{key: made_by[key] for key in of_the_network if key in made_by})


def choose_recipe(num_images: int, with_votes: bool = False) -> str:
    """Returns the name of the recipe to train a new model on so many images with."""
    if num_images < _MANY_IMAGES:
        return "small"
    return "cnn" if with_votes else "large"


def list_recipes() -> list[str]:
    """Returns the names of the recipes that come with the library."""
    return sorted(file.stem for file in RECIPES_DIR.glob("*.toml"))


def load_recipe(name: str | os.PathLike[str]) -> TrainingConfig:
    """Reads a recipe.

    Args:
        name: The name of a recipe of the library, such as `"cnn"`, or the path of a TOML file.

    Raises:
        FileNotFoundError: No such recipe; the message lists those that exist.
        ValueError: The file is not TOML, or has a key or a value that `TrainingConfig` does not
            take.
    """
    file = RECIPES_DIR / f"{name}.toml"
    if not file.is_file():
        file = Path(name)
    if not file.is_file():
        raise FileNotFoundError(
            f"Expected a recipe ({', '.join(list_recipes())}) or a TOML file. "
            f"Received: {str(name)!r}"
        )
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"Expected TOML in {file}. Received: {error}") from error
    known = {entry.name for entry in dataclasses.fields(TrainingConfig)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(
            f"Expected only the keys {sorted(known)} in {file}. Received: {', '.join(unknown)}"
        )
    try:
        build_augmenter(**values.get("augmentation", {}), seed=0)
        return TrainingConfig(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected a recipe in {file}. Received: {error}") from error
