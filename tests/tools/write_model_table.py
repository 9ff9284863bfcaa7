"""Write README.md's table of the shipped models from their cards (`--check`: only compare).

python tests/tools/write_model_table.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- models:begin -->\n", "<!-- models:end -->"


# Networks of others: what their papers report on FER2013, most of them on PrivateTest.
PUBLISHED = (
    ("mini-XCEPTION", "66%", "[arXiv 1710.07557](https://arxiv.org/abs/1710.07557)"),
    ("tuned VGG", "73.28%", "[arXiv 2105.03588](https://arxiv.org/abs/2105.03588)"),
    (
        "an ensemble of deep CNNs",
        "75.2%",
        "[arXiv 1612.02903](https://arxiv.org/abs/1612.02903)",
    ),
)


def make_table(models: Path) -> str:
    """Returns the table, one row a model folder of `models`, and what others have published."""
    rows = [
        "| model | predicts | what people see | FER2013's label | balanced accuracy "
        "| lowest recall | parameters | file |",
        "|---|---|---|---|---|---|---|---|",
    ]
    repeats = []
    for file in sorted(models.glob("*/card.json")):
        card = json.loads(file.read_text(encoding="utf-8"))
        plain = card["scores"]["validation"]
        recall = {name: row["recall"] for name, row in plain["per_class"].items()}
        least = sorted(recall, key=recall.get)[:2]
        size = (file.parent / "model.keras").stat().st_size
        rows.append(
            f"| [{card['name']}](saved_models/{card['name']}/README.md) "
            f"| {'what people see' if card.get('predicts') == 'votes' else 'the label'} "
            f"| {_percent(card['scores']['by_votes'])} | {_percent(card['scores']['by_label'])} "
            f"| {plain['balanced_accuracy']:.1%} "
            f"| {', '.join(f'{name} {recall[name]:.0%}' for name in least)} "
            f"| {card['parameters'] / 1e6:.1f} M | {size / 1e6:.1f} MB |"
        )
        repeats += [
            f"`{card['name']}`, trained once more by the same recipe and seed, came to "
            + (
                "the same weights."
                if again["same_weights"]
                else f"{again['accuracy']:.1%}, and {again['accuracy_tta']:.1%} with test-time "
                "augmentation."
            )
            for again in card.get("repeats", [])
        ]
    if repeats:
        rows += ["", *repeats]
    rows += [
        "",
        "What others report on FER2013, most of it on PrivateTest, which none of ours was scored "
        "on:",
        "",
        "| published | accuracy, as the paper reports it | paper |",
        "|---|---|---|",
        *(f"| {name} | {accuracy} | {paper} |" for name, accuracy, paper in PUBLISHED),
    ]
    return "\n".join(rows) + "\n"


def _percent(scores: dict) -> str:
    low, high = scores["accuracy_ci95"]
    return f"{scores['accuracy']:.1%} ({low:.1%} to {high:.1%})"


def main(arguments: list[str]) -> int:
    """Writes or checks the table; returns the exit status."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    wanted = before + BEGIN + make_table(ROOT / "saved_models") + END + after
    if "--check" in arguments:
        return int(text != wanted)
    readme.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
