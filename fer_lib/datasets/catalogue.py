"""The catalogue: what each public data set holds, who made it, on what terms, and its faults.

The facts are in `catalogue.toml`. A fact that could not be looked up is marked, never guessed: its
section says `verified = False` and why in its `note`. Here the facts become Markdown: a table, one
entry, and the whole `datasets/README.md`.
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

_DEFAULTS: dict[str, dict[str, Any]] = {
    "images": {"number": None, "people": None},
    "labels": {},
    "counts": {"splits": {}},
    "origin": {"paper": "", "doi": "", "arxiv": ""},
    "terms": {"page": ""},
    "faults": {},
    "layout": {},
    "download": {"url": "", "kaggle": "", "contents": {}},
}
_ACCESS = {"open": "fetch", "request": "on request", "none": "nothing to fetch"}
_HEAD = """# Data sets

<!-- Written by `python -m fer_lib datasets list --markdown`: change fer_lib/datasets/catalogue.toml
instead, and write it again. -->

Nothing here belongs to others: images of published data sets are never committed.

Put your copy of FER2013 into `datasets/fer2013/` (git ignores it), in any published layout, and it
is found there; or let `python -m fer_lib datasets fetch fer2013` put one into the cache. Without a
copy, the notebooks use synthetic faces: `FER_LIB_DATASET` decides which data a notebook uses,
`auto` (FER2013 where there is a copy, else synthetic faces), `synthetic` or `fer2013`.

```console
python -m fer_lib datasets list          # this table; with a name, all about one set
python -m fer_lib datasets fetch NAME    # downloads an open set, explains how to get another
python -m fer_lib datasets check PATH    # is your copy whole, clean and free of leakage?
```

"Not verified" marks what could not be looked up, and says why. The small figures are the addresses
that were read; facts known only from programs that use a set are second-hand, and say so.
"""


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
        download: Of an open set: `file`, from `url` or `kaggle`. It is whole when it has one of
            the `checksums`, or when its splits have the `contents` (hashes of pixels and labels).
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
        return self.to_markdown()

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def to_markdown(self) -> str:
        """Returns all facts under a heading of the second level."""
        images, origin, terms = self.images, self.origin, self.terms
        number = "as many as you like" if images.number is None else f"{images.number:,}"
        people = [] if images.people is None else [f"{images.people} people"]
        paper = [origin.paper] if origin.paper else []
        paper += [f"https://doi.org/{origin.doi}"] if origin.doi else []
        paper += [f"https://arxiv.org/abs/{origin.arxiv}"] if origin.arxiv else []
        coded = zip(self.labels.names, self.labels.codes, strict=True)
        names = [name if name == code else f"{name} ({code})" for name, code in coded]
        access = [_ACCESS[terms.access], terms.how, terms.page]
        paragraphs = [
            ("Images", [number, images.size, images.color, images.kind, *people], images),
            ("Labels", [", ".join(names)], self.labels),
            ("Counts", ["in the table below" if self.counts.splits else "any"], self.counts),
            ("Made by", [origin.made_by, *paper], origin),
            ("Terms", [terms.license], terms),
            ("Access", [text for text in access if text], None),
            ("Faults", self.faults.known, self.faults),
        ]
        lines = [f"## {self.title}", "", self.summary, ""]
        for title, facts, section in paragraphs:
            text = f"- **{title}**: {'; '.join(facts)}{_tail(section)}"
            lines.append(_wrap(text, subsequent_indent="  "))
        text = f"Files that `{self.layout.loader}` reads{_tail(self.layout)}:"
        lines += ["", _wrap(text), "", "```text", *self.layout.text.strip("\n").split("\n"), "```"]
        if self.counts.splits:
            rows = [["", *names, "sum"]]
            for split, counts in self.counts.splits.items():
                rows.append([split, *(f"{n:,}" for n in counts), f"{sum(counts):,}"])
            lines += ["", _table(rows)]
        return "\n".join(lines) + "\n"


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
            common = {"verified": True, "note": "", "sources": []}
            table[name] = SimpleNamespace(**common | _DEFAULTS[name] | table[name])
        entries[key] = DatasetInfo(key=key, **table)
    return entries


def dataset_info(name: str) -> DatasetInfo:
    """Returns what is known about a data set.

    Args:
        name: One of the names that `list_datasets` gives, such as `"ckplus"`.

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
        number = "any" if info.images.number is None else f"{info.images.number:,}"
        rows.append(
            [
                f"`{info.key}`" if links else info.key,
                f"[{info.title}](#{info.key})" if links else info.title,
                number,
                str(len(info.labels.names)),
                info.images.kind,
                _ACCESS[info.terms.access],
            ]
        )
    return _table(rows)


def to_readme(entries: Iterable[DatasetInfo]) -> str:
    """Returns the whole catalogue in Markdown."""
    entries = list(entries)
    parts = [_HEAD, to_table(entries, links=True) + "\n"]
    parts += [f'<a id="{info.key}"></a>\n\n{info.to_markdown()}' for info in entries]
    return "\n".join(parts)


def _tail(section: SimpleNamespace | None) -> str:
    """Returns remark and sources for the end of a line."""
    if section is None:
        return ""
    prefix = "" if section.verified else "Not verified: "
    remark = f" ({prefix}{section.note})" if section.note else ""
    links = [
        f"[{n}]({source})" if source.startswith("http") else source
        for n, source in enumerate(section.sources, start=1)
    ]
    return remark + (f" <sub>{', '.join(links)}</sub>" if links else "")


def _wrap(text: str, **options: Any) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False, **options)


def _table(rows: list[list[str]]) -> str:
    """Returns a Markdown table that is aligned for a terminal, too; the first row is its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" | ".join(map(str.ljust, row, widths)) for row in rows]
    lines.insert(1, " | ".join("-" * max(width, 3) for width in widths))
    return "\n".join(f"| {line} |" for line in lines)
