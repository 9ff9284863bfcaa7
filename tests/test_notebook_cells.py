"""Tests get at the code that notebooks show, and notice when there is none."""

from __future__ import annotations

from pathlib import Path

import nbformat
import notebook_cells
import pytest


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A notebook with an import cell, two listings and a cell that a test must not run."""
    cells = [
        nbformat.v4.new_code_cell("import math", metadata={"tags": ["imports"]}),
        nbformat.v4.new_code_cell("1 / 0"),
        nbformat.v4.new_code_cell("half = 0.5", metadata={"tags": ["equals-library"]}),
        nbformat.v4.new_code_cell(
            "def area(r):\n    return half * math.pi * r", metadata={"tags": ["equals-library"]}
        ),
    ]
    path = tmp_path / "01_some.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_tagged_cells_become_a_namespace(notebook: Path) -> None:
    assert notebook_cells.load_cells(notebook)["area"](2) == pytest.approx(3.14159, abs=1e-5)


def test_a_tag_that_no_cell_has_is_an_error(notebook: Path) -> None:
    with pytest.raises(ValueError, match="expected a code cell with the tag 'other'"):
        notebook_cells.load_cells(notebook, "other")


@pytest.mark.slow
def test_a_kernel_runs_cells_and_tells_of_errors(tmp_path: Path) -> None:
    with notebook_cells.start_kernel(tmp_path) as kernel:
        assert kernel.run("x = 1") is None
        assert kernel.run("assert x == 2, 'It is one.'") == ("AssertionError", "It is one.")
        assert kernel.run("assert x == 1") is None
