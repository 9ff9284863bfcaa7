"""Every entry of the glossary names a lesson in which its term occurs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
_ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| \[(\d\d)\]\(([^)]+)\) \|$", re.M)
ENTRIES = _ROW.findall((NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8"))


def test_terms_are_sorted_and_said_once() -> None:
    terms = [term.lower() for term, *_ in ENTRIES]
    assert len(terms) > 80
    assert terms == sorted(set(terms))


@pytest.mark.parametrize(("term", "meaning", "number", "name"), ENTRIES, ids=lambda text: text[:20])
def test_the_lesson_of_a_term_has_it(term: str, meaning: str, number: str, name: str) -> None:
    assert name.startswith(number)
    cells = json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells).lower()
    words = re.sub(r" \(.*\)", "", term.lower()).split(", ")
    assert any(word in text for word in words), f"{name} does not have {term!r}"
