"""`make colab` points everything at a fork, and the bootstrap cell does nothing elsewhere."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import colab
import exercises
import format_notebooks
import nbformat
import notebook_form
import pytest

ROOT = Path(__file__).resolve().parents[1]
FORK = "https://github.com/user/fork"
TABLE = """text
| notebook | what you learn | minutes |
|---|---|---|
| [01 Data](notebooks/01_data.ipynb) | pixels | 1 |

| other | table |
|---|---|
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one lesson, one exercise and a README.md."""
    for place in ("notebooks/01_data.ipynb", "notebooks/exercises/01_data.ipynb"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        cells = [
            nbformat.v4.new_markdown_cell("# 01 - Data\n\nOne line."),
            nbformat.v4.new_code_cell(
                notebook_form.make_colab_cell(), metadata={"tags": ["colab"]}
            ),
            nbformat.v4.new_code_cell("1 + 1"),
        ]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / place)
    (tmp_path / "README.md").write_text(TABLE, encoding="utf-8")
    return tmp_path


def _contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def test_badges_and_addresses_are_stamped(checkout: Path) -> None:
    assert colab.main([FORK, "--branch", "autumn"], checkout) == 0
    page = "https://colab.research.google.com/github/user/fork/blob/autumn/notebooks/"
    for place in ("01_data.ipynb", "exercises/01_data.ipynb"):
        cells = nbformat.read(checkout / "notebooks" / place, as_version=4).cells
        assert cells[0].source.startswith("# 01 - Data\n\nOne line.\n\n[![Open in Colab](")
        assert f"]({page}{place})" in cells[0].source
        assert f'REPOSITORY = "{FORK}@autumn"\n' in cells[1].source
        assert cells[2].source == "1 + 1"
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    assert "| minutes | Colab |\n|---|---|---|---|\n" in readme
    assert f"| 1 | [![Open in Colab]({colab._IMAGE})]({page}01_data.ipynb) |" in readme


def test_stamping_twice_changes_nothing_and_can_be_undone(checkout: Path) -> None:
    before = _contents(checkout)
    colab.main([FORK, "--branch", "autumn"], checkout)
    colab.main([FORK], checkout)
    assert "autumn" not in "".join(_contents(checkout).values())
    stamped = _contents(checkout)
    colab.main([FORK + ".git"], checkout)
    assert _contents(checkout) == stamped != before
    colab.main(["https://github.com/other/one"], checkout)
    assert "user/fork" not in "".join(_contents(checkout).values())
    colab.main([""], checkout)
    assert _contents(checkout) == before


@pytest.mark.parametrize(
    "address", ["user/fork", "https://gitlab.com/user/fork", "https://github.com/u"]
)
def test_an_address_that_colab_cannot_open_is_refused(
    checkout: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _contents(checkout)
    assert colab.main([address], checkout) == 2
    assert "Expected REPOSITORY=https://github.com/USER/NAME" in capsys.readouterr().err
    assert _contents(checkout) == before


def test_the_real_notebooks_can_be_stamped(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    shutil.copy(ROOT / "README.md", tmp_path)
    colab.main([FORK], tmp_path)
    for path in sorted((tmp_path / "notebooks").rglob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        assert "colab-badge.svg" in text, path.name
        assert f'REPOSITORY = \\"{FORK}\\"' in text, path.name
    lessons = sorted((tmp_path / "notebooks").glob("[0-9]*.ipynb"))
    for path in lessons:
        assert notebook_form.style_problems(path) == []
    solutions = sorted((tmp_path / "notebooks" / "solutions").glob("*.ipynb"))
    assert format_notebooks.main(["--check", *map(str, lessons + solutions)]) == 0
    assert exercises.main(["--check"], tmp_path / "notebooks") == 0
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"\]\(notebooks/\d\d_", readme)
    assert readme.count("colab-badge.svg") == len(rows) > 0


def test_exercises_of_stamped_solutions_open_themselves(checkout: Path) -> None:
    notebooks = checkout / "notebooks"
    (notebooks / "solutions").mkdir()
    exercise = notebooks / "exercises" / "01_data.ipynb"
    shutil.copy(exercise, notebooks / "solutions")
    exercises.main([], notebooks)
    colab.main([FORK], checkout)
    stamped = _contents(checkout)
    assert exercises.main(["--check"], notebooks) == 0
    exercises.main([], notebooks)
    assert _contents(checkout) == stamped
    title = nbformat.read(exercise, as_version=4).cells[0].source
    assert title.endswith("/user/fork/blob/main/notebooks/exercises/01_data.ipynb)")


def _run_bootstrap(repository: str) -> list[str]:
    """Runs the bootstrap cell in an IPython shell; returns the arguments of `%pip`."""
    from IPython.core.interactiveshell import InteractiveShell

    called: list[str] = []
    shell = InteractiveShell()
    shell.register_magic_function(called.append, magic_name="pip")
    shell.run_cell(notebook_form.make_colab_cell(repository)).raise_error()
    return called


def test_bootstrap_installs_in_colab_and_does_nothing_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "google.colab" not in sys.modules
    assert _run_bootstrap(FORK) == []
    monkeypatch.setitem(sys.modules, "google.colab", object())
    assert _run_bootstrap(FORK) == [f"install --quiet git+{FORK}"]
    assert _run_bootstrap(FORK + "@autumn") == [f"install --quiet git+{FORK}@autumn"]
    with pytest.raises(ValueError, match="Put the address of the repository"):
        _run_bootstrap("")
