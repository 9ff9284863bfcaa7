"""Score shipped models anew and write their cards and predictions, after the form has changed.

    python tests/tools/write_model_cards.py fer2013.csv fer2013new.csv cnn cnn_tiny

Recipe, history, data and the versions that trained stay as they are in `card.json`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fer_lib import files, paths, pretrained
from fer_lib.datasets import load_fer2013, load_ferplus
from fer_lib.training import card as cards


def main() -> None:
    """Writes the cards of the named models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="FER2013 in any published layout")
    parser.add_argument("votes", type=Path, help="the votes of FER+, fer2013new.csv")
    parser.add_argument("models", nargs="+", help="names or folders")
    options = parser.parse_args()
    dataset = load_ferplus(options.votes, load_fer2013(options.data))
    train_set, validation_set = dataset.subset(split="Training"), dataset.subset(split="PublicTest")
    for name in options.models:
        folder = paths.find_model(name)
        trained = pretrained.load_pretrained(folder)
        card = dict(trained.card)
        card["scores"], predictions = cards.score(
            trained, train_set, validation_set, card.get("predicts") == "votes"
        )
        card["temperature"] = trained.temperature
        pretrained.write_card(folder, card, predictions)
        files.write_text(folder / "README.md", cards.to_markdown(card))
        print(f"{folder}: accuracy {card['scores']['validation']['accuracy']:.4f}")


if __name__ == "__main__":
    main()
