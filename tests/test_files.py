"""Files: whole or not at all, whatever happens within; damaged `.npz` files are one clear error."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import numpy as np
import pytest

from fer_lib import files
from fer_lib.files import read_npz, write_atomically, write_text


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "rows.csv"
    with write_atomically(path) as partial:
        partial.write_text("a,b")
        assert partial.parent == path.parent and partial.suffix == ".csv" and not path.exists()
    assert path.read_text() == "a,b" and names(path.parent) == ["rows.csv"]
    assert write_text(path, "ü") == path and path.read_bytes() == "ü".encode()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError("disk"), MemoryError])
def test_an_exception_leaves_the_older_file(tmp_path, error):
    path = write_text(tmp_path / "rows.csv", "old")
    with (
        pytest.raises(error if isinstance(error, type) else OSError),
        write_atomically(path) as new,
    ):
        new.write_text("half")
        raise error
    assert path.read_text() == "old" and names(tmp_path) == ["rows.csv"]


def test_errors_name_the_file_that_was_asked_for(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "a.csv", tmp_path / "folder", tmp_path / ("a" * 300)):
        with pytest.raises(OSError, match="Cannot write") as error:
            write_text(path, "text")
        assert str(path) in str(error.value) and "partial" not in str(error.value)
    with pytest.raises(FileNotFoundError, match=r"other\.png"), write_atomically("a.csv"):
        (tmp_path / "other.png").read_bytes()


def test_threads_do_not_share_a_partial_file(tmp_path):
    path, texts = tmp_path / "rows.csv", [str(n) * 100_000 for n in range(8)]
    threads = [threading.Thread(target=write_text, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts and names(tmp_path) == ["rows.csv"]


def test_links_and_devices_stay(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_text() == "text"
    if Path("/dev/null").is_char_device():
        write_text("/dev/null", "text")
        assert Path("/dev/null").is_char_device()


def test_read_npz_returns_the_arrays(tmp_path):
    np.savez(tmp_path / "set.npz", a=np.arange(3), b="text")
    arrays = read_npz(tmp_path / "set.npz", "a data set")
    assert arrays["a"].tolist() == [0, 1, 2] and arrays["b"] == "text"
    with pytest.raises(FileNotFoundError, match="a data set"):
        read_npz(tmp_path / "none.npz", "a data set")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_any_damage_is_one_error(tmp_path, save):
    path = tmp_path / "set.npz"
    save(path, a=np.arange(2000) % 7, b=np.eye(3))
    whole = path.read_bytes()
    for data in (b"", b"text", whole[:-30], whole[:99]):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"a data set.*set\.npz") as error:
            read_npz(path, "a data set")
        assert "\n" not in str(error.value)
    for position in range(0, len(whole), 37):  # not every byte matters
        path.write_bytes(whole[:position] + b"\xff" + whole[position + 1 :])
        with contextlib.suppress(ValueError):
            read_npz(path, "a data set")


def test_objects_and_oversized_arrays_are_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "objects.npz", a=np.array([{}], object))
    np.savez_compressed(tmp_path / "large.npz", a=np.zeros(10_000))
    monkeypatch.setattr(files, "MAX_NPZ_BYTES", 50_000)
    for name, reason in (("objects", "pickle"), ("large", "50000")):
        with pytest.raises(ValueError, match=reason):
            read_npz(tmp_path / f"{name}.npz", "a data set")
