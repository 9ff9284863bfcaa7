"""Columns of metadata to groups of samples: whatever form they come in, checked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

# More groups than this are no longer read, and each has few samples.
_MAX_GROUPS = 20


def group_samples(
    metadata: Any, columns: str | Sequence[str] | None, num_samples: int
) -> dict[str, pd.Categorical]:
    """Returns the groups of each column, with texts as categories; code -1 is no value.

    Arguments are those of `slice_report`, which also says what is refused.
    """
    metadata = getattr(metadata, "metadata", metadata)
    if not isinstance(metadata, (pd.DataFrame, Mapping)):
        if np.ndim(metadata) != 1:
            raise ValueError(
                "Expected `metadata` as a table, a dictionary of columns, one column or a "
                f"FaceDataset. Received: {type(metadata).__name__} of shape {np.shape(metadata)}"
            )
        metadata = {getattr(metadata, "name", None) or "group": metadata}
    table = pd.DataFrame(metadata).rename(columns=str)
    if len(table) != num_samples:
        raise ValueError(
            f"Expected `metadata` with one row a sample of the report, {num_samples:,}. "
            f"Received: {len(table):,} rows"
        )
    names = [columns] if isinstance(columns, str) else columns
    names = list(table) if names is None and len(table.columns) == 1 else list(names or [])
    if not names or not set(names) <= set(table):
        raise ValueError(
            f"Expected `columns` among {', '.join(table) or 'those of `metadata`'}. "
            f"Received: {columns!r}"
        )
    return {name: _group(name, table[name]) for name in names}


def _group(name: str, values: pd.Series) -> pd.Categorical:
    groups = pd.Categorical(values).remove_unused_categories()
    if not 1 <= len(groups.categories) <= _MAX_GROUPS:
        raise ValueError(
            f"Expected a column of 1 to {_MAX_GROUPS} groups; `pd.qcut` makes some of numbers. "
            f"Received: {len(groups.categories):,} different values of {name!r}"
        )
    # A column of whole numbers in which some are missing comes as floats.
    whole = [isinstance(value, float) and value.is_integer() for value in groups.categories]
    pairs = zip(groups.categories, whole, strict=True)
    return groups.rename_categories(
        [str(int(value) if to_int else value) for value, to_int in pairs]
    )
