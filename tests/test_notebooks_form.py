"""The notebooks have the form that the course promises, and the formatter brings them there."""

from __future__ import annotations

import re
from pathlib import Path

import format_notebooks
import nbformat
import notebook_form
import pytest

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", LESSONS, ids=_relative)
def test_lesson_has_the_form_of_the_course(path: Path) -> None:
    assert notebook_form.stored_problems(path) + notebook_form.style_problems(path) == []


@pytest.mark.parametrize("path", SOLUTIONS, ids=_relative)
def test_solution_is_stored_clean(path: Path) -> None:
    assert notebook_form.stored_problems(path) == []


def test_readme_lists_every_lesson() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((notebooks/\d[^)]*\.ipynb)\)", readme)
    assert sorted(links) == [_relative(path) for path in LESSONS]


def _notebook(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=list(cells))


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """A notebook as an editor leaves it: wrong counts, stderr, metadata of a machine."""
    code = nbformat.v4.new_code_cell(
        "import sys\nprint('kept')\nprint('dropped', file=sys.stderr)\n6 * 7",
        execution_count=9,
        metadata={"tags": ["nbval-check-output"], "collapsed": True},
    )
    path = tmp_path / "00_messy.ipynb"
    notebook = _notebook(nbformat.v4.new_markdown_cell("# 00 - Messy\n\nA line."), code)
    notebook.metadata["kernelspec"] = {"name": "mine", "display_name": "Mine"}
    nbformat.write(notebook, path)
    return path


def test_formatter_runs_and_cleans(messy: Path) -> None:
    assert format_notebooks.main(["--check", str(messy)]) == 1
    assert format_notebooks.main([str(messy)]) == 0
    assert format_notebooks.main(["--check", str(messy)]) == 0
    cell = nbformat.read(messy, as_version=4).cells[1]
    assert [output.output_type for output in cell.outputs] == ["stream", "execute_result"]
    assert cell.outputs[0].text == "kept\n"
    assert cell.outputs[1].data["text/plain"] == "42"
    assert cell.execution_count == cell.outputs[1].execution_count == 1
    assert cell.metadata == {"tags": ["nbval-check-output"]}


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("!ls", "shell command"),
        ("%pip install something", "shell command"),
        ("path = '/Users/me/picture.jpg'", "absolute path"),
        ("path = '../datasets'", "absolute path"),
        ("\n".join(["x = 1"] * 26), "26 lines"),
    ],
)
def test_bad_cells_are_named(tmp_path: Path, source: str, problem: str) -> None:
    path = tmp_path / "01_bad.ipynb"
    title = nbformat.v4.new_markdown_cell("# 01 - Bad\n\nA line.")
    end = nbformat.v4.new_markdown_cell("You can now stop.")
    nbformat.write(_notebook(title, nbformat.v4.new_code_cell(source), end), path)
    [found] = notebook_form.style_problems(path)
    assert problem in found
    assert found.startswith("cell 1 ")
