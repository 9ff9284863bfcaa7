"""What a model's card says of its making, and what that means for the scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def card_rows(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the facts of a card as rows of a table; a card may lack any of them."""
    recipe, data = card.get("recipe", {}), card.get("data", {})
    rows = [
        ("network", recipe.get("variant")),
        ("parameters", _count(card.get("parameters"))),
        ("multiply-adds per face", _count(card.get("multiply_adds"))),
        ("trained on", _describe(data.get("training"))),
        ("selected on", _describe(data.get("validation"))),
        ("epoch selected", _of(card.get("selected_epoch"), recipe.get("epochs"))),
        ("seed", recipe.get("seed")),
        ("temperature of the probabilities", card.get("temperature")),
        ("versions", ", ".join(f"{k} {v}" for k, v in card.get("versions", {}).items()) or None),
    ]
    return [(name, str(value)) for name, value in rows if value is not None]


def card_warnings(card: Mapping[str, Any], data_hash: str | None) -> list[str]:
    """Says where the images that were scored have had a part in the making of the model."""
    data = card.get("data", {})
    warnings = []
    if data_hash and data_hash == data.get("training", {}).get("sha256"):
        warnings.append(
            "The model was trained on these very images: the scores say how well it remembers, "
            "not how well it generalizes."
        )
    if data_hash and data_hash == data.get("validation", {}).get("sha256"):
        warnings.append(
            "The epoch and the temperature of the model were selected on these very images: the "
            "scores are optimistically biased. Report the final score on images that had no part "
            "in that."
        )
    return warnings


def _describe(data: Mapping[str, Any] | None) -> str | None:
    if not data:
        return None
    splits = " and ".join(split for split in data.get("splits", ()) if split)
    name = f"{data.get('name', 'data set')} {splits}".strip()
    hashed = f", sha256 {data['sha256']}" if data.get("sha256") else ""
    return f"{_count(data.get('images')) or 'unknown number of'} images of {name}{hashed}"


def _count(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"


def _of(value: int | None, total: int | None) -> str | None:
    return None if value is None else f"{value} of {total}" if total else str(value)
