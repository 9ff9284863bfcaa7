"""The catalogue of data sets: its form, its agreement with the loaders, and the README of it."""

from __future__ import annotations

import copy
import dataclasses
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fer_lib
from fer_lib import datasets, synthetic
from fer_lib.cli import main
from fer_lib.datasets import catalogue, catalogue_text, posed, wild
from fer_lib.datasets.fer2013_files import PUBLISHED_COUNTS
from fer_lib.labels import EMOTIONS, EMOTIONS_8, canonical_emotion

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "fer_lib" / "datasets" / "sets"
PUBLISHED = [key for key in catalogue.KEYS if key not in ("folder", "synthetic")]
SECTIONS = ("pictures", "labels", "counts", "origin", "terms", "faults", "layout")


def test_there_is_one_file_for_each_name() -> None:
    assert sorted(path.stem for path in FILES.iterdir()) == sorted(catalogue.KEYS)
    assert list(fer_lib.datasets.list_datasets()) == list(catalogue.KEYS)


@pytest.mark.parametrize("key", catalogue.KEYS)
def test_labels_are_emotions_that_we_know(key: str) -> None:
    names = [canonical_emotion(name) for name in fer_lib.datasets.dataset_info(key).labels.names]
    assert sorted(names) == sorted(EMOTIONS if len(names) == 7 else EMOTIONS_8)


@pytest.mark.parametrize("key", catalogue.KEYS)
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
            assert source.startswith(("https://", "http://")) or source in catalogue.OTHER_SOURCES
    assert info.terms.page.startswith("http")
    assert info.origin.paper


@pytest.mark.parametrize("key", catalogue.KEYS)
def test_what_is_not_verified_says_why(key: str) -> None:
    info = fer_lib.datasets.dataset_info(key)
    for name in SECTIONS:
        section = getattr(info, name)
        assert section.verified or section.note, name
        if not section.verified:
            assert f"Not verified: {section.note}" in catalogue_text.entry_as_markdown(info)


def test_counts_add_up_to_the_pictures() -> None:
    # The two sets of which a part has no label are told apart in their notes.
    partly = {"ckplus": 327, "ferplus": 25060 + 3199, "sfew": 891 + 431}
    for key, info in catalogue.list_datasets().items():
        if info.counts.splits:
            total = sum(map(sum, info.counts.splits.values()))
            assert total == partly.get(key, info.pictures.number), key


def test_fer2013_agrees_with_its_loader() -> None:
    info = fer_lib.datasets.dataset_info("fer2013")
    assert info.counts.splits == PUBLISHED_COUNTS
    assert info.labels.names == EMOTIONS
    assert info.labels.codes == tuple("0123456")


@pytest.mark.parametrize(
    ("key", "codes", "first"),
    [
        ("ckplus", posed._CKPLUS_CODES, 0),
        ("rafdb", wild._RAFDB_CODES, 1),
        ("affectnet", wild._AFFECTNET_CODES, 0),
        ("expw", EMOTIONS, 0),
    ],
)
def test_codes_agree_with_the_loaders(key: str, codes: tuple[str, ...], first: int) -> None:
    labels = fer_lib.datasets.dataset_info(key).labels
    assert [canonical_emotion(n) for n in labels.names] == [canonical_emotion(n) for n in codes]
    assert labels.codes == tuple(str(n) for n in range(first, first + len(codes)))


@pytest.mark.parametrize("key", ["jaffe", "kdef"])
def test_letter_codes_mean_their_labels(key: str) -> None:
    labels = fer_lib.datasets.dataset_info(key).labels
    for name, code in zip(labels.names, labels.codes, strict=True):
        assert canonical_emotion(name) == canonical_emotion(code)


def test_readme_is_up_to_date() -> None:
    written = (ROOT / "datasets" / "README.md").read_text(encoding="utf-8")
    assert written == catalogue_text.as_readme(catalogue.list_datasets().values()), (
        "write it again: python -m fer_lib datasets list --markdown > datasets/README.md"
    )


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="one of fer2013, ferplus, .*synthetic. Received: 'fer'"):
        fer_lib.datasets.dataset_info("fer")


def test_an_entry_shows_itself() -> None:
    info = fer_lib.datasets.dataset_info("ckplus")
    text, markdown = str(info), info._repr_markdown_()
    for fact in (
        "123 people",
        "10.1109/CVPRW.2010.5543262",
        "cohn-kanade-images",
        "split by person",
    ):
        assert fact in text
        assert fact in markdown
    assert "| sequences | 0 | 45 | 18 | 59 | 25 | 69 | 28 | 83 | 327 |" in markdown
    assert max(map(len, text.split("\n"))) <= 100


def _table() -> dict:
    return tomllib.loads((FILES / "ckplus.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        ("terms", {"licence": "MIT"}, r"ckplus.toml, \[terms\]: .*licence"),
        ("labels", {"codes": ["0"]}, "8 names and 1 codes"),
        ("counts", {"splits": {"all": [1, 2]}}, "split all has 2 counts for 8 labels"),
        ("terms", {"access": "maybe"}, "access is 'maybe'"),
        ("terms", {"access": "open"}, "needs \\[download\\]"),
        ("faults", {"verified": False}, r"\[faults\] is not verified and does not say why"),
    ],
)
def test_a_wrong_entry_is_refused(section: str, change: dict, message: str) -> None:
    table = copy.deepcopy(_table())
    table[section].update(change)
    with pytest.raises(ValueError, match=message):
        catalogue.parse_entry("ckplus", table)


def test_a_missing_section_is_named() -> None:
    table = _table()
    del table["origin"]
    with pytest.raises(ValueError, match="ckplus.toml: .*origin"):
        catalogue.parse_entry("ckplus", table)


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
    assert lines[0].startswith("KDEF")


def test_list_prints_a_line_a_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *catalogue.KEYS]
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
