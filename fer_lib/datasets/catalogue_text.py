"""The catalogue as text: a table, one entry, and the README of the folder `datasets`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from fer_lib.datasets.catalogue import DatasetInfo, Section

_ACCESS = {"open": "fetch", "request": "on request", "none": "nothing to fetch"}

_HEAD = """# Data sets

<!-- Written by `python -m fer_lib datasets list --markdown`: change the files in
fer_lib/datasets/sets/ instead, and write it again. -->

Nothing here belongs to others: pictures of published data sets are never committed.

Put your copy of FER2013 into `datasets/fer2013/` (git ignores it), in any published layout, and it
is found there; or let `python -m fer_lib datasets fetch fer2013` put one into the cache. With no
copy at hand, the notebooks draw synthetic faces: `FER_LIB_DATASET` decides which data a notebook
uses, `auto` (FER2013 where there is a copy, else synthetic faces), `synthetic` or `fer2013`.

```console
python -m fer_lib datasets list          # this table; with a name, all about one set
python -m fer_lib datasets fetch NAME    # downloads an open set, explains how to get another
python -m fer_lib datasets check PATH    # is your copy whole, clean and free of leaks?
```

"Not verified" marks what could not be looked up, and says why. The small figures are the addresses
that were read; facts known only from programs that use a set are second-hand, and say so.
"""


def as_table(entries: Iterable[DatasetInfo]) -> str:
    """Returns one line an entry, aligned for a terminal."""
    rows = [("name", "title", "pictures", "classes", "kind", "access")]
    for info in entries:
        rows.append((info.key, info.title, *_row(info)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in (2, 3) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def as_readme(entries: Iterable[DatasetInfo]) -> str:
    """Returns the whole catalogue in Markdown."""
    entries = list(entries)
    table = _markdown_table(
        ["name", "set", "pictures", "classes", "kind", "access"],
        [(f"`{i.key}`", f"[{i.title}](#{i.key})", *_row(i)) for i in entries],
    )
    parts = [_HEAD, table]
    parts += [f'<a id="{info.key}"></a>\n\n{entry_as_markdown(info)}' for info in entries]
    return "\n".join(parts).rstrip() + "\n"


def entry_as_text(info: DatasetInfo) -> str:
    """Returns all facts of one set for a terminal."""
    lines = [f"{info.title} ({info.key})", info.summary, ""]
    for name, facts, section in _paragraphs(info):
        for number, line in enumerate([*facts, *_remarks(section)]):
            head = "" if number else f"{name}:"
            lines.append(
                textwrap.fill(line, 100, initial_indent=head.ljust(10), subsequent_indent=" " * 12)
            )
    lines += _counts_as_text(info)
    lines.append(f"Files that {info.layout.loader} reads:")
    lines += [f"  {line}" for line in info.layout.text.strip("\n").split("\n")]
    lines += [textwrap.fill(remark, 100, initial_indent="  ") for remark in _remarks(info.layout)]
    return "\n".join(lines)


def entry_as_markdown(info: DatasetInfo) -> str:
    """Returns all facts of one set in Markdown, under a heading of the second level."""
    lines = [f"## {info.title}", "", info.summary, ""]
    for name, facts, section in _paragraphs(info):
        lines.append(f"- **{name}**: {'; '.join(facts)}{_tail(section)}")
    lines += ["", f"Files that `{info.layout.loader}` reads{_tail(info.layout)}:", "", "```text"]
    lines += [*info.layout.text.strip("\n").split("\n"), "```", ""]
    if info.counts.splits:
        names = [
            name if name == code else f"{name} ({code})"
            for name, code in zip(info.labels.names, info.labels.codes, strict=True)
        ]
        rows = [
            (split, *(f"{n:,}" for n in counts), f"{sum(counts):,}")
            for split, counts in info.counts.splits.items()
        ]
        lines += [_markdown_table(["", *names, "sum"], rows)]
    return "\n".join(lines) + "\n"


def _row(info: DatasetInfo) -> tuple[str, str, str, str]:
    number = info.pictures.number
    return (
        "any" if number is None else f"{number:,}",
        str(len(info.labels.names)),
        info.pictures.kind,
        _ACCESS[info.terms.access],
    )


def _paragraphs(info: DatasetInfo) -> list[tuple[str, list[str], Section]]:
    """Returns name, facts and section of everything but the counts' table and the files."""
    pictures, origin, terms = info.pictures, info.origin, info.terms
    number = "as many as you like" if pictures.number is None else f"{pictures.number:,}"
    holds = [f"{number}, {pictures.size}, {pictures.color}, {pictures.kind}"]
    if pictures.people is not None:
        holds.append(f"{pictures.people} people")
    paper = [origin.paper] if origin.paper else []
    paper += [f"https://doi.org/{origin.doi}"] if origin.doi else []
    paper += [f"https://arxiv.org/abs/{origin.arxiv}"] if origin.arxiv else []
    labels = [
        name if name == code else f"{code} {name}"
        for name, code in zip(info.labels.names, info.labels.codes, strict=True)
    ]
    return [
        ("Pictures", holds, pictures),
        ("Labels", [", ".join(labels)], info.labels),
        ("Counts", ["in the table below" if info.counts.splits else "as you like"], info.counts),
        ("Made by", [origin.made_by, *paper], origin),
        ("Terms", [terms.license], terms),
        ("Access", [_ACCESS[terms.access], terms.how, *([terms.page] if terms.page else [])],
         Section()),
        ("Faults", list(info.faults.known), info.faults),
    ]  # fmt: skip


def _remarks(section: Section) -> list[str]:
    if not section.verified:
        return [f"(Not verified: {section.note})"]
    return [f"({section.note})"] if section.note else []


def _tail(section: Section) -> str:
    """Returns remark and sources for the end of a line in Markdown."""
    remark = "".join(f" {remark}" for remark in _remarks(section))
    links = [
        f"[{n}]({source})" if source.startswith("http") else source
        for n, source in enumerate(section.sources, start=1)
    ]
    return remark + (f" <sub>{', '.join(links)}</sub>" if links else "")


def _counts_as_text(info: DatasetInfo) -> list[str]:
    if not info.counts.splits:
        return []
    header = ["", *info.labels.names, "sum"]
    rows = [header] + [
        [split, *(str(n) for n in counts), str(sum(counts))]
        for split, counts in info.counts.splits.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]


def _markdown_table(header: list[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
