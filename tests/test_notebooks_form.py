"""The notebooks have the form that the course promises, and the formatter brings them there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import format_notebooks
import nbformat
import notebook_form
import pytest

import fer_lib

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("[0-9]*.ipynb"))
TESTS = [ROOT / "notebooks" / "solutions" / name for name in ("quiz.ipynb", "assignment.ipynb")]


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", LESSONS, ids=_relative)
def test_lesson_has_the_form_of_the_course(path: Path) -> None:
    assert notebook_form.stored_problems(path) + notebook_form.style_problems(path) == []


@pytest.mark.parametrize("path", SOLUTIONS, ids=_relative)
def test_solution_has_the_form_of_the_course(path: Path) -> None:
    assert notebook_form.stored_problems(path) + notebook_form.exercise_problems(path) == []


@pytest.mark.parametrize("path", TESTS, ids=_relative)
def test_quiz_and_assignment_are_stored_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert notebook_form.stored_problems(path) + notebook_form.answer_problems(notebook) == []


def test_every_lesson_but_the_first_has_exercises() -> None:
    lessons = [path.name for path in LESSONS if not path.name.startswith("00_")]
    assert [path.name for path in SOLUTIONS] == lessons


@pytest.mark.parametrize("path", LESSONS + SOLUTIONS + TESTS, ids=_relative)
def test_notebook_is_for_this_version(path: Path) -> None:
    wanted = notebook_form.VERSION_GUARD.search(
        next(
            cell.source
            for cell in nbformat.read(path, as_version=4).cells
            if "imports" in cell.metadata.get("tags", [])
        )
    )[1]
    assert wanted == ".".join(fer_lib.__version__.split(".")[:2])


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


def test_formatter_leaves_out_what_only_a_running_kernel_can_show() -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "Widget()"}
    outputs = [
        nbformat.v4.new_output("execute_result", data) for data in (view, {"text/plain": "42"})
    ]
    notebook = _notebook(nbformat.v4.new_code_cell("widget", outputs=outputs))
    format_notebooks.clean(notebook)
    assert [output.data for output in notebook.cells[0].outputs] == [{"text/plain": "42"}]


@pytest.mark.parametrize(("mode", "kept"), [("full run", True), ("demo", False)])
def test_formatter_keeps_the_outputs_of_a_full_run(messy: Path, mode: str, kept: bool) -> None:
    assert format_notebooks.main([str(messy)]) == 0
    notebook = nbformat.read(messy, as_version=4)
    notebook.cells[1].metadata["tags"] = ["full-run"]
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text=f"{mode} on FER2013\n")]
    nbformat.write(notebook, messy)
    assert format_notebooks.main([str(messy)]) == 0
    [first, *_] = nbformat.read(messy, as_version=4).cells[1].outputs
    assert (first.text == f"{mode} on FER2013\n") is kept


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
    nbformat.write(_lesson(nbformat.v4.new_code_cell(source)), path)
    [found] = notebook_form.style_problems(path)
    assert problem in found
    assert found.startswith("cell 3 ")


def _markdown(text: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(text)


def _code(source: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(source)


def test_lessons_have_their_limits() -> None:
    assert (notebook_form.MAX_WORDS, notebook_form.MAX_CODE_CELLS) == (2_000, 30)


def test_long_lessons_are_named() -> None:
    cells = [_markdown("word " * 2_000), *[_code("x = 1")] * 30]
    assert notebook_form.length_problems(cells) == []
    words, count = notebook_form.length_problems([*cells, _markdown("one"), _code("x = 1")])
    assert "2001 words" in words and "31 code cells" in count


@pytest.mark.parametrize(
    ("heading", "counted"),
    [
        ("## More (optional)", 0),
        ("## More (optional)\n\n### Part\n", 0),
        ("### More (optional)\n\n## Next\n", 32),
        ("## More (optional)\n\n## Next\n", 32),
        ("## More (optional)\n\n```console\n# Next\n```\n", 0),
        ("## More, optional", 32),
    ],
)
def test_optional_sections_go_to_the_next_heading_of_their_level(
    heading: str, counted: int
) -> None:
    problems = notebook_form.length_problems([_markdown(heading), *[_code("x = 1")] * 32])
    assert ["32 code cells" in problem for problem in problems] == [True] * (counted > 30)


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("print(x)", "['x']"),
        ("def f():\n    return x", "['x']"),
        ("import x", None),
        ("def f(x):\n    return x", None),
        ("print([x for x in y])", None),
    ],
)
def test_required_cells_need_nothing_of_optional_sections(source: str, missing: str | None) -> None:
    cells = [_code("y = [1]"), _markdown("## More (optional)"), _code("x = y")]
    problems = notebook_form.length_problems([*cells, _markdown("## Next"), _code(source)])
    expected = [f"code cell 3 needs {missing} of an optional section"] if missing else []
    assert problems == expected
    assert notebook_form.length_problems([*cells, _code(source)]) == []


def _lesson(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    title = nbformat.v4.new_markdown_cell("# 01 - Bad\n\nA line.")
    colab = nbformat.v4.new_code_cell(notebook_form.make_colab_cell(), metadata={"tags": ["colab"]})
    imports = nbformat.v4.new_code_cell(
        'import fer_lib\n\nfer_lib.check_notebook_version("0.1")', metadata={"tags": ["imports"]}
    )
    end = nbformat.v4.new_markdown_cell("You can now stop.")
    return _notebook(title, colab, imports, *cells, end)


@pytest.mark.parametrize(
    ("tag", "change", "problem"),
    [
        ("colab", lambda source: source + "\nimport os", "tag 'colab'"),
        ("imports", lambda source: "import fer_lib", "checks the version"),
    ],
)
def test_bootstrap_and_version_guard_are_the_same_everywhere(
    tmp_path: Path, tag: str, change: Callable[[str], str], problem: str
) -> None:
    path, notebook = tmp_path / "01_bad.ipynb", _lesson()
    nbformat.write(notebook, path)
    assert notebook_form.style_problems(path) == []
    [cell] = [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]
    cell.source = change(cell.source)
    nbformat.write(notebook, path)
    [found] = notebook_form.style_problems(path)
    assert problem in found


def test_minutes_are_written_into_the_tables(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    rows = [
        "| notebook | minutes | x |",
        "|---|---|---|",
        "| [A](n/01_a.ipynb) | ? | y |",
        "text |",
    ]
    readme.write_text("\n".join(rows), encoding="utf-8")
    format_notebooks.write_minutes(
        readme, {tmp_path / "n" / "01_a.ipynb": 61.0, tmp_path / "n" / "02_b.ipynb": 1.0}
    )
    rows[2] = "| [A](n/01_a.ipynb) | 1.5 | y |"
    assert readme.read_text(encoding="utf-8") == "\n".join(rows)
