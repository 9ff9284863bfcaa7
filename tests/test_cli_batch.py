"""One image of a batch never costs the others, and nothing that was there is overwritten."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from fer_lib import recognition
from fer_lib.cli import main


class Recognizer:
    """Finds nothing; raises what it is told to for images of one width."""

    def __init__(self, *arguments, **options):
        self.fail = {}

    def predict(self, image):
        if image.shape[1] in FAILURES:
            raise FAILURES[image.shape[1]]
        return []


FAILURES = {11: RuntimeError("a decoder nobody listed\nsays two lines"), 13: KeyboardInterrupt()}


@pytest.fixture(autouse=True)
def _fake_recognizer(monkeypatch):
    monkeypatch.setattr(recognition, "EmotionRecognizer", Recognizer)


@pytest.fixture
def write(tmp_path):
    """A function that writes an image of a width under a name, and returns its path."""

    def write_one(name, width=10):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((12, width), 99, np.uint8)).save(file)
        return file

    return write_one


def test_an_error_that_nobody_listed_is_the_entry_of_its_image(write, capsys):
    files = [write("a.png"), write("b.png", 11), write("c.png")]
    assert main(["predict", *map(str, files), "--json"]) == 1
    entries = json.loads(capsys.readouterr().out)
    assert [entry["path"] for entry in entries] == list(map(str, files))
    assert [entry["error"] is None for entry in entries] == [True, False, True]
    assert "nobody listed" in entries[1]["error"]
    assert "\n" not in entries[1]["error"]


def test_an_interrupt_leaves_a_whole_list_of_what_is_done(write, capsys):
    files = [write("a.png"), write("b.png", 13), write("c.png")]
    assert main(["predict", *map(str, files), "--json"]) == 130
    captured = capsys.readouterr()
    assert [entry["path"] for entry in json.loads(captured.out)] == [str(files[0])]
    assert len(captured.err.strip().splitlines()) == 1


def test_images_of_one_name_get_files_of_their_own(write, tmp_path, capsys):
    files = [write("one/IMG_1.png"), write("two/IMG_1.png"), write("out/IMG_1.png.png")]
    before = files[2].read_bytes()
    assert main(["predict", *map(str, files), "--save", str(tmp_path / "out")]) == 0
    assert files[2].read_bytes() == before
    assert len(list((tmp_path / "out").glob("*.png"))) == 4


@pytest.mark.skipif(os.name == "nt", reason="names of bytes are of POSIX")
def test_names_that_cannot_be_printed_or_are_long_get_their_answer(write, tmp_path, capsys):
    files = [write(os.fsdecode(b"caf\xe9.png")), write("x" * 250 + ".png")]
    assert main(["predict", *map(str, files), "--save", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert capsys.readouterr().err == ""


def test_files_that_are_passed_over_are_counted(write, tmp_path, capsys):
    write("album/a.png")
    for name in ("b.txt", "c.TXT", "d", ".hidden"):
        (tmp_path / "album" / name).write_bytes(b"x")
    assert main(["predict", str(tmp_path / "album")]) == 0
    err = capsys.readouterr().err
    assert "passed over by their suffix: .txt 2, no suffix 1" in err
    assert len(err.strip().splitlines()) == 1
