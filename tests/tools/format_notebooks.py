"""Run notebooks from a fresh kernel and store their outputs in one clean form (`make notebooks`).

    python tests/tools/format_notebooks.py notebooks/00_quickstart.ipynb ...
    python tests/tools/format_notebooks.py --check notebooks/*.ipynb
    python tests/tools/format_notebooks.py --minutes README.md -- notebooks/*.ipynb

Outputs are stored, what was written to stderr is not (TensorFlow's start-up lines cannot be
silenced otherwise), execution counts run 1..n, and nothing tells whose machine it was. `--check`
runs nothing and changes nothing: it exits with 1 if a stored notebook is not in that form.
`--minutes` writes how long each notebook ran into the column "minutes" of a table that links to it.
"""

from __future__ import annotations

import argparse
import base64
import io
import math
import os
import sys
import time
from pathlib import Path

import exercises
import nbformat
import notebook_form

CELL_TIMEOUT_S = 180
# What shows a widget holds its kernel's number for it, and nothing that could be seen without one.
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Runs all cells in `folder`, in place; a cell that raises ends the run with its traceback."""
    from nbclient import NotebookClient  # --check, in a commit hook, does without it

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )
    client.execute()


def is_full_run(notebook: nbformat.NotebookNode) -> bool:
    """Says whether the stored outputs are those of a full run on FER2013, which take hours."""
    flags = [cell for cell in notebook.cells if "full-run" in cell.metadata.get("tags", [])]
    return any("full run" in o.get("text", "") for cell in flags for o in cell.outputs)


def clean(notebook: nbformat.NotebookNode) -> None:
    """Brings the notebook into the stored form, in place."""
    notebook.metadata = nbformat.from_dict(notebook_form.METADATA)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.outputs = _merge_stdout([o for o in cell.outputs if _is_stored(o)])
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _shrink_png(output.data["image/png"])
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k == "tags"})
    exercises.mark_for_nbgrader(notebook)


def _is_stored(output: nbformat.NotebookNode) -> bool:
    return output.get("name") != "stderr" and _WIDGET_VIEW not in output.get("data", {})


def _shrink_png(encoded: str) -> str:
    """Returns a figure in 256 colours, which takes a quarter of the space and looks the same."""
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(encoded)))
    if image.mode == "P":  # shrunk before
        return encoded
    stream = io.BytesIO()
    white = Image.new("RGBA", image.size, "white")
    flat = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    flat.quantize(256).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def _merge_stdout(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Joins neighbouring pieces of printed text, whose number differs from run to run."""
    merged: list[nbformat.NotebookNode] = []
    for output in outputs:
        if merged and output.output_type == merged[-1].output_type == "stream":
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def write_minutes(readme: Path, seconds_of: dict[Path, float]) -> None:
    """Writes run times, rounded up to half minutes, into the tables that link to the notebooks."""
    lines = readme.read_text(encoding="utf-8").split("\n")
    column = None
    for number, line in enumerate(lines):
        cells = line.split("|")
        if " minutes " in cells:
            column = cells.index(" minutes ")
        for path, seconds in seconds_of.items():
            link = path.resolve().relative_to(readme.resolve().parent).as_posix()
            if column and f"]({link})" in line and line.startswith("|"):
                cells[column] = f" {math.ceil(seconds / 30) / 2:g} "
                lines[number] = "|".join(cells)
    readme.write_text("\n".join(lines), encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None) -> int:
    """Formats or checks the named notebooks; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 on a problem")
    parser.add_argument("--minutes", nargs="+", type=Path, default=[], help="files with tables")
    options = parser.parse_args(arguments)
    if not options.check:
        os.environ.setdefault("FER_LIB_DATASET", "synthetic")
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    problems = 0
    seconds_of = {}
    for path in options.notebooks:
        if not options.check:
            started = time.perf_counter()
            notebook = nbformat.read(path, as_version=4)
            execute(notebook, path.parent)
            clean(notebook)
            if is_full_run(nbformat.read(path, as_version=4)):
                print(f"{path}: keeps the outputs of its full run (run_lesson.py stores new ones)")
            else:
                nbformat.write(notebook, path)
            seconds_of[path] = time.perf_counter() - started
            print(f"{path}: ran in {seconds_of[path]:.0f} s")
        for problem in notebook_form.stored_problems(path):
            problems += 1
            print(f"{path}: {problem}", file=sys.stderr)
    for readme in options.minutes:
        write_minutes(readme, seconds_of)
    return int(problems > 0)


if __name__ == "__main__":
    sys.exit(main())
