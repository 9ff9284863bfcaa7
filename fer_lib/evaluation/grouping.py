"""Columns of metadata to groups of samples: whatever form they come in, checked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

# More groups than this are no longer read, and each has few samples.
_MAX_GROUPS = 20


def group_samples(
    metadata: Any,
    columns: str | Sequence[str] | None,
    bins: Mapping[str, int | Sequence[float]] | None,
    num_samples: int,
) -> dict[str, pd.Categorical]:
    """Returns the groups of each column, with texts as categories; code -1 is no value.

    Arguments are those of `slice_report`, which also says what is refused.
    """
    table = _as_table(metadata)
    if len(table) != num_samples:
        raise ValueError(
            f"Expected `metadata` with one row a sample of the report, {num_samples:,}. "
            f"Received: {len(table):,} rows"
        )
    table.columns = known = [str(name) for name in table.columns]
    names = [columns] if isinstance(columns, str) else columns
    names = known if names is None and len(known) == 1 else list(names or [])
    if not names or not set(names) <= set(known):
        raise ValueError(
            f"Expected `columns` among {', '.join(known) or 'those of `metadata`'}. "
            f"Received: {columns!r}"
        )
    bins = dict(bins or {})
    if unused := sorted(set(bins) - set(names)):
        raise ValueError(f"Expected `bins` of the columns {names}. Received: {unused}")
    return {name: _group(name, table[name], bins.get(name)) for name in names}


def _as_table(metadata: Any) -> pd.DataFrame:
    if hasattr(metadata, "metadata"):
        return metadata.metadata.copy()
    if isinstance(metadata, pd.Series):
        return metadata.rename(metadata.name or "group").to_frame()
    if not isinstance(metadata, (pd.DataFrame, Mapping)):
        if np.ndim(metadata) != 1:
            raise ValueError(
                "Expected `metadata` as a table, a dictionary of columns, one column or a "
                f"FaceDataset. Received: {type(metadata).__name__} of shape {np.shape(metadata)}"
            )
        metadata = {"group": metadata}
    return pd.DataFrame(metadata)


def _group(name: str, values: pd.Series, bins: int | Sequence[float] | None) -> pd.Categorical:
    if bins is not None:
        return _bin(name, values, bins)
    groups = pd.Categorical(values).remove_unused_categories()
    count = len(groups.categories)
    if count == 0:
        raise ValueError(f"Expected a column with values. Received: {name!r}, which has none")
    if count > _MAX_GROUPS:
        number = pd.api.types.is_numeric_dtype(groups.categories.dtype)
        remedy = f"`bins={{{name!r}: 3}}` makes three" if number else "join some of them"
        raise ValueError(
            f"Expected at most {_MAX_GROUPS} groups; {remedy}. "
            f"Received: {count:,} different values of {name!r}"
        )
    # A column of whole numbers in which some are missing comes as floats.
    whole = [isinstance(v, float) and v.is_integer() for v in groups.categories]
    pairs = zip(groups.categories, whole, strict=True)
    return groups.rename_categories([str(int(v) if integer else v) for v, integer in pairs])


def _bin(name: str, values: pd.Series, bins: int | Sequence[float]) -> pd.Categorical:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
    finite = numbers[np.isfinite(numbers)]
    if pd.api.types.is_bool_dtype(values) or len(finite) < values.notna().sum():
        raise ValueError(f"Expected numbers in {name!r}, to bin them. Received: {values.dtype}")
    edges = np.asarray(bins, np.float64)
    if isinstance(bins, int):
        edges = np.unique(np.quantile(finite, np.linspace(0, 1, bins + 1))) if len(finite) else []
    if len(edges) < 3 or not (np.diff(edges) > 0).all():
        raise ValueError(
            "Expected `bins` as a number of groups from 2 on, or as at least three rising edges, "
            f"of a column with different values. Received: {bins!r} for {name!r}"
        )
    pairs = list(zip(edges[:-1], edges[1:], strict=True))
    texts = [f"{low:.3g} to {high:.3g}" for low, high in pairs]
    if len(set(texts)) < len(texts):
        texts = [f"{low} to {high}" for low, high in pairs]
    return pd.Categorical(pd.cut(numbers, edges, include_lowest=True, labels=texts))
