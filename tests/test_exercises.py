"""Exercises are what their solutions give; right answers pass, wrong ones fail with their hint."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import exercises
import nbformat
import notebook_cells
import notebook_form
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
SOLUTIONS = sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))
ANSWER = '''\
def share(correct):
    """Returns the share of right answers."""
    ### BEGIN SOLUTION
    return sum(correct) / len(correct)
    # WRONG, hint: between 0 and 1
    # return sum(correct)
    # WRONG, hint: of the answers
    # total = len(correct)
    # if total:
    #     return 1 / total
    ### END SOLUTION'''
CHECK = """\
assert share([True] * 2) <= 1, "A share lies between 0 and 1."
assert share([True, True, False]) == 2 / 3, "Two of the answers are right."
"""


def _solution() -> nbformat.NotebookNode:
    def code(source: str, *tags: str) -> nbformat.NotebookNode:
        return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})

    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# 01 - Shares: exercises\n\nOne line."),
            code(notebook_form.make_colab_cell(), "colab"),
            code('import fer_lib\n\nfer_lib.check_notebook_version("0.1")', "imports"),
            nbformat.v4.new_markdown_cell("## 1. Change: a\n\n## 2. Write: b\n\n## 3. Explain: c"),
            code(ANSWER, "answer"),
            code(CHECK, "check"),
            nbformat.v4.new_markdown_cell("A model answer.", metadata={"tags": ["explain"]}),
        ]
    )
    exercises.mark_for_nbgrader(notebook)
    return notebook


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of notebooks with one solution."""
    (tmp_path / "solutions").mkdir()
    nbformat.write(_solution(), tmp_path / "solutions" / "01_shares.ipynb")
    return tmp_path


def test_the_exercises_are_what_the_solutions_give() -> None:
    assert exercises.main(["--check"]) == 0


def test_answers_and_mistakes_are_taken_out(folder: Path) -> None:
    assert exercises.main([], folder) == 0
    exercise = nbformat.read(folder / "exercises" / "01_shares.ipynb", as_version=4)
    [answer] = [cell for cell in exercise.cells if "answer" in cell.metadata.get("tags", [])]
    assert answer.source.splitlines()[2:] == [
        "    # YOUR CODE HERE",
        "    raise NotImplementedError()",
    ]
    [text] = [cell for cell in exercise.cells if "explain" in cell.metadata.get("tags", [])]
    assert text.source == "YOUR ANSWER HERE"
    assert answer.metadata.nbgrader.solution
    assert not answer.metadata.nbgrader.grade
    whole = nbformat.writes(exercise)
    assert "WRONG" not in whole
    assert "SOLUTION" not in whole
    nbformat.validate(exercise)


def test_hidden_tests_are_taken_out(folder: Path) -> None:
    notebook = _solution()
    hidden = "### BEGIN HIDDEN TESTS\nassert share([False]) == 0, 'None.'\n### END HIDDEN TESTS"
    notebook.cells[5].source = CHECK + hidden
    assert notebook_form.answer_problems(notebook) == []
    exercise = exercises.make_exercise(notebook)
    assert exercise.cells[5].source.strip() == CHECK.strip()


def test_check_notices_what_differs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exercises.main(["--check"], folder) == 1
    assert "exercises/01_shares.ipynb" in capsys.readouterr().err
    exercises.main([], folder)
    assert exercises.main(["--check"], folder) == 0
    path = folder / "exercises" / "01_shares.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("One line", "Two lines"), "utf-8")
    assert exercises.main(["--check"], folder) == 1
    exercises.main([], folder)
    (folder / "solutions" / "01_shares.ipynb").unlink()
    assert exercises.main(["--check"], folder) == 1
    assert exercises.main([], folder) == 0
    assert not path.exists()


def test_mistakes_are_read_from_the_solution() -> None:
    cell = _solution().cells[4]
    first, second = exercises.wrong_answers(cell)
    head = ANSWER.split("    ### BEGIN")[0]
    assert first == exercises.WrongAnswer(head + "    return sum(correct)", "between 0 and 1")
    assert second.hint == "of the answers"
    assert second.source == (
        head + "    total = len(correct)\n    if total:\n        return 1 / total"
    )


def test_mistakes_do_not_count_as_lines_of_a_solution(tmp_path: Path) -> None:
    notebook = _solution()
    cell = notebook.cells[4]
    wanted = ANSWER.split("    # WRONG")[0] + "    ### END SOLUTION"
    assert exercises.without_mistakes(cell.source) == wanted
    mark = "    # WRONG, hint: of the answers\n"
    cell.source = cell.source.replace(mark, mark + "    # total = 0\n" * 25)
    nbformat.write(notebook, tmp_path / "01_shares.ipynb")
    assert notebook_form.exercise_problems(tmp_path / "01_shares.ipynb") == []
    cell.source = cell.source.replace(
        "    return sum", "    correct = list(correct)\n" * 25 + "    return sum", 1
    )
    nbformat.write(notebook, tmp_path / "01_shares.ipynb")
    [problem] = notebook_form.exercise_problems(tmp_path / "01_shares.ipynb")
    assert "more than 25" in problem


def test_the_form_of_a_solution_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "01_shares.ipynb"
    nbformat.write(_solution(), path)
    assert notebook_form.exercise_problems(path) == []


def test_a_fourth_exercise_trains(tmp_path: Path) -> None:
    notebook = _solution()
    notebook.cells[3].source += "\n\n## 4. Train: d"
    path = tmp_path / "01_shares.ipynb"
    nbformat.write(notebook, path)
    assert notebook_form.exercise_problems(path) == []
    notebook.cells[3].source = notebook.cells[3].source.replace("4. Train", "4. Guess")
    nbformat.write(notebook, path)
    [problem] = notebook_form.exercise_problems(path)
    assert "possibly Train" in problem


@pytest.mark.parametrize(
    ("cell", "old", "new", "problem"),
    [
        (3, "## 3. Explain", "## 3. Guess", "Write, Explain"),
        (4, "WRONG, hint", "wrong", "no '# WRONG"),
        (4, "### BEGIN SOLUTION", "# the solution", "one BEGIN SOLUTION"),
        (5, ', "Two of the answers are right."', "", "each with its hint"),
        (5, "assert", "print() #", "each with its hint"),
        (6, "A model", "### BEGIN SOLUTION\nA model", "others none"),
    ],
)
def test_bad_solutions_are_named(
    tmp_path: Path, cell: int, old: str, new: str, problem: str
) -> None:
    notebook = _solution()
    assert old in notebook.cells[cell].source
    notebook.cells[cell].source = notebook.cells[cell].source.replace(old, new)
    nbformat.write(notebook, tmp_path / "01_shares.ipynb")
    found = notebook_form.exercise_problems(tmp_path / "01_shares.ipynb")
    assert any(problem in text for text in found), found


def test_an_answer_without_check_and_stale_metadata_are_named() -> None:
    notebook = _solution()
    notebook.cells[5].metadata["tags"] = []
    found = notebook_form.answer_problems(notebook)
    assert len(found) == 2
    assert "metadata of nbgrader" in found[0]
    assert "no 'check' cell" in found[1]


def test_the_quiz_asks_for_layers_of_the_lessons_that_it_names() -> None:
    cells = nbformat.read(NOTEBOOKS / "solutions" / "quiz.ipynb", as_version=4).cells
    asked = {}
    for question, answer in itertools.pairwise(cells):
        lessons = re.match(r"\*\*\d+\.\*\* \(([\d, ]+)\)", question.source)
        if lessons is None:
            continue
        [first, *_] = re.findall(r"\d\d", lessons[1])
        [path] = NOTEBOOKS.glob(f"{first}_*.ipynb")
        shown = re.findall(r"layers\.(\w+)", path.read_text(encoding="utf-8"))
        asked[first] = set(re.findall(r"layers\.(\w+)", answer.source)) - set(shown)
    assert len(asked) >= 4
    assert not any(asked.values()), asked


@pytest.fixture
def kernel_environment(
    offline_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels have no network."""
    monkeypatch.setenv("PYTHONPATH", offline_environment["PYTHONPATH"])


def _failures(notebook: nbformat.NotebookNode, folder: Path) -> list[str]:
    """Runs a solution, and each of its mistakes in the place of the right answer.

    Returns what went otherwise than it should: errors of right answers, mistakes that pass or fail
    without their hint.
    """
    failures = []
    with notebook_cells.start_kernel(folder) as kernel:
        answer = None
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            error = kernel.run(cell.source)
            if error is not None:
                return [*failures, f"cell {number}: {error[0]}: {error[1]}"]
            tags = cell.metadata.get("tags", [])
            if "answer" in tags:
                answer = cell
            if "check" not in tags:
                continue
            for mistake in exercises.wrong_answers(answer):
                error = kernel.run(mistake.source)
                if error is not None:
                    failures.append(f"cell {number}: {mistake.hint!r} does not run: {error}")
                name, message = kernel.run(cell.source) or ("passes", "")
                if name != "AssertionError" or mistake.hint not in message:
                    failures.append(f"cell {number}: {mistake.hint!r}: {name} {message}")
            kernel.run(answer.source)
            error = kernel.run(cell.source)
            if error is not None:
                failures.append(f"cell {number}: fails when it is run again: {error}")
    return failures


@pytest.mark.slow
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_right_answers_pass_and_mistakes_get_their_hint(path: Path, kernel_environment) -> None:
    assert _failures(nbformat.read(path, as_version=4), path.parent) == []


@pytest.mark.slow
def test_a_mistake_that_passes_or_fails_otherwise_is_noticed(tmp_path: Path) -> None:
    notebook = _solution()
    assert _failures(notebook, tmp_path) == []
    for old, new in [
        ("return sum(correct)\n    # W", "return 2 / 3\n    # W"),
        ("between", "outside"),
    ]:
        changed = _solution()
        assert old in changed.cells[4].source
        changed.cells[4].source = changed.cells[4].source.replace(old, new)
        assert len(_failures(changed, tmp_path)) == 1
    notebook.cells[4].source = ANSWER.replace("sum(correct) / len(correct)", "0.5")
    [failure] = _failures(notebook, tmp_path)
    assert "Two of the answers" in failure
