"""The solutions are nbgrader sources: what the teacher's page says about grading works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

SOLUTION = Path(__file__).resolve().parents[1] / "notebooks" / "solutions" / "01_data.ipynb"
GRADES = """
import json
from nbgrader.api import Gradebook

with Gradebook("sqlite:///gradebook.db") as book:
    scores = {
        student: {grade.name: grade.auto_score for grade in notebook.grades}
        for student in ("ada", "bob")
        for notebook in book.find_submission("week2", student).notebooks
    }
print(json.dumps(scores))
"""


def _nbgrader(course: Path, *arguments: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments], cwd=course, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
def test_a_solution_gets_all_points_and_an_empty_exercise_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):  # not the user's own courses
        monkeypatch.setenv(variable, str(tmp_path / "jupyter"))
    # nbgrader calls alembic, which lies beside the interpreter, by its name alone.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    course = tmp_path / "course"
    (course / "source" / "week2").mkdir(parents=True)
    shutil.copy(SOLUTION, course / "source" / "week2")
    config = "c = get_config()\nc.ExecutePreprocessor.timeout = 300\n"
    (course / "nbgrader_config.py").write_text(config, encoding="utf-8")
    _nbgrader(course, "generate_assignment", "week2")
    released = course / "release" / "week2" / SOLUTION.name
    assert "WRONG" not in released.read_text(encoding="utf-8")

    # Ada hands in the right answers, Bob what he was given.
    solution, answers = nbformat.read(SOLUTION, 4), nbformat.read(released, 4)
    for given, right in zip(answers.cells, solution.cells, strict=True):
        if "answer" in right.metadata.get("tags", []):
            given.source = right.source
    for student, notebook in (("ada", answers), ("bob", nbformat.read(released, 4))):
        folder = course / "submitted" / student / "week2"
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / SOLUTION.name)
    _nbgrader(course, "autograde", "week2", "--create")
    run = subprocess.run(
        [sys.executable, "-c", GRADES],
        cwd=course,
        capture_output=True,
        text=True,
        check=True,
    )
    scores = json.loads(run.stdout)
    assert [scores["ada"]["check-1"], scores["ada"]["check-2"]] == [1, 1]
    assert [scores["bob"]["check-1"], scores["bob"]["check-2"]] == [0, 0]
