"""The form that every notebook of the course has; see CONTRIBUTING.md.

Reads a notebook's file only, runs nothing: `tests/test_notebooks_form.py` and
`format_notebooks.py --check` call it.
"""

from __future__ import annotations

import ast
import base64
import copy
import re
import symtable
from pathlib import Path

import exercises
import nbformat

MAX_BYTES = 400_000
# Of a stored figure, in pixels: eight inches at 75 dots an inch, less the cropped margin.
MIN_FIGURE_WIDTH = 570
MAX_CELL_LINES = 25
# Of a lesson without its optional sections.
MAX_WORDS = 2_000
MAX_CODE_CELLS = 30
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
VERSION_GUARD = re.compile(r'^fer_lib\.check_notebook_version\("(\d+\.\d+)"\)$', re.M)
_TITLE = re.compile(r"# (\d\d) - \S.*\n+\S")
_LOCAL_PATH = re.compile(r"""(^|["'\s(=])(/(home|root|content|mnt|tmp|Users)/|[A-Za-z]:\\|\.\./)""")
_COMMAND = re.compile(r"^\s*[!%]+\s*(pip|conda|apt|wget|curl|git|cd)\b|^\s*!", re.M)


def _tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _png_width(encoded: str | None) -> int:
    """Returns the width that a PNG says of itself, 0 for none."""
    return int.from_bytes(base64.b64decode(encoded)[16:20], "big") if encoded else 0


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
            width = _png_width(output.get("data", {}).get("image/png"))
            if width and width < MIN_FIGURE_WIDTH:
                problems.append(f"cell {number} has a figure of {width} pixels: draw it wider")
        if "nbval-check-output" in _tags(cell) and not cell.get("outputs"):
            problems.append(f"cell {number} is checked but has no output: the check is vacuous")
    return problems


def make_colab_cell(repository: str = "") -> str:
    """Returns the source of the one cell that installs the library, in Colab and only there."""
    return f"""\
# Only Colab needs this cell: there it installs the library. `make colab` fills in the address.
import sys

REPOSITORY = "{repository}"
if "google.colab" in sys.modules:
    if not REPOSITORY:
        raise ValueError("Put the address of the repository on GitHub into REPOSITORY.")
    %pip install --quiet git+{{REPOSITORY}}"""


def style_problems(path: Path) -> list[str]:
    """Returns where a lesson departs from the course's style."""
    cells = nbformat.read(path, as_version=4).cells
    problems = _common_problems(path, cells) + length_problems(cells)
    if "You can now" not in cells[-1].source:
        problems.append("does not end with a cell 'You can now ...'")
    return problems


def mark_optional(
    cells: list[nbformat.NotebookNode],
) -> list[tuple[nbformat.NotebookNode, str, bool]]:
    """Returns each cell with its required text and whether it ends in an optional section.

    An optional section has a heading that ends with "(optional)". It goes to the next heading of
    its own or of a higher level. A code cell in one has no required text.
    """
    marked = []
    level, in_fence = None, False  # the level of the optional section around the line
    for cell in cells:
        kept = []
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown":
                in_fence ^= line.startswith("```")
                heading = None if in_fence else re.match(r"(#+) ", line)
                if heading and (level is None or len(heading[1]) <= level):
                    level = len(heading[1]) if line.rstrip().endswith("(optional)") else None
            if level is None:
                kept.append(line)
        marked.append((cell, "\n".join(kept), level is not None))
    return marked


def length_problems(cells: list[nbformat.NotebookNode]) -> list[str]:
    """Returns where a lesson is too long, or needs what only an optional section defines."""
    marked = mark_optional(cells)
    words = sum(len(text.split()) for cell, text, _ in marked if cell.cell_type == "markdown")
    code = [(cell, optional) for cell, _, optional in marked if cell.cell_type == "code"]
    count = sum(not optional for _, optional in code)
    problems = []
    if words > MAX_WORDS:
        problems.append(f"has {words} words outside optional sections, more than {MAX_WORDS}")
    if count > MAX_CODE_CELLS:
        problems.append(f"has {count} code cells outside optional sections, not {MAX_CODE_CELLS}")
    required: set[str] = set()
    skippable: set[str] = set()
    for number, (cell, optional) in enumerate(code, start=1):
        source = re.sub(r"^(\s*)[!%].*", r"\1pass", cell.source, flags=re.M)  # Python only
        defined, used = _names(symtable.symtable(source, "cell", "exec"))
        missing = sorted((used & skippable) - required - defined)
        if missing and not optional:
            problems.append(f"code cell {number} needs {missing} of an optional section")
        (skippable if optional else required).update(defined)
    return problems


def _names(table: symtable.SymbolTable) -> tuple[set[str], set[str]]:
    """Returns the global names that code defines, and those that it or its functions use."""
    top = table.get_type() == "module"
    symbols = table.get_symbols()
    defined = {s.get_name() for s in symbols if top and (s.is_assigned() or s.is_imported())}
    used = {s.get_name() for s in symbols if s.is_referenced() and (top or s.is_global())}
    for child in table.get_children():
        used |= _names(child)[1]
    return defined, used


def exercise_problems(path: Path) -> list[str]:
    """Returns where the solution of a lesson's exercises departs from the course's style."""
    notebook = nbformat.read(path, as_version=4)
    problems = _common_problems(path, notebook.cells) + answer_problems(notebook)
    markdown = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    kinds = re.findall(r"^## (\d\. \w+): \S", markdown, re.M)
    wanted = ["1. Change", "2. Write", "3. Explain", "4. Train"]
    if kinds not in (wanted[:3], wanted):
        expected = "'## 1. Change: ...', Write, Explain and possibly Train"
        problems.append(f"does not have the exercises {expected}: {kinds}")
    if not any("explain" in _tags(cell) for cell in notebook.cells):
        problems.append("has no cell with the tag 'explain'")
    return problems


def answer_problems(notebook: nbformat.NotebookNode) -> list[str]:
    """Returns what is wrong with the answers and checks of a solution: marks, mistakes, hints."""
    problems = []
    marked = copy.deepcopy(notebook)
    exercises.mark_for_nbgrader(marked)
    if marked != notebook:
        problems.append("has metadata of nbgrader that do not fit its tags: run the formatter")
    waiting = None
    for number, cell in enumerate(notebook.cells):
        tags = _tags(cell)
        if cell.source.count("### BEGIN SOLUTION") != int("answer" in tags):
            problems.append(f"cell {number}: 'answer' cells have one BEGIN SOLUTION, others none")
        if "answer" in tags:
            if waiting is not None:
                problems.append(f"cell {waiting} has an answer and no 'check' cell after it")
            waiting = number
            if not exercises.wrong_answers(cell):
                problems.append(f"cell {number} has no '# WRONG, hint: ...' to test its hints with")
        if "check" in tags:
            waiting = None
            asserts = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Assert)]
            if not asserts or not all(node.msg for node in asserts):
                problems.append(f"cell {number} is a check: it needs asserts, each with its hint")
    if waiting is not None:
        problems.append(f"cell {waiting} has an answer and no 'check' cell after it")
    return problems


def _common_problems(path: Path, cells: list[nbformat.NotebookNode]) -> list[str]:
    problems = []
    title = _TITLE.match(cells[0].source) if cells[0].cell_type == "markdown" else None
    if not title or title[1] != path.name[:2]:
        problems.append(f"does not open with '# {path.name[:2]} - Title' and one summary line")
    markdown = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    headings = re.findall(r"^# ", re.sub(r"```.*?```", "", markdown, flags=re.S), re.M)
    if len(headings) != 1:
        problems.append(f"has {len(headings)} headings of the first level, not one")
    colab = [cell.source for cell in cells if "colab" in _tags(cell)]
    address = re.search(r'^REPOSITORY = "(.*)"$', colab[0], re.M) if colab else None
    if len(colab) != 1 or address is None or colab[0] != make_colab_cell(address[1]):
        problems.append("does not have the one cell with the tag 'colab': notebook_form has it")
    imports = [cell.source for cell in cells if "imports" in _tags(cell)]
    if len(imports) != 1 or not VERSION_GUARD.search(imports[0]):
        problems.append("does not have one cell tagged 'imports' that checks the version")
    for number, cell in enumerate(cells):
        if cell.cell_type == "code" and "colab" not in _tags(cell):
            problems += [f"cell {number} {problem}" for problem in _code_problems(cell)]
    return problems


def _code_problems(cell: nbformat.NotebookNode) -> list[str]:
    problems = []
    lines = len(exercises.without_mistakes(cell.source).splitlines())
    if lines > MAX_CELL_LINES:
        problems.append(f"has {lines} lines, more than {MAX_CELL_LINES}")
    if _COMMAND.search(cell.source):
        problems.append("runs a shell command or installs something")
    if _LOCAL_PATH.search(cell.source):
        problems.append("has an absolute path or '../'")
    if {"raises-exception", "nbval-raises-exception"} & set(_tags(cell)):
        problems.append("may raise: catch the error and print it instead")
    return problems
