"""The check of the notebooks can fail: a broken function of the library turns a notebook red."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Notebook -> a module of the library, and code that makes one of its functions answer wrongly.
BREAKS = {
    "01_data.ipynb": (
        "evaluation/inputs.py",
        """
_right = find_duplicates
find_duplicates = lambda images, training_images: ~_right(images, training_images)
""",
    ),
    "07_evaluation.ipynb": (
        "evaluation/calibration.py",
        """
_right = fit_temperature
fit_temperature = lambda scores, labels: 2 * _right(scores, labels)
""",
    ),
}


def _nbval_options() -> list[str]:
    """The options of `make test-notebooks`."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    return re.search(r"^NBVAL := (.*)$", makefile, re.M)[1].split()


def _copy_library(folder: Path) -> Path:
    """Copies the library with its shipped models, as a wheel lays them out."""
    library = folder / "fer_lib"
    shutil.copytree(ROOT / "fer_lib", library, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "saved_models", library / "saved_models")
    return library


@pytest.mark.slow
@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_function_turns_a_notebook_red(name: str, tmp_path: Path) -> None:
    module, change = BREAKS[name]
    broken = _copy_library(tmp_path) / module
    broken.write_text(broken.read_text(encoding="utf-8") + change, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *_nbval_options(), f"notebooks/{name}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stdout[-2000:] + run.stderr[-2000:]
    # The notebook itself ran: the checked output is what differs.
    assert "Notebook cell execution failed" in run.stdout
    assert "Cell outputs differ" in run.stdout
