"""The catalogue of data sets: its form, its agreement with the loaders, and the README of it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

import fer_lib
from fer_lib import datasets, synthetic
from fer_lib.cli import main
from fer_lib.datasets import catalogue
from fer_lib.datasets.fer2013_files import PUBLISHED_COUNTS
from fer_lib.labels import EMOTIONS, EMOTIONS_8, canonical_emotion

ROOT = Path(__file__).resolve().parents[1]
KEYS = list(catalogue.list_datasets())
PUBLISHED = [key for key in KEYS if key not in ("folder", "synthetic")]
OTHER_SOURCES = (
    "the readme of the distribution",
    "programs that use the set",  # second-hand
    "measured by this project",
)
SECTIONS = ("images", "labels", "counts", "origin", "terms", "faults", "layout")


@pytest.mark.parametrize("key", KEYS)
def test_labels_are_emotions_that_we_know(key: str) -> None:
    names = [canonical_emotion(name) for name in fer_lib.datasets.dataset_info(key).labels.names]
    assert sorted(names) == sorted(EMOTIONS if len(names) == 7 else EMOTIONS_8)


@pytest.mark.parametrize("key", KEYS)
def test_the_loader_exists(key: str) -> None:
    loader = fer_lib.datasets.dataset_info(key).layout.loader
    room = synthetic if loader.startswith("make_") else datasets
    assert callable(getattr(room, loader))


@pytest.mark.parametrize("key", PUBLISHED)
def test_every_verified_section_of_a_published_set_has_a_source(key: str) -> None:
    info = fer_lib.datasets.dataset_info(key)
    for name in SECTIONS:
        section = getattr(info, name)
        assert section.sources or not section.verified, name
        for source in section.sources:
            assert source.startswith(("https://", "http://")) or source in OTHER_SOURCES
    assert info.terms.page.startswith("http")
    assert info.origin.paper


@pytest.mark.parametrize("key", KEYS)
def test_what_is_not_verified_says_why(key: str) -> None:
    info = fer_lib.datasets.dataset_info(key)
    for name in SECTIONS:
        section = getattr(info, name)
        assert section.verified or section.note, name
        if not section.verified:
            shown = " ".join(info.to_markdown().split())
            assert f"Not verified: {' '.join(section.note.split())}" in shown


def test_counts_add_up_to_the_images() -> None:
    # The two sets of which a part has no label are told apart in their notes.
    partly = {"ckplus": 327, "ferplus": 25060 + 3199, "sfew": 891 + 431}
    for key, info in catalogue.list_datasets().items():
        if info.counts.splits:
            total = sum(map(sum, info.counts.splits.values()))
            assert total == partly.get(key, info.images.number), key


def test_fer2013_agrees_with_its_loader() -> None:
    info = fer_lib.datasets.dataset_info("fer2013")
    assert info.counts.splits == {k: list(n) for k, n in PUBLISHED_COUNTS.items()}
    assert info.labels.names == list(EMOTIONS)
    assert info.labels.codes == list("0123456")


@pytest.mark.parametrize("key", ["jaffe", "kdef"])
def test_letter_codes_mean_their_labels(key: str) -> None:
    labels = fer_lib.datasets.dataset_info(key).labels
    for name, code in zip(labels.names, labels.codes, strict=True):
        assert canonical_emotion(name) == canonical_emotion(code)


def test_readme_is_up_to_date() -> None:
    written = (ROOT / "datasets" / "README.md").read_text(encoding="utf-8")
    assert written == catalogue.to_readme(catalogue.list_datasets().values()), (
        "write it again: python -m fer_lib datasets list --markdown > datasets/README.md"
    )


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="one of fer2013, ferplus, .*synthetic. Received: 'fer'"):
        fer_lib.datasets.dataset_info("fer")


def test_an_entry_shows_itself() -> None:
    info = fer_lib.datasets.dataset_info("ckplus")
    text = str(info)
    assert text == info._repr_markdown_()
    for fact in (
        "123 people",
        "10.1109/CVPRW.2010.5543262",
        "cohn-kanade-images",
        "split by person",
    ):
        assert fact in text
    row = next(line for line in text.splitlines() if line.startswith("| sequences"))
    assert row.replace(" ", "") == "|sequences|0|45|18|59|25|69|28|83|327|"


@pytest.mark.parametrize("key", KEYS)
def test_the_parts_of_an_entry_agree(key: str) -> None:
    info = fer_lib.datasets.dataset_info(key)
    known = {field.name for field in dataclasses.fields(catalogue.DatasetInfo)}
    assert set(vars(info)) <= known
    assert len(info.labels.names) == len(info.labels.codes)
    for counts in info.counts.splits.values():
        assert len(counts) == len(info.labels.names)
    assert info.terms.access in ("open", "request", "none")
    assert (info.terms.access == "open") == (info.download is not None)


def test_entries_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        fer_lib.datasets.dataset_info("ckplus").title = "CK"


def test_the_catalogue_loads_no_heavy_library() -> None:
    code = (
        "import json, sys; from fer_lib.cli import main; main(['datasets', 'list', 'kdef']); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    lines = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    loaded = {name.split(".")[0] for name in json.loads(lines[-1])}
    assert not loaded & {"numpy", "pandas", "keras", "tensorflow", "cv2", "pooch"}
    assert lines[0].startswith("## KDEF")


def test_list_prints_a_line_a_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if "---" not in line] == ["name", *KEYS]
    assert main(["datasets", "list", "--markdown"]) == 0
    assert capsys.readouterr().out == (ROOT / "datasets" / "README.md").read_text(encoding="utf-8")


def test_measured_numbers_are_those_of_the_real_data(fer2013_npz: Path, ferplus_csv: Path) -> None:
    fer2013 = datasets.load_fer2013(fer2013_npz)
    for split in ("Training", "PublicTest"):
        part = fer2013.subset(split=split)
        info = fer_lib.datasets.dataset_info("fer2013")
        assert part.content_hash == info.download.contents[split]
        voted = datasets.load_ferplus(ferplus_csv, part, labels="majority").counts()[split]
        info = fer_lib.datasets.dataset_info("ferplus")
        counts = dict(zip(info.labels.names, info.counts.splits[split], strict=True))
        assert {canonical_emotion(n): count for n, count in counts.items()} == voted.to_dict()
