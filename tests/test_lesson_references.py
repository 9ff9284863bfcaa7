"""What points at a lesson, by number, title or file name, finds it."""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
LESSONS = {path.name[:2]: path.name for path in NOTEBOOKS.glob("[0-9]*.ipynb")}
_WORDS = re.compile(
    r"\b(?:lessons?|notebooks?) \[?\d\d\b\]?(?:\([^)]*\))?"
    r"(?:(?:,? and|,|,? to|,? or) \[?\d\d\b\]?)*",
    re.I,
)
_FILE = re.compile(r"\b(\d\d)_[a-z_]+\.ipynb")
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)(?:#[^)]*)?\)")


def _text_of(path: Path) -> str:
    """Returns a file's text; of a notebook, the sources of its cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


def _texts() -> Iterator[Path]:
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile"))
    for folder in ("fer_lib", "datasets", "saved_models", "tests/tools", "tests/benchmarks"):
        for suffix in ("*.py", "*.md", "*.toml"):
            yield from (ROOT / folder).rglob(suffix)
    yield from (path for path in NOTEBOOKS.rglob("*") if path.suffix in (".md", ".ipynb"))
    yield from (ROOT / "tests").glob("test_notebook_[0-9]*.py")


def dead_references(text: str, folder: Path, lessons: dict[str, str]) -> list[str]:
    """Returns what in `text`, of a file in `folder`, names a lesson that is not there."""
    found = [match[0] for match in _WORDS.finditer(text)
             if not set(re.findall(r"(?<!\w)\d\d(?!\w)", match[0])) <= set(lessons)]  # fmt: skip
    found += [m[0] for m in _FILE.finditer(text) if lessons.get(m[1]) != m[0]]
    for title, target in _LINK.findall(text):
        number, name = re.match(r"(\d\d)\b", title), re.search(r"(\d\d)_[a-z_]+\.ipynb$", target)
        misnumbered = number and name and number[1] != name[1]
        if misnumbered or (name and not (folder / target).exists()):
            found.append(f"[{title}]({target})")
    return found


def test_no_reference_to_a_lesson_is_dead() -> None:
    dead = {path: dead_references(_text_of(path), path.parent, LESSONS) for path in _texts()}
    assert {path: found for path, found in dead.items() if found} == {}


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        ("see lesson 01 and notebook [02](02_faces.ipynb)", []),
        ("cells of lessons 01 and 07", ["lessons 01 and 07"]),
        ("Notebook 99", ["Notebook 99"]),
        ("run notebooks/03_faces.ipynb", ["03_faces.ipynb"]),
        ("[01 Faces](02_faces.ipynb)", ["[01 Faces](02_faces.ipynb)"]),
    ],
)
def test_a_dead_reference_is_found(text: str, dead: list[str], tmp_path: Path) -> None:
    lessons = {"01": "01_data.ipynb", "02": "02_faces.ipynb"}
    for name in lessons.values():
        (tmp_path / name).touch()
    assert dead_references(text, tmp_path, lessons) == dead


def test_lessons_are_numbered_without_a_gap_and_lead_to_the_next() -> None:
    assert sorted(LESSONS) == [f"{number:02}" for number in range(len(LESSONS))]
    names = [LESSONS[number] for number in sorted(LESSONS)]
    for name, following in pairwise(names):
        end = json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))["cells"][-1]["source"]
        assert f"]({following})" in "".join(end), f"{name} does not lead to {following}"


def test_the_map_of_the_library_names_lessons() -> None:
    text = (ROOT / "fer_lib" / "README.md").read_text(encoding="utf-8")
    numbers = re.findall(r"\| ((?:\d\d(?:, )?)+) \|$", text, re.M)
    assert numbers and {n for row in numbers for n in row.split(", ")} <= set(LESSONS)


def test_the_test_of_a_lesson_has_its_number() -> None:
    for path in (ROOT / "tests").glob("test_notebook_[0-9]*.py"):
        number = path.stem[-2:]
        text = path.read_text(encoding="utf-8")
        # Without a file's name, the fixture `names` takes the lesson from the name of the test.
        numbers = set(_FILE.findall(text)) or ({number} if "names: dict" in text else set())
        assert numbers == {number} and number in LESSONS, path.name


def test_every_name_of_the_library_in_a_text_exists():
    texts = [*NOTEBOOKS.glob("**/*.ipynb"), *NOTEBOOKS.glob("*.md"), ROOT / "README.md"]
    for path in texts:
        for name in set(re.findall(r"\bfer_lib(?:\.[A-Za-z_]\w*)+", _text_of(path))):
            try:
                pkgutil.resolve_name(name)
            except (ImportError, AttributeError) as error:
                pytest.fail(f"{path.name}: {error}")
