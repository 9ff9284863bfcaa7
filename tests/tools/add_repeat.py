"""Note in the card of a shipped model what a second training by its recipe came to.

    python -m fer_lib train --data fer2013.csv --votes fer2013new.csv --recipe cnn --output repeat
    python tests/tools/add_repeat.py cnn repeat

With the same code on the same kind of processor the weights come out the same. A change of the
code that only rounds otherwise gives others: the difference is what a score owes to chance.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fer_lib import files, paths, pretrained
from fer_lib.training import TrainingConfig
from fer_lib.training.card import to_markdown


def describe_repeat(card: Mapping, again: Mapping) -> dict:
    """Returns the scores of a second training, as the first one's card holds them.

    Args:
        card: The card of the shipped model.
        again: The card of the second training.

    Raises:
        ValueError: The second was made by another recipe or from other data.
    """
    for what, of_card in (
        ("recipe", lambda made: TrainingConfig(**made["recipe"]).to_dict()),
        (
            "data",
            lambda made: [made["data"][part]["sha256"] for part in ("training", "validation")],
        ),
    ):
        if of_card(card) != of_card(again):
            raise ValueError(
                f"Expected a second training from the {what} of {card['name']}. "
                f"Received: other {what} in the card of {again['name']}"
            )
    plain, tta = again["scores"]["validation"], again["scores"]["validation_tta"]
    return {
        "accuracy": plain["accuracy"],
        "accuracy_tta": tta["accuracy"],
        "loss": plain["loss"],
        "selected_epoch": again["selected_epoch"],
        "training_seconds": again["training_seconds"],
        "versions": again["versions"],
    }


def main() -> None:
    """Adds the repeat to `card.json` and writes the model card anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="name or folder of the model")
    parser.add_argument("repeat", type=Path, help="the folder that the second training wrote")
    options = parser.parse_args()
    folder = paths.find_model(options.model)
    card = pretrained.read_card(folder)
    repeat = describe_repeat(card, pretrained.read_card(options.repeat))
    first, second = (
        pretrained.load_pretrained(model).model.get_weights() for model in (folder, options.repeat)
    )
    repeat["same_weights"] = all(map(np.array_equal, first, second))
    card["repeats"] = [*card.get("repeats", []), repeat]
    pretrained.write_card(folder, card)
    files.write_text(folder / "README.md", to_markdown(card))
    print(f"{folder}: accuracy {card['scores']['validation']['accuracy']:.4f}, again {repeat}")


if __name__ == "__main__":
    main()
