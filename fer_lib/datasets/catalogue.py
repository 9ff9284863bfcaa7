"""The catalogue: what each public data set holds, who made it, on what terms, and its faults.

The facts are data, one TOML file a set in `sets/`; here they are read into typed objects and
checked for form. A fact that could not be looked up is marked, never guessed: its section says
`verified = false` and why. What the text looks like is decided in `catalogue_text`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import tomllib
from typing import Any

KEYS: tuple[str, ...] = (
    *("fer2013", "ferplus", "ckplus", "jaffe", "kdef", "rafdb", "affectnet", "expw", "sfew"),
    *("ferg", "folder", "synthetic"),
)
"""The names of the data sets, in the order in which they are listed."""

ACCESS: tuple[str, ...] = ("open", "request", "none")
"""How a set is had: by `fetch_dataset`, by asking its makers, or with nothing to download."""

OTHER_SOURCES: tuple[str, ...] = (
    "the readme of the distribution",
    "programs that use the set",
    "measured by this project",
)
"""What a fact may come from besides an address; the second kind is second-hand."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """What all parts of an entry have: whether the facts were looked up, remarks, addresses."""

    verified: bool = True
    note: str = ""
    sources: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pictures(Section):
    """What the pictures are: `number` and `people` are None where they are unknown or open."""

    kind: str
    size: str
    color: str
    number: int | None = None
    people: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labels(Section):
    """The published names of the classes in the published order, and how files encode them."""

    names: tuple[str, ...]
    codes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counts(Section):
    """Pictures of each class, in the order of the labels, for each split or other part."""

    splits: dict[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin(Section):
    """Who made the set and how, and the paper to cite."""

    made_by: str
    paper: str = ""
    doi: str = ""
    arxiv: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Terms(Section):
    """The licence, and how access (one of `ACCESS`) is granted."""

    license: str
    access: str
    how: str
    page: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Faults(Section):
    """What is known to be wrong with the set, or easily done wrong with it."""

    known: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout(Section):
    """The function of `fer_lib.datasets` that reads the set, and the files that it expects."""

    loader: str
    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Download(Section):
    """Where `fetch_dataset` finds the one file of an open set: an address, or a data set on Kaggle.

    A file is whole when it has one of the `checksums`, such as `"md5:..."`, or when its splits have
    the `contents`, a `FaceDataset.content_hash` each.
    """

    file: str
    checksums: tuple[str, ...]
    contents: dict[str, str] = dataclasses.field(default_factory=dict)
    url: str = ""
    kaggle: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """One entry of the catalogue; `str()` gives it as text, a notebook shows it formatted."""

    key: str
    title: str
    summary: str
    pictures: Pictures
    labels: Labels
    counts: Counts
    origin: Origin
    terms: Terms
    faults: Faults
    layout: Layout
    download: Download | None = None

    def __str__(self) -> str:
        from fer_lib.datasets import catalogue_text

        return catalogue_text.entry_as_text(self)

    def _repr_markdown_(self) -> str:
        from fer_lib.datasets import catalogue_text

        return catalogue_text.entry_as_markdown(self)


_SECTIONS: dict[str, type[Section]] = {
    "pictures": Pictures,
    "labels": Labels,
    "counts": Counts,
    "origin": Origin,
    "terms": Terms,
    "faults": Faults,
    "layout": Layout,
    "download": Download,
}


def list_datasets() -> dict[str, DatasetInfo]:
    """Returns the catalogue: name to entry, the open sets first.

    Example:
        >>> list(list_datasets())[:3]
        ['fer2013', 'ferplus', 'ckplus']
    """
    return {key: dataset_info(key) for key in KEYS}


@functools.cache
def dataset_info(name: str) -> DatasetInfo:
    """Returns what is known about a data set.

    Args:
        name: One of `KEYS`, such as `"ckplus"`.

    Raises:
        ValueError: There is no such entry; the message lists the names.

    Example:
        >>> dataset_info("fer2013").counts.splits["PublicTest"]
        (467, 56, 496, 895, 653, 415, 607)
    """
    if name not in KEYS:
        raise ValueError(
            f"Expected the name of a data set, one of {', '.join(KEYS)}. Received: {name!r}"
        )
    file = importlib.resources.files("fer_lib.datasets") / "sets" / f"{name}.toml"
    return parse_entry(name, tomllib.loads(file.read_text(encoding="utf-8")))


def parse_entry(key: str, table: dict[str, Any]) -> DatasetInfo:
    """Turns the parsed TOML of one set into an entry.

    Raises:
        ValueError: A part is missing or misspelt, or the parts contradict each other.
    """
    fields = dict(table)
    for name, section in _SECTIONS.items():
        if name in fields:
            try:
                fields[name] = section(**{k: _freeze(v) for k, v in fields[name].items()})
            except TypeError as error:
                raise ValueError(f"{key}.toml, [{name}]: {error}") from None
    try:
        info = DatasetInfo(key=key, **fields)
    except TypeError as error:
        raise ValueError(f"{key}.toml: {error}") from None
    _check(info)
    return info


def _freeze(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {name: _freeze(inner) for name, inner in value.items()}
    return value


def _check(info: DatasetInfo) -> None:
    problems = [
        f"the labels have {len(info.labels.names)} names and {len(info.labels.codes)} codes"
        for _ in range(len(info.labels.names) != len(info.labels.codes))
    ]
    problems += [
        f"the split {split} has {len(counts)} counts for {len(info.labels.names)} labels"
        for split, counts in info.counts.splits.items()
        if len(counts) != len(info.labels.names)
    ]
    if info.terms.access not in ACCESS:
        problems.append(f"access is {info.terms.access!r}, expected one of {', '.join(ACCESS)}")
    if (info.terms.access == "open") != (info.download is not None):
        problems.append("an open set needs [download], another must not have it")
    problems += [
        f"[{name}] is not verified and does not say why"
        for name in _SECTIONS
        if (section := getattr(info, name)) and not section.verified and not section.note
    ]
    if problems:
        raise ValueError(f"{info.key}.toml: {'; '.join(problems)}")
