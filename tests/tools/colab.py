"""Point the notebooks and README.md at a repository for Colab (`make colab REPOSITORY=...`).

    python tests/tools/colab.py https://github.com/user/fork
    python tests/tools/colab.py https://github.com/user/fork --branch autumn
    python tests/tools/colab.py ""             # takes badges and addresses away again

Colab opens notebooks of GitHub only. Each notebook gets a badge in its first cell and the address
in its bootstrap cell, README.md's table of the notebooks a column with the badges. Running it again
changes nothing.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import nbformat
import notebook_form

ROOT = Path(__file__).resolve().parents[2]
_ADDRESS = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")
_IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"
_BADGE = re.compile(rf"\[!\[[^\]]*\]\({re.escape(_IMAGE)}\)\]\([^)]*\)")
_ROW = re.compile(r"^\|.*\]\((notebooks/\d[^)]*\.ipynb)\)")
_COLUMN = " Colab |"
_MAIN = "main"


def make_badge(repository: str, branch: str, path: str) -> str:
    """Returns the badge that opens a notebook, given by its path in the repository, in Colab."""
    address = _ADDRESS.fullmatch(repository)[1]
    page = f"https://colab.research.google.com/github/{address}/blob/{branch}/{path}"
    return f"[![Open in Colab]({_IMAGE})]({page})"


def stamp_notebook(
    notebook: nbformat.NotebookNode, repository: str, branch: str, path: str
) -> None:
    """Writes badge and address into a notebook, in place, or takes them away."""
    first = notebook.cells[0]
    first.source = _BADGE.sub("", first.source).rstrip()
    if repository:
        first.source += "\n\n" + make_badge(repository, branch, path)
        # pip takes the default branch of an address unless it ends in another one.
        repository += "" if branch == _MAIN else f"@{branch}"
    for cell in notebook.cells:
        if "colab" in cell.metadata.get("tags", []):
            cell.source = notebook_form.make_colab_cell(repository)


def stamp_table(text: str, repository: str, branch: str) -> str:
    """Returns README's text with or without the column of badges."""
    lines = text.split("\n")
    rows = [number for number, line in enumerate(lines) if _ROW.match(line)]
    if not rows:
        return text
    head, rule = rows[0] - 2, rows[0] - 1
    if lines[head].endswith(_COLUMN):
        for number in (head, rule, *rows):
            lines[number] = lines[number][: lines[number].rstrip("|").rindex("|") + 1]
    if repository:
        lines[head] += _COLUMN
        lines[rule] += "---|"
        for number in rows:
            path = _ROW.match(lines[number])[1]
            lines[number] += f" {make_badge(repository, branch, path)} |"
    return "\n".join(lines)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Stamps everything; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repository", help="https://github.com/user/fork, or '' for none")
    parser.add_argument("--branch", default=_MAIN)
    options = parser.parse_args(arguments)
    if options.repository and not _ADDRESS.fullmatch(options.repository):
        print(
            "Expected REPOSITORY=https://github.com/USER/NAME, which Colab can open. "
            f"Received: {options.repository!r}",
            file=sys.stderr,
        )
        return 2
    repository = options.repository.removesuffix("/").removesuffix(".git")
    changed = 0
    for path in sorted((root / "notebooks").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        old = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(old, as_version=4)
        stamp_notebook(notebook, repository, options.branch, path.relative_to(root).as_posix())
        changed += _write(path, old, nbformat.writes(notebook) + "\n")
    readme = root / "README.md"
    old = readme.read_text(encoding="utf-8")
    changed += _write(readme, old, stamp_table(old, repository, options.branch))
    print(f"{changed} files changed")
    return 0


def _write(path: Path, old: str, new: str) -> int:
    if new != old:
        path.write_text(new, encoding="utf-8", newline="\n")
    return int(new != old)


if __name__ == "__main__":
    sys.exit(main())
