"""A table written part by part, so that an interruption loses little and memory stays flat."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from fer_lib import files
from fer_lib.batch.face_table import printable

SUFFIXES = (".csv", ".jsonl", ".parquet")
"""The kinds of tables that `write_table` writes."""

# Images in one part: what an interruption costs at most.
_PART_IMAGES = 256


def missing_images(
    images: Iterable[str], output: str | os.PathLike[str], resume: bool = False
) -> list[str]:
    """Returns the images that are not in a table or its parts yet; all of them without `resume`.

    Raises:
        FileExistsError: There are parts of an interrupted run, and `resume` is false.
        ValueError: The table is of another kind than `SUFFIXES`, or cannot be read.
    """
    output = Path(output)
    if output.suffix.lower() not in SUFFIXES:
        raise ValueError(f"Expected a table named {', '.join(SUFFIXES)}. Received: {output}")
    parts = _list_parts(output)
    if parts and not resume:
        raise FileExistsError(
            f"Expected an output without a begun table. Received: {_parts_folder(output)}, which "
            "holds one. Go on with it by --resume, or remove it."
        )
    if not resume:
        return list(images)
    done: set[str] = set()
    for part in [*parts, *([output] if output.exists() else [])]:
        done.update(read_table(part, ["path"])["path"])
    return [image for image in images if printable(image) not in done]


def write_table(
    batches: Iterable[pd.DataFrame], output: str | os.PathLike[str], resume: bool = False
) -> int:
    """Writes batches of rows to a file as they come; returns the number of rows with an error.

    Each part is a whole file in a folder beside `output` until the last batch has come; then all
    are put together. An interruption leaves them there. Memory does not grow with the table.

    Args:
        batches: What `FaceTable` returns.
        output: A file of one of `SUFFIXES`; an older one is replaced when the new one is whole.
        resume: Keep the rows of an older `output` and of the parts before the new ones.

    Raises:
        OSError: The table cannot be written there.
        ImportError: A `.parquet` file is asked for and pyarrow is not installed.
    """
    output = Path(output)
    folder, errors, waiting = _parts_folder(output), 0, []
    number = len(_list_parts(output)) if resume else 0

    def flush() -> None:
        nonlocal number
        if waiting:
            with files.write_atomically(folder / f"{number:08d}{output.suffix}") as partial:
                _write(pd.concat(waiting), partial)
            waiting.clear()
            number += 1

    try:
        for batch in batches:
            waiting.append(batch)
            errors += int(batch["error"].notna().sum())
            if sum(len(rows["path"].unique()) for rows in waiting) >= _PART_IMAGES:
                flush()
    finally:
        flush()
    older = [output] if resume and output.exists() else []
    with files.write_atomically(output) as partial:
        _join([*older, *_list_parts(output)], partial)
    shutil.rmtree(folder, ignore_errors=True)
    return errors


def read_table(file: str | os.PathLike[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Reads a table of `write_table`, or some columns of it.

    Raises:
        ValueError: It is damaged, lacks a column, or is of another kind than `SUFFIXES`.
        FileNotFoundError: It is not there.
    """
    kind, columns = Path(file).suffix.lower(), None if columns is None else list(columns)
    try:
        if kind == ".csv":  # a file may be named "null", which pandas takes for no value
            return pd.read_csv(file, usecols=columns, converters={"path": str})
        if kind == ".jsonl":
            with open(file, encoding="utf-8") as lines:
                table = pd.DataFrame(map(json.loads, lines))
            return table if columns is None else table[columns]
        if kind == ".parquet":
            return pd.read_parquet(file, columns=columns)
        raise ValueError(f"no name that ends in {', '.join(SUFFIXES)}")
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"Expected a table of faces in {file}; remove it to begin anew. Received: {error}"
        ) from error


def _parts_folder(output: Path) -> Path:
    return output.with_name(f"{output.name}.parts")


def _list_parts(output: Path) -> list[Path]:
    return sorted(_parts_folder(output).glob(f"[0-9]*{output.suffix}"))


def _write(rows: pd.DataFrame, file: Path) -> None:
    kind = file.suffix.lower()
    if kind == ".csv":
        rows.to_csv(file, index=False)
    elif kind == ".jsonl":
        rows.to_json(file, orient="records", lines=True, force_ascii=False)
    else:
        rows.to_parquet(file, index=False)


def _join(parts: Sequence[Path], file: Path) -> None:
    """Puts whole tables of one kind behind each other; none at all make an empty file."""
    if file.suffix.lower() == ".parquet":
        from pyarrow import parquet

        if not parts:
            raise ValueError("Expected images for a table. Received: none")
        with parquet.ParquetWriter(file, parquet.read_schema(parts[0])) as writer:
            for part in parts:
                writer.write_table(parquet.read_table(part))
        return
    with open(file, "wb") as joined:
        for index, part in enumerate(parts):
            with open(part, "rb") as stream:
                if index and file.suffix.lower() == ".csv":
                    stream.readline()  # the header
                shutil.copyfileobj(stream, joined)
