"""`datasets check`: which loader reads a copy, and the exit status; the check itself is a stub."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fer_lib
from fer_lib.cli import main


class Report(str):
    """What `check_dataset` returns, as far as the command line uses it."""

    findings: tuple[types.SimpleNamespace, ...] = ()


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list:
    """Collects what is given to the audit; a name with `bad` has a serious finding."""
    seen = []

    def check_dataset(dataset, model=None):
        seen.append((dataset, model))
        report = Report(f"{len(dataset)} images checked")
        severity = "error" if "bad" in dataset.name else "warning"
        report.findings = (types.SimpleNamespace(severity=severity),)
        return report

    audit = types.SimpleNamespace(check_dataset=check_dataset)
    monkeypatch.setitem(sys.modules, "fer_lib.audit", audit)
    return seen


def write_folders(
    folder: Path, side: int, splits: tuple[str, ...] = ("",), name: str = "face.png"
) -> Path:
    faces = fer_lib.make_faces(1, image_size=side)
    for split in splits:
        for image, label in faces:
            target = folder / split / fer_lib.EMOTIONS[label]
            target.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[..., 0]).save(target / name)
    return folder


@pytest.mark.filterwarnings("ignore:.*published")
@pytest.mark.parametrize(
    ("side", "splits", "file", "name"),
    [
        (48, ("train",), "Training_7.png", "fer2013"),
        (48, ("train", "test"), "face.png", "mine"),
        (48, ("train", "validation"), "face.png", "mine"),
        (64, ("train", "test"), "face.png", "mine"),
        (48, ("",), "face.png", "mine"),
    ],
)
def test_check_finds_the_loader(
    side: int, splits: tuple[str, ...], file: str, name: str, tmp_path: Path, checked: list
) -> None:
    folder = write_folders(tmp_path / "mine", side, splits, file)
    assert main(["datasets", "check", str(folder)]) == 0
    [(dataset, model)] = checked
    assert (dataset.name, len(dataset), model) == (name, 7 * len(splits), None)


def test_check_reads_saved_and_plain_npz_files(tmp_path: Path, checked: list) -> None:
    fer_lib.make_faces(2).save(tmp_path / "saved.npz")
    np.savez(
        tmp_path / "plain.npz",
        pixels=np.zeros((7, 48, 48), np.uint8),
        emotion=np.arange(7),
        usage=np.full(7, "Training"),
    )
    assert main(["datasets", "check", str(tmp_path / "saved.npz")]) == 0
    with pytest.warns(UserWarning, match="published"):
        assert main(["datasets", "check", str(tmp_path / "plain.npz")]) == 0
    assert [dataset.name for dataset, _ in checked] == ["synthetic", "fer2013"]


def test_check_takes_the_name_of_the_set(
    tmp_path: Path, checked: list, capsys: pytest.CaptureFixture[str]
) -> None:
    face = Image.fromarray(fer_lib.make_faces(1, image_size=64).images[0, ..., 0])
    face.save(tmp_path / "KA.AN1.39.tiff")
    assert main(["datasets", "check", str(tmp_path), "--set", "jaffe"]) == 0
    assert checked[0][0].name == "jaffe"
    assert capsys.readouterr().out == "1 images checked\n"


def test_a_serious_finding_is_exit_status_1(tmp_path: Path, checked: list) -> None:
    assert main(["datasets", "check", str(write_folders(tmp_path / "bad", 64))]) == 1


def test_a_missing_copy_is_one_line(
    tmp_path: Path, checked: list, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["datasets", "check", str(tmp_path / "nothing")]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("fer_lib datasets: Expected a data set")
    assert captured.err.count("\n") == 1
    assert checked == []
