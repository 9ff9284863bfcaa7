"""Load code that a notebook shows into a test, or run its cells one by one in a kernel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat


def load_cells(path: Path, tag: str = "equals-library") -> dict[str, Any]:
    """Runs the cells tagged `imports` and `tag` of a notebook, in order; returns their names.

    Raises:
        ValueError: No cell has the tag, so that a test of them would prove nothing.
    """
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    if not any(tag in cell.metadata.get("tags", []) for cell in code):
        raise ValueError(f"{path.name}: expected a code cell with the tag {tag!r}. Received: none")
    names: dict[str, Any] = {"__name__": path.stem}
    for number, cell in enumerate(code, start=1):
        if {"imports", tag} & set(cell.metadata.get("tags", [])):
            exec(compile(cell.source, f"{path.name}, code cell {number}", "exec"), names)
    return names


class Kernel:
    """A running kernel in a notebook's folder."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, source: str) -> tuple[str, str] | None:
        """Runs a cell's source; returns the error's name and message, or None where it ran."""
        from nbclient.exceptions import CellExecutionError

        cell = nbformat.v4.new_code_cell(source)
        self._client.nb.cells = [cell]
        try:
            self._client.execute_cell(cell, 0)
        except CellExecutionError as error:
            return error.ename, error.evalue
        return None


@contextlib.contextmanager
def start_kernel(folder: Path, timeout: int = 180) -> Iterator[Kernel]:
    """Starts a kernel that works in `folder`, and ends it afterwards."""
    from nbclient import NotebookClient

    client = NotebookClient(
        nbformat.v4.new_notebook(),
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel():
        yield Kernel(client)
