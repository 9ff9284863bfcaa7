"""The catalogue: what each public data set holds, who made it, on what terms, and its faults.

The facts are in `catalogue.toml`. A fact that could not be looked up is marked, never guessed: its
section says `verified = False` and why in its `note`. `catalogue.md.jinja` makes Markdown of them:
one entry, or the whole `datasets/README.md`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import textwrap
import tomllib
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

_COMMON = {"verified": True, "note": "", "sources": []}
_DEFAULTS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("labels", "faults", "layout"), {}),
    "images": {"number": None, "people": None},
    "counts": {"splits": {}},
    "origin": {"paper": "", "doi": "", "arxiv": ""},
    "terms": {"page": ""},
    "download": {"url": "", "kaggle": "", "contents": {}},
}
_ACCESS = {"open": "fetch", "request": "on request", "none": "nothing to fetch"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """One entry of the catalogue; `str()` and a notebook show it as Markdown.

    The sections hold their facts as attributes, such as `info.images.number`, `info.terms.license`
    or `info.counts.splits["Training"]`, and all have `verified`, `note` and `sources` (addresses).

    Attributes:
        key: The name that `dataset_info` and `fetch_dataset` take.
        title: The name that people know.
        summary: One sentence.
        images: `number` and `people` (None where unknown or open), `size`, `color`, `kind`.
        labels: `names` of the classes in their published order, and the `codes` of the files.
        counts: `splits`, images of each class in the order of the labels, by split.
        origin: `made_by`, `paper`, `doi`, `arxiv`.
        terms: `license`; `access` is `"open"`, `"request"` or `"none"`; `how` and `page` say how.
        faults: `known`, what is wrong with the set, or easily done wrong with it.
        layout: `loader`, the function that reads the set, and the files that it expects as `text`.
        download: Of an open set: `file`, from `url` or `kaggle`, whole with one of the `checksums`
            or the `contents` of each split (hashes of pixels and labels).
    """

    key: str
    title: str
    summary: str
    images: SimpleNamespace
    labels: SimpleNamespace
    counts: SimpleNamespace
    origin: SimpleNamespace
    terms: SimpleNamespace
    faults: SimpleNamespace
    layout: SimpleNamespace
    download: SimpleNamespace | None = None

    def __str__(self) -> str:
        return render(info=self)

    _repr_markdown_ = __str__

    @property
    def access(self) -> str:
        """How a copy is obtained, in words."""
        return _ACCESS[self.terms.access]

    def counts_table(self) -> str:
        """Returns the images of each class (column) in each split (row) as a Markdown table."""
        rows = [["", *self.labels.names, "sum"]]
        for split, counts in self.counts.splits.items():
            rows.append([split, *(f"{n:,}" for n in (*counts, sum(counts)))])
        return _table(rows)


@functools.cache
def list_datasets() -> dict[str, DatasetInfo]:
    """Returns the catalogue: name to entry, the open sets first.

    Example:
        >>> list(list_datasets())[:3]
        ['fer2013', 'ferplus', 'ckplus']
    """
    file = importlib.resources.files("fer_lib.datasets") / "catalogue.toml"
    entries = {}
    for key, table in tomllib.loads(file.read_text(encoding="utf-8")).items():
        for name in _DEFAULTS.keys() & table.keys():
            table[name] = SimpleNamespace(**_COMMON | _DEFAULTS[name] | table[name])
        entries[key] = DatasetInfo(key=key, **table)
    return entries


def dataset_info(name: str) -> DatasetInfo:
    """Returns what is known about a data set, by its name in `list_datasets`.

    Raises:
        ValueError: There is no such entry; the message lists the names.

    Example:
        >>> dataset_info("fer2013").counts.splits["PublicTest"]
        [467, 56, 496, 895, 653, 415, 607]
    """
    entries = list_datasets()
    if name not in entries:
        known = ", ".join(entries)
        raise ValueError(f"Expected the name of a data set, one of {known}. Received: {name!r}")
    return entries[name]


def to_table(entries: Iterable[DatasetInfo], *, links: bool = False) -> str:
    """Returns one line per entry, as a Markdown table."""
    rows = [["name", "set", "images", "classes", "kind", "access"]]
    for info in entries:
        number = f"{info.images.number:,}" if info.images.number else "any"
        names = [f"`{info.key}`", f"[{info.title}](#{info.key})"]
        names = names if links else [info.key, info.title]
        classes = str(len(info.labels.names))
        rows.append([*names, number, classes, info.images.kind, info.access])
    return _table(rows)


def to_readme(entries: Iterable[DatasetInfo]) -> str:
    """Returns the whole catalogue in Markdown."""
    entries = list(entries)
    return render(entries=entries, table=to_table(entries, links=True))


def render(**facts: Any) -> str:
    """Returns what `catalogue.md.jinja` makes of facts: an entry, all of them, or advice."""
    import jinja2  # takes a tenth of a second to import

    options = {"break_long_words": False, "break_on_hyphens": False}
    environment = jinja2.Environment(keep_trailing_newline=True, autoescape=False)
    environment.filters["wrap"] = lambda text, indent="": textwrap.fill(
        text, 100, subsequent_indent=indent, **options
    )
    template = importlib.resources.files("fer_lib.datasets") / "catalogue.md.jinja"
    return environment.from_string(template.read_text(encoding="utf-8")).render(**facts)


def _table(rows: list[list[str]]) -> str:
    """Returns a Markdown table that is aligned for a terminal, too; the first row is its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" | ".join(map(str.ljust, row, widths)) for row in rows]
    lines.insert(1, " | ".join("-" * max(width, 3) for width in widths))
    return "\n".join(f"| {line} |" for line in lines)
