"""The catalogue of data sets: its form, its agreement with the loaders, and the README of it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fer_lib import datasets, synthetic
from fer_lib.cli import main
from fer_lib.datasets import catalogue, dataset_info
from fer_lib.datasets.fer2013_files import PUBLISHED_COUNTS
from fer_lib.labels import EMOTIONS, EMOTIONS_8, canonical_emotion

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "datasets" / "README.md"
KEYS = list(catalogue.list_datasets())
OTHER_SOURCES = ("the readme of the distribution", "programs that use the set")
OTHER_SOURCES += ("measured by this project", "fer_lib.make_faces")
SECTIONS = ("images", "labels", "counts", "origin", "terms", "faults", "layout")
# The sets of which a part has no label, as their notes say, and how many images have one.
PARTLY_LABELED = {"ckplus": 327, "ferplus": 25060 + 3199, "sfew": 891 + 431}


@pytest.mark.parametrize("key", KEYS)
def test_an_entry_agrees_with_itself_and_its_loader(key: str) -> None:
    info = dataset_info(key)
    assert set(vars(info)) <= {field.name for field in dataclasses.fields(info)}
    names = [canonical_emotion(name) for name in info.labels.names]
    assert sorted(names) == sorted(EMOTIONS if len(names) == 7 else EMOTIONS_8)
    assert len(info.labels.codes) == len(names)
    if key in ("jaffe", "kdef"):
        assert [canonical_emotion(code) for code in info.labels.codes] == names
    if key == "fer2013":
        assert info.counts.splits == {k: list(n) for k, n in PUBLISHED_COUNTS.items()}
        assert (info.labels.names, info.labels.codes) == ([*EMOTIONS], [*"0123456"])
    assert all(len(counts) == len(names) for counts in info.counts.splits.values())
    total = sum(map(sum, info.counts.splits.values()))
    assert total in (0, PARTLY_LABELED.get(key, info.images.number))
    assert info.terms.access in ("open", "request", "none")
    assert (info.terms.access == "open") == (info.download is not None)
    loader = info.layout.loader
    assert callable(getattr(synthetic if loader.startswith("make_") else datasets, loader))


@pytest.mark.parametrize("key", KEYS)
def test_facts_have_sources_or_say_why_not(key: str) -> None:
    info = dataset_info(key)
    shown = " ".join(str(info).split())
    is_published = key not in ("folder", "synthetic")
    for name in SECTIONS:
        section = getattr(info, name)
        for source in section.sources:
            assert source.startswith(("https://", "http://")) or source in OTHER_SOURCES
        if not section.verified:
            assert f"Not verified: {' '.join(section.note.split())}" in shown
        elif is_published:
            assert section.sources, name
    if is_published:
        assert info.terms.page.startswith("http")
        assert info.origin.paper


def test_an_entry_shows_itself_and_cannot_be_changed() -> None:
    info = dataset_info("ckplus")
    text = info._repr_markdown_()
    for fact in ("123 people", "10.1109/CVPRW.2010.5543262", "cohn-kanade-images", "by person"):
        assert fact in text
    row = next(line for line in text.splitlines() if line.startswith("| sequences"))
    assert row.replace(" ", "") == "|sequences|0|45|18|59|25|69|28|83|327|"
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.title = "CK"
    with pytest.raises(ValueError, match="one of fer2013, ferplus, .*synthetic. Received: 'fer'"):
        dataset_info("fer")


def test_the_catalogue_loads_no_heavy_library() -> None:
    code = (
        "import json, sys; from fer_lib.cli import main; main(['datasets', 'list', 'kdef']); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    loaded = {name.split(".")[0] for name in json.loads(lines.splitlines()[-1])}
    assert not loaded & {"numpy", "pandas", "keras", "tensorflow", "cv2", "pooch"}
    assert lines.startswith("## KDEF")


def test_list_prints_a_line_a_set_and_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if "---" not in line] == ["name", *KEYS]
    assert main(["datasets", "list", "--markdown"]) == 0
    assert capsys.readouterr().out == README.read_text(encoding="utf-8"), (
        "write it again: python -m fer_lib datasets list --markdown > datasets/README.md"
    )


def test_measured_numbers_are_those_of_the_real_data(fer2013_npz: Path, ferplus_csv: Path) -> None:
    fer2013 = datasets.load_fer2013(fer2013_npz)
    info, votes = dataset_info("fer2013"), dataset_info("ferplus")
    for split in ("Training", "PublicTest"):
        part = fer2013.subset(split)
        assert part.content_hash == info.download.contents[split]
        voted = datasets.load_ferplus(ferplus_csv, part, labels="majority").counts()[split]
        counts = dict(zip(votes.labels.names, votes.counts.splits[split], strict=True))
        assert {canonical_emotion(n): count for n, count in counts.items()} == voted.to_dict()
