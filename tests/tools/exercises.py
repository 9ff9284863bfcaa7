"""Generate the exercises of the course from their solutions (`make exercises`).

    python tests/tools/exercises.py            # writes notebooks/exercises/
    python tests/tools/exercises.py --check    # exits 1 if they are not what the solutions give

A solution is an ordinary notebook; the tags of its cells say what they are for:

- `answer` is a code cell that students fill in, with one region between `### BEGIN SOLUTION` and
  `### END SOLUTION`. Typical mistakes stand in the region as comments, each after a line
  `# WRONG, hint: words of the hint`; they replace the region when the hints are tested.
- `check` is a code cell whose assert messages are hints; what stands in it between
  `### BEGIN HIDDEN TESTS` and `### END HIDDEN TESTS` is for grading and not handed out.
- `explain` is a Markdown cell with a model answer, which a person marks.

nbgrader's metadata is derived from the tags, and nbgrader itself clears the solutions, so that a
teacher can use the solutions with nbgrader as they are.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import re
import sys
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
_REGION = re.compile(r"^ *### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION$", re.S | re.M)
_WRONG = re.compile(r"^ *# WRONG, hint: (.+)\n", re.M)


@dataclasses.dataclass(frozen=True)
class WrongAnswer:
    """A typical mistake: the source of the whole answer cell, and words of the hint it gets."""

    source: str
    hint: str


def wrong_answers(cell: nbformat.NotebookNode) -> list[WrongAnswer]:
    """Returns the mistakes that are written as comments into an answer cell's solution."""
    region = _REGION.search(cell.source)
    if region is None:
        return []
    # Text before the first mark is the right answer, then hint and mistake take turns.
    parts = _WRONG.split(region[1])[1:]
    answers = []
    for hint, mistake in zip(parts[::2], parts[1::2], strict=True):
        code = re.sub(r"^( *)# ?", r"\1", mistake, flags=re.M)
        source = cell.source[: region.start()] + code + cell.source[region.end() :]
        answers.append(WrongAnswer(source.strip(), hint.strip()))
    return answers


def without_mistakes(source: str) -> str:
    """Returns a cell's source with its solution and without the mistakes that follow it."""
    region = _REGION.search(source)
    if region is None:
        return source
    return source[: region.start(1)] + _WRONG.split(region[1])[0] + source[region.end(1) :]


def mark_for_nbgrader(notebook: nbformat.NotebookNode) -> None:
    """Writes nbgrader's metadata into the tagged cells, in place: ids, points, what is graded."""
    counts: dict[str, int] = {}
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
        for tag in {"answer", "check", "explain"} & set(cell.metadata.get("tags", [])):
            counts[tag] = counts.get(tag, 0) + 1
            grade = tag != "answer"
            cell.metadata["nbgrader"] = {
                "grade": grade,
                "grade_id": f"{tag}-{counts[tag]}",
                "locked": tag == "check",
                **({"points": 1} if grade else {}),
                "schema_version": 3,
                "solution": tag != "check",
                "task": False,
            }


def make_exercise(solution: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Returns the exercise: the solution without answers and without outputs."""
    # Takes seconds to load; the other functions do without it.
    from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

    exercise = copy.deepcopy(solution)
    mark_for_nbgrader(exercise)
    for clear in (ClearSolutions(), ClearHiddenTests()):
        exercise, _ = clear.preprocess(exercise, {})
    # A badge of `make colab` opens the notebook that it stands in.
    title = exercise.cells[0]
    title.source = title.source.replace("/notebooks/solutions/", "/notebooks/exercises/")
    for cell in exercise.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return exercise


def main(arguments: list[str] | None = None, notebooks: Path = NOTEBOOKS) -> int:
    """Writes or checks all exercises; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 on a problem")
    check = parser.parse_args(arguments).check
    problems = 0
    wanted = {}
    for path in (notebooks / "solutions").glob("*.ipynb"):
        exercise = make_exercise(nbformat.read(path, as_version=4))
        wanted[notebooks / "exercises" / path.name] = nbformat.writes(exercise) + "\n"
    for path in sorted({*wanted, *(notebooks / "exercises").glob("*.ipynb")}):
        text = wanted.get(path)
        if text == (path.read_text(encoding="utf-8") if path.exists() else None):
            continue
        name = path.relative_to(notebooks).as_posix()
        if check:
            problems += 1
            print(f"{name}: is not what its solution gives: make exercises", file=sys.stderr)
        elif text is None:
            path.unlink()
            print(f"{name}: removed, there is no solution")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{name}: written")
    return int(problems > 0)


if __name__ == "__main__":
    sys.exit(main())
