"""The form that every notebook of the course has; see CONTRIBUTING.md.

Reads a notebook's file only, runs nothing: `tests/test_notebooks_form.py` and
`format_notebooks.py --check` call it.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

MAX_BYTES = 300_000
MAX_CELL_LINES = 25
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_TITLE = re.compile(r"# (\d\d) - \S.*\n+\S")
_LOCAL_PATH = re.compile(r"""(^|["'\s(=])(/(home|root|content|mnt|tmp|Users)/|[A-Za-z]:\\|\.\./)""")
_COMMAND = re.compile(r"^\s*[!%]+\s*(pip|conda|apt|wget|curl|git|cd)\b|^\s*!", re.M)


def _tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def stored_problems(path: Path) -> list[str]:
    """Returns what is wrong with the stored state: outputs, counts, metadata, size."""
    notebook = nbformat.read(path, as_version=4)
    problems = []
    if path.stat().st_size > MAX_BYTES:
        problems.append(f"is larger than {MAX_BYTES // 1000} kB: {path.stat().st_size // 1000} kB")
    if dict(notebook.metadata) != METADATA:
        problems.append("has metadata of an editor or kernel: run the formatter")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if any(not cell.source.strip() for cell in code):
        problems.append("has an empty code cell")
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        problems.append(f"was not run top to bottom: execution counts {counts}")
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                problems.append(f"cell {number} has a stored error: {output.ename}")
            if output.get("name") == "stderr":
                problems.append(f"cell {number} has stored stderr: run the formatter")
        if "nbval-check-output" in _tags(cell) and not cell.get("outputs"):
            problems.append(f"cell {number} is checked but has no output: the check is vacuous")
    return problems


def style_problems(path: Path) -> list[str]:
    """Returns where the notebook departs from the course's style."""
    notebook = nbformat.read(path, as_version=4)
    cells = notebook.cells
    problems = []
    title = _TITLE.match(cells[0].source) if cells[0].cell_type == "markdown" else None
    if not title or title[1] != path.name[:2]:
        problems.append(f"does not open with '# {path.name[:2]} - Title' and one summary line")
    markdown = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    headings = re.findall(r"^# ", re.sub(r"```.*?```", "", markdown, flags=re.S), re.M)
    if len(headings) != 1:
        problems.append(f"has {len(headings)} headings of the first level, not one")
    if "You can now" not in cells[-1].source:
        problems.append("does not end with a cell 'You can now ...'")
    if sum("colab" in _tags(cell) for cell in cells) > 1:
        problems.append("has more than one cell with the tag 'colab'")
    for number, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        lines = len(cell.source.splitlines())
        if lines > MAX_CELL_LINES:
            problems.append(f"cell {number} has {lines} lines, more than {MAX_CELL_LINES}")
        if "colab" in _tags(cell):
            continue
        if _COMMAND.search(cell.source):
            problems.append(f"cell {number} runs a shell command or installs something")
        if _LOCAL_PATH.search(cell.source):
            problems.append(f"cell {number} has an absolute path or '../'")
        if {"raises-exception", "nbval-raises-exception"} & set(_tags(cell)):
            problems.append(f"cell {number} may raise: catch the error and print it instead")
    return problems
