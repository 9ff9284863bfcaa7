"""Run a lesson in full, on your copy of FER2013, and store its outputs.

    python tests/tools/run_lesson.py notebooks/05_training.ipynb --data fer2013.csv
    python tests/tools/run_lesson.py notebooks/06_transfer.ipynb --data fer2013.csv

Lessons 05 and 06 run as a short demo on synthetic faces unless `FER2013_CSV` names FER2013's table;
this sets it, gives each cell as long as it takes, and stores the outputs in the clean form of
`format_notebooks.py`, which from then on leaves them as they are. What ran so far is kept in
`notebooks/outputs/` after each cell. `--base` names where lesson 06 takes its base from
(`BASE_WEIGHTS`): the folder of a model, or `imagenet`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import format_notebooks
import nbformat
import notebook_form


def run(path: Path, data: Path, base: str | None = None) -> None:
    """Executes all cells of the notebook on the table `data`; replaces it when all have run."""
    from nbclient import NotebookClient

    os.environ["FER2013_CSV"] = str(data.resolve())
    if base is not None:
        os.environ["BASE_WEIGHTS"] = base
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    notebook = nbformat.read(path, as_version=4)
    partial = path.parent / "outputs" / path.name
    partial.parent.mkdir(exist_ok=True)
    started = time.perf_counter()

    def store(cell: nbformat.NotebookNode, cell_index: int, **_: object) -> None:
        nbformat.write(notebook, partial)
        minutes = (time.perf_counter() - started) / 60
        print(f"cell {cell_index} of {len(notebook.cells)}: {minutes:.1f} min", flush=True)

    NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        on_cell_executed=store,
    ).execute()
    format_notebooks.clean(notebook)
    nbformat.write(notebook, path)


def main(arguments: list[str] | None = None) -> int:
    """Runs the named lesson; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="FER2013's table, fer2013.csv")
    parser.add_argument("--base", help="the folder of a pretrained ResNet50, or imagenet")
    options = parser.parse_args(arguments)
    if not options.data.is_file():
        parser.error(f"Expected FER2013's table. Received: no file {options.data}")
    if options.base not in (None, "imagenet"):
        if not Path(options.base).is_dir():
            parser.error(f"Expected the folder of a model. Received: no folder {options.base}")
        options.base = str(Path(options.base).resolve())  # the kernel works in another folder
    run(options.notebook, options.data, options.base)
    problems = notebook_form.stored_problems(options.notebook)
    for problem in problems:
        print(f"{options.notebook}: {problem}", file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
