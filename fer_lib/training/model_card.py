"""The model card that people read, written from `card.json` alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_NETWORKS = {
    "resnet50": "A ResNet50 (He et al., arXiv 1512.03385)",
    **{name: f"A convolutional network (variant `{name}`)" for name in ("lesson", "tiny", "base")},
}
# A class whose recall is below this is named as a weak point.
_WEAK_RECALL = 0.5


def to_markdown(card: Mapping[str, Any]) -> str:
    """Returns the model card of a trained model.

    Args:
        card: What `card.json` holds.
    """
    data, recipe = card["data"], card["recipe"]
    one, ten = card["scores"]["selection"], card["scores"]["selection_ten_views"]
    before = card["scores"]["before_temperature"]
    adjusted = card["scores"]["prior_adjusted"]
    selected_on = _name_data(data["selection"])
    shape = "x".join(str(card["input"][side]) for side in ("height", "width", "channels"))
    sections = [
        f"# Model card: {card['name']}",
        "Written from `card.json` by `fer_lib`; do not edit.",
        f"{_NETWORKS.get(recipe['variant'], 'A network')} that gives one of "
        f"{len(card['class_names'])} expressions to an aligned face of {shape} "
        f"{card['input']['values']}. {card['parameters']:,} parameters, "
        f"{card['multiply_adds'] / 1e6:.0f} million multiply-adds a face. "
        f"{_speed(card['speed'])}",
        "## Scores",
        f"On {one['n']:,} faces of {selected_on}, on which the epoch was selected and the "
        "temperature fitted: these scores are a little kind. Intervals are 95 %.",
        _table(
            ["", "one view", "ten views"],
            [
                [title, _with_interval(one, key), _with_interval(ten, key)]
                for title, key in (
                    ("accuracy", "accuracy"),
                    ("balanced accuracy", "balanced_accuracy"),
                    ("macro F1", "macro_f1"),
                    ("Cohen's kappa", "kappa"),
                    ("loss", "loss"),
                )
            ],
        ),
        *_clean_part(one),
        *_repeats(card),
        f"Calibration error {before['ece']:.3f}, loss {before['loss']:.3f} before, "
        f"{one['ece']:.3f} and {one['loss']:.3f} after temperature scaling "
        f"({card['temperature']}, which `load_pretrained` applies).",
        "One view, by class; the last column with probabilities divided by the classes' shares of "
        "the training pictures (`adjust_priors`), for whom rare classes matter as much as others. "
        f"That takes the accuracy to {adjusted['accuracy']:.3f} and the balanced accuracy to "
        f"{adjusted['balanced_accuracy']:.3f}:",
        _table(
            ["class", "precision", "recall", "F1", "faces", "recall, adjusted"],
            [
                [
                    name,
                    *(_share(row[key]) for key in ("precision", "recall", "f1")),
                    row["support"],
                    _share(adjusted["recall"][name]),
                ]
                for name, row in one["per_class"].items()
            ],
        ),
        "## Weak points",
        _weak_points(one),
        "## Data and training",
        f"Trained on {data['training']['pictures']:,} faces of {_name_data(data['training'])} "
        f"({data['training']['constant_pictures_left_out']} constant pictures left out), "
        f"sha256 `{data['training']['sha256']}`; selected on {data['selection']['pictures']:,} "
        f"faces of {selected_on}, sha256 `{data['selection']['sha256']}`. Epoch "
        f"{card['selected_epoch']} of {recipe['epochs']}, seed {recipe['seed']}, "
        f"{card['training_seconds'] / 60:.0f} minutes of training steps. "
        f"{_start(card)}{_teacher(recipe)}The recipe:",
        "```json\n" + json.dumps(recipe, indent=2) + "\n```",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in card["versions"].items()),
        "## Terms and limits",
        "The weights were trained on pictures that state no right of redistribution: research and "
        "teaching only. The label is what a face shows in one picture, not what the person feels. "
        "Do not use it to judge people, at work, in education, or anywhere else; see "
        "[responsible use](../../notebooks/RESPONSIBLE_USE.md). Errors have not been measured for "
        "groups of people, for the data set names none.",
    ]
    return "\n\n".join(sections) + "\n"


def _speed(speed: Mapping[str, Any]) -> str:
    return (
        f"On a machine with {speed['cores']} cores one face takes {speed['one_face_ms']:.1f} ms, "
        f"and {speed['faces_per_second']:,} faces a second pass in batches of 64."
    )


def _start(card: Mapping[str, Any]) -> str:
    start, words = card.get("start"), "It began with the weights of"
    sentences = ""
    while start:
        data = (start["data"] or {}).get("training")
        on = f", trained on {data['pictures']:,} faces of {_name_data(data)}" if data else ""
        sentences += f"{words} `{start['name']}`{on}. "
        start, words = start.get("start"), "That one began with those of"
    return sentences


def _teacher(recipe: Mapping[str, Any]) -> str:
    if not recipe.get("distillation"):
        return ""
    return (
        f"A share of {recipe['distillation']} of the loss comes from a teacher's probabilities "
        "(`saved_models/teacher`). "
    )


def _name_data(data: Mapping[str, Any]) -> str:
    splits = " and ".join(split for split in data["splits"] if split)
    return f"{data['name']} {splits}".strip()


def _with_interval(scores: Mapping[str, Any], key: str) -> str:
    value, ends = scores[key], scores.get(f"{key}_ci95")
    if value is None:
        return "-"
    text = f"{value:.3f}"
    return text if ends is None else f"{text} ({ends[0]:.3f} to {ends[1]:.3f})"


def _clean_part(scores: Mapping[str, Any]) -> list[str]:
    clean = scores.get("clean")
    if not clean:
        return []
    return [
        f"On the {clean['n']:,} faces that are not also in the training split the accuracy "
        f"with one view is {_with_interval(clean, 'accuracy')}."
    ]


def _repeats(card: Mapping[str, Any]) -> list[str]:
    return [
        "Trained once more from the first step, by the same recipe and seed, it came to "
        + (
            "the same weights, bit for bit."
            if again["same_weights"]
            else f"an accuracy of {again['accuracy']:.3f} with one view and "
            f"{again['accuracy_ten_views']:.3f} with ten, loss {again['loss']:.3f}: so much of a "
            "score is chance."
        )
        for again in card.get("repeats", [])
    ]


def _weak_points(scores: Mapping[str, Any]) -> str:
    weak = [
        f"{name} ({row['recall']:.0%} found)"
        for name, row in scores["per_class"].items()
        if row["recall"] is not None and row["recall"] < _WEAK_RECALL
    ]
    confused = ", ".join(
        f"{row['true']} taken for {row['predicted']} ({row['share']:.0%})"
        for row in scores["most_confused"][:3]
    )
    found = f"Fewer than half are found: {', '.join(weak)}. " if weak else ""
    return f"{found}Most frequent confusions: {confused}."


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _table(header: list[str], rows: list[list[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
