"""Fetching against a local server that cuts, lies and sends archives with traps."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import io
import struct
import sys
import tarfile
import threading
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lib import datasets
from fer_lib.cli import main
from fer_lib.datasets import archives
from fer_lib.datasets import fetch as module
from fer_lib.datasets.archives import unpack
from fer_lib.datasets.fer2013_files import read_csv

CONTENT = b"Usage,Image name,neutral\n" * 20_000


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


class Server:
    """Answers `/name` with `files[name]`; a name in `cut` breaks off in the middle."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.requests: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.lstrip("/")
                outer.requests.append(name)
                if name not in outer.files:
                    self.send_error(404)
                    return
                content = outer.files[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if name in outer.cut else content)

            def log_message(self, *arguments: object) -> None:
                pass

        self.running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.running.server_address[1]}"
        threading.Thread(target=self.running.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, offline: None) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    yield server
    server.running.shutdown()
    server.running.server_close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; returns the folder of the data sets in it."""
    monkeypatch.setenv("FER_LIB_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "datasets"


def changed_section(section: types.SimpleNamespace, **changes: object) -> types.SimpleNamespace:
    return types.SimpleNamespace(**vars(section) | changes)


def fetch(name: str, *arguments: object, **options: object) -> Path:
    return datasets.fetch_dataset(name, *arguments, **options, return_path=True)


fetch_ferplus, fetch_fer2013 = (
    functools.partial(fetch, "ferplus"),
    functools.partial(fetch, "fer2013"),
)


@pytest.fixture
def ferplus(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """FER+ as if it were published on the local server, with `CONTENT`."""
    server.files["votes.csv"] = CONTENT
    info = datasets.dataset_info("ferplus")
    published = {"url": f"{server.url}/votes.csv", "checksums": (md5(CONTENT),)}
    changed = dataclasses.replace(info, download=changed_section(info.download, **published))
    monkeypatch.setattr(module, "dataset_info", lambda name: changed)
    return server


def files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) if folder.exists() else []


def make_zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def make_tar(files: dict[str, bytes], mode: str = "w:gz", *extra: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for entry in extra:
            archive.addfile(entry)
    return buffer.getvalue()


# Open sets


def test_fetch_puts_a_whole_file_in_place_once(
    ferplus: Server, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fetch_ferplus()
    assert path == home / "ferplus" / "fer2013new.csv"
    assert path.read_bytes() == CONTENT
    assert files_below(home) == ["ferplus", "ferplus/fer2013new.csv"]
    assert main(["datasets", "fetch", "ferplus"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert ferplus.requests == ["votes.csv"]
    path.write_bytes(CONTENT[:1000])  # a damaged copy is fetched again
    assert fetch_ferplus() == path
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CONTENT, "the connection was cut.*by hand from .* and put it into"),
        (b"other", f"expected FER\\+ with {md5(CONTENT)}. Received: md5:"),
        (None, "404 .*by hand"),
    ],
    ids=["cut", "wrong", "missing"],
)
def test_a_failed_fetch_leaves_nothing_new(
    ferplus: Server, home: Path, tmp_path: Path, content: bytes | None, message: str
) -> None:
    (tmp_path / "mine.csv").write_bytes(CONTENT)
    ferplus.files = {} if content is None else {"votes.csv": content}
    ferplus.cut = {"votes.csv"} if content == CONTENT else set()
    with pytest.raises((OSError, ValueError), match=message):
        fetch_ferplus()
    assert files_below(home) == []
    path = fetch_ferplus(tmp_path / "mine.csv")
    with pytest.raises((OSError, ValueError), match=message):
        fetch_ferplus(source=f"{ferplus.url}/votes.csv")
    assert path.read_bytes() == CONTENT
    assert files_below(home) == ["ferplus", "ferplus/fer2013new.csv"]


def test_no_network_is_one_line_with_the_remedy(
    home: Path, offline: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["datasets", "fetch", "ferplus"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "no connection" in captured.err
    assert f"put it into {home / 'ferplus'}" in captured.err
    assert files_below(home) == []


def test_a_mirror_a_file_and_a_folder(ferplus: Server, home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(CONTENT)
    ferplus.files["mirror/any-name"] = CONTENT
    assert fetch_ferplus(tmp_path / "mine.csv").name == "fer2013new.csv"
    assert (tmp_path / "mine.csv").read_bytes() == CONTENT
    elsewhere = fetch_ferplus(f"{ferplus.url}/mirror/any-name", tmp_path / "here")
    assert elsewhere == tmp_path / "here" / "fer2013new.csv"
    with pytest.raises(FileNotFoundError, match="a folder, which load_ferplus reads"):
        fetch_ferplus(tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing.csv, not found"):
        fetch_ferplus(tmp_path / "nothing.csv")
    assert "votes.csv" not in ferplus.requests


def test_a_checksum_of_your_own(ferplus: Server, home: Path) -> None:
    ferplus.files["part.csv"] = b"a part"
    source = f"{ferplus.url}/part.csv"
    assert fetch_ferplus(source, checksum=md5(b"a part")).read_bytes() == b"a part"
    with pytest.raises(ValueError, match="Expected a checksum such as"):
        fetch_ferplus(source, checksum="1234")


# FER2013: several layouts, Kaggle, and a check of what is in it


@pytest.fixture
def tiny_fer2013(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bytes:
    """A CSV file with two images of each class and split, as if that were FER2013."""
    generator = np.random.default_rng(0)
    rows, splits = ["emotion,pixels,Usage"], ("Training", "PublicTest", "PrivateTest")
    for split in splits:
        for index in range(14):
            pixels = " ".join(map(str, generator.integers(0, 256, 48 * 48)))
            rows.append(f"{index % 7},{pixels},{split}")
    info = datasets.dataset_info("fer2013")
    content = ("\n".join(rows) + "\n").encode()
    (tmp_path / "tiny.csv").write_bytes(content)
    content_hash = read_csv(tmp_path / "tiny.csv", "tiny").subset("Training").content_hash
    counts = changed_section(info.counts, splits=dict.fromkeys(splits, [2] * 7))
    download = changed_section(
        info.download, checksums=(md5(content),), contents={"Training": content_hash}
    )
    changed = dataclasses.replace(info, counts=counts, download=download)
    monkeypatch.setattr(module, "dataset_info", lambda name: changed)
    return content


@pytest.mark.parametrize(
    ("source", "name", "wrap"),
    [
        ("fer2013.csv", "fer2013.csv", lambda content: content),
        ("windows.csv", "fer2013.csv", lambda content: content.replace(b"\n", b"\r\n")),
        ("fer2013.tar.gz", "fer2013.tar.gz", lambda c: make_tar({"fer2013/fer2013.csv": c})),
        ("fer.tgz", "fer2013.tar.gz", lambda c: make_tar({"fer2013/fer2013.csv": c})),
        ("archive.zip", "fer2013.csv", lambda c: make_zip({"a/fer2013.csv": c, "b.txt": b""})),
    ],
)
def test_fer2013_in_each_layout(
    tiny_fer2013: bytes,
    server: Server,
    home: Path,
    source: str,
    name: str,
    wrap: Callable[[bytes], bytes],
) -> None:
    server.files[source] = wrap(tiny_fer2013)
    path = fetch_fer2013(f"{server.url}/{source}")
    assert path == home / "fer2013" / name
    assert files_below(home) == ["fer2013", f"fer2013/{name}"]
    with pytest.warns(UserWarning, match="published"):
        assert len(datasets.fetch_dataset("fer2013")) == 42  # which loads it
    assert fetch_fer2013() == path  # nothing is asked of Kaggle


@pytest.mark.parametrize("fault", ["pixel", "label", "rows", "format"])
def test_fer2013_with_other_contents_is_refused(
    tiny_fer2013: bytes, home: Path, tmp_path: Path, fault: str
) -> None:
    lines = tiny_fer2013.decode().splitlines()
    pixels = lines[1].split(",")[1].split()
    changes = {
        "pixel": [f"0,{(int(pixels[0]) + 1) % 256} {' '.join(pixels[1:])},Training", *lines[2:]],
        "label": [f"3{lines[1][1:]}", *lines[2:]],
        "rows": lines[1:-1],
        "format": [*lines[1:5], "half a line", *lines[6:]],
    }
    (tmp_path / "fer2013.csv").write_text("\n".join([lines[0], *changes[fault]]) + "\n")
    with pytest.raises(ValueError, match="nothing was kept|fer2013.csv, row 4: expected"):
        fetch_fer2013(tmp_path / "fer2013.csv")
    assert files_below(home) == []


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("fer2013.csv", None),
        (RuntimeError("403 Client Error.\n\nNo"), r"\(403 Client Error.\). Download .* by hand"),
        (None, "pip install kagglehub. Or: Download fer2013.csv"),
    ],
    ids=["answer", "error", "not installed"],
)
def test_fer2013_from_kaggle(
    tiny_fer2013: bytes, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome, error
) -> None:
    (tmp_path / "fer2013.csv").write_bytes(tiny_fer2013)

    def dataset_download(handle: str, path: str) -> str:
        assert (handle, path) == ("deadskull7/fer2013", "fer2013.csv")
        if isinstance(outcome, Exception):
            raise outcome
        return str(tmp_path / path)

    kagglehub = types.SimpleNamespace(dataset_download=dataset_download) if outcome else None
    monkeypatch.setitem(sys.modules, "kagglehub", kagglehub)
    if error is None:
        assert fetch_fer2013().read_bytes() == tiny_fer2013
        assert (tmp_path / "fer2013.csv").exists()
        return
    with pytest.raises((OSError, ImportError), match=error):
        fetch_fer2013()
    assert files_below(home) == []


def test_the_real_fer2013_without_private_test_is_not_whole(home: Path, fer2013_npz: Path) -> None:
    with pytest.raises(ValueError, match="3589 images in PrivateTest. Received: 0"):
        fetch_fer2013(fer2013_npz)


# Sets that are given out on request


@pytest.mark.parametrize(
    "key",
    [key for key, info in datasets.list_datasets().items() if info.terms.access == "request"],
)
def test_a_restricted_set_explains_itself(
    key: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    info = datasets.dataset_info(key)
    with pytest.raises(PermissionError, match="on request only. Apply: ") as caught:
        fetch(key)
    assert info.terms.page in str(caught.value)
    assert main(["datasets", "fetch", key]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    for part in (info.terms.page, str(home / key), info.layout.loader, info.terms.license):
        assert part in captured.out
    assert files_below(home) == []


@pytest.mark.parametrize("wrap", [make_zip, make_tar], ids=["zip", "tar.gz"])
def test_a_given_archive_is_unpacked(
    wrap: Callable[[dict[str, bytes]], bytes], server: Server, home: Path
) -> None:
    server.files["kdef"] = wrap({"KDEF/AF01/AF01AFS.JPG": b"1", "KDEF/AF01/AF01ANS.JPG": b"2"})
    folder = fetch("kdef", f"{server.url}/kdef")
    assert folder == home / "kdef"
    assert (folder / "KDEF" / "AF01" / "AF01ANS.JPG").read_bytes() == b"2"
    assert [path.name for path in home.iterdir()] == ["kdef"]
    assert fetch("kdef") == folder
    with pytest.raises(FileExistsError, match="which holds files"):
        fetch("kdef", f"{server.url}/kdef")
    assert (folder / "KDEF" / "AF01" / "AF01AFS.JPG").read_bytes() == b"1"


def test_a_given_archive_may_have_a_checksum(home: Path, tmp_path: Path) -> None:
    archive = tmp_path / "kdef.zip"
    archive.write_bytes(make_zip({"a.JPG": b"1"}))
    (home / "kdef").mkdir(parents=True)
    with pytest.raises(ValueError, match="expected KDEF .* with md5:00"):
        fetch("kdef", archive, checksum="md5:00")
    assert files_below(home) == ["kdef"]
    fetch("kdef", archive, checksum=md5(archive.read_bytes()))
    assert files_below(home) == ["kdef", "kdef/a.JPG"]


def test_what_needs_no_download() -> None:
    for key in ("folder", "synthetic"):
        with pytest.raises(ValueError, match="Expected a published data set"):
            fetch(key)


# Archives with traps


def tar_entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def zip_with_link() -> bytes:
    entry = zipfile.ZipInfo("link")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


NAMES = ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil", "C:evil", "\\evil", "a/.."]
TRAPS = {
    **{f"zip {name}": make_zip({"good": b"1", name: b"2"}) for name in NAMES},
    **{f"tar {name}": make_tar({"good": b"1", name: b"2"}) for name in NAMES},
    "zip link": zip_with_link(),
    "tar link": make_tar({"good": b"1"}, "w:gz", tar_entry("x", tarfile.SYMTYPE, "/etc")),
    "tar inner link": make_tar({"good": b"1"}, "w:gz", tar_entry("x", tarfile.SYMTYPE, "good")),
    "tar hard link": make_tar({"good": b"1"}, "w:gz", tar_entry("x", tarfile.LNKTYPE, "good")),
    "tar device": make_tar({"good": b"1"}, "w:gz", tar_entry("x", tarfile.CHRTYPE)),
    "tar pipe": make_tar({"good": b"1"}, "w:gz", tar_entry("x", tarfile.FIFOTYPE)),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_an_archive_with_a_trap_is_refused(
    trap: str, server: Server, home: Path, tmp_path: Path
) -> None:
    server.files["archive"] = TRAPS[trap]
    with pytest.raises(ValueError, match="expected plain files below one folder"):
        fetch("kdef", f"{server.url}/archive")
    assert files_below(tmp_path) == ["home", "home/datasets"]


BOMBS = {
    "zip": make_zip({f"{n}.jpg": bytes(2**20) for n in range(5)}),
    "tar.gz": make_tar({f"{n}.jpg": bytes(2**20) for n in range(5)}),
    "tar.xz": make_tar({"0.jpg": bytes(2**20), "1.jpg": bytes(5 * 2**20)}, "w:xz"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_it_is_unpacked(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_MIN_BUDGET", 2**22)
    (tmp_path / "bomb").write_bytes(BOMBS[kind])
    with pytest.raises(ValueError, match="bomb: expected at most 4 MB.*larger `max_bytes`"):
        unpack(tmp_path / "bomb", tmp_path / "unpacked")
    unpacked = sum(path.stat().st_size for path in (tmp_path / "unpacked").rglob("*"))
    assert unpacked <= 2**22
    unpack(tmp_path / "bomb", tmp_path / "whole", max_bytes=2**23)
    assert (tmp_path / "whole" / "1.jpg").stat().st_size >= 2**20


def test_the_budget_of_a_fetch_can_be_set(home: Path, tmp_path: Path) -> None:
    (tmp_path / "kdef.zip").write_bytes(make_zip({"a.JPG": bytes(1000)}))
    with pytest.raises(ValueError, match="larger `max_bytes`"):
        datasets.fetch_dataset("kdef", tmp_path / "kdef.zip", max_bytes=999)
    assert files_below(home) == []
    assert main(["datasets", "fetch", "kdef", "--source", str(tmp_path / "kdef.zip")]) == 0
    assert files_below(home) == ["kdef", "kdef/a.JPG"]


def huge_header() -> bytes:
    content = bytearray(make_tar({"a.jpg": b"1"}, "w"))
    content[124:136] = b"%011o\0" % 2**31
    content[156:157] = tarfile.XHDTYPE
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


def changed_zip(value: int, *offsets: int) -> bytes:
    """A .zip file with other flags or method, in the entry's own header and in the list."""
    content = bytearray(make_zip({"a.jpg": b"1"}))
    for signature, offset in zip((b"PK\x03\x04", b"PK\x01\x02"), offsets, strict=True):
        struct.pack_into("<H", content, content.index(signature) + offset, value)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (huge_header(), "a header of 2147483648"),
        (changed_zip(1, 6, 8), "password required"),
        (changed_zip(97, 8, 10), "compression"),  # WavPack
        (b"Rar!" * 1000, ""),
    ],
    ids=["header", "encrypted", "method", "rar"],
)
def test_what_cannot_be_unpacked_says_so(
    content: bytes, reason: str, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "basic.zip").write_bytes(content)
    with pytest.raises(ValueError, match=f"basic.zip: expected a whole .zip.*{reason}.*by hand"):
        fetch("rafdb", tmp_path / "basic.zip")
    assert files_below(home) == []


WHOLE = {
    "zip": make_zip({f"{n}.jpg": bytes([n]) * 700 for n in range(5)}),
    **{
        mode: make_tar({f"{n}.jpg": bytes([n]) * 700 for n in range(5)}, f"w:{mode}")
        for mode in ("", "gz", "bz2", "xz")
    },
}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1, exclude_max=True))
def test_a_whole_archive_is_unpacked_and_a_cut_one_never_looks_whole(
    tmp_path_factory: pytest.TempPathFactory, kind: str, share: float
) -> None:
    content = WHOLE[kind]
    # A plain tar is padded with zeros: all but the first block of them may be missing.
    length = len(content.rstrip(b"\0")) // 512 * 512 if kind == "" else len(content)
    folder = tmp_path_factory.mktemp("cut")
    (folder / "archive").write_bytes(content[: int(share * length)])
    with pytest.raises(ValueError, match="expected a whole"):
        unpack(folder / "archive", folder / "unpacked")
    (folder / "archive").write_bytes(content)
    unpack(folder / "archive", folder / "whole")
    files = {path.name: path.read_bytes() for path in (folder / "whole").iterdir()}
    assert files == {f"{n}.jpg": bytes([n]) * 700 for n in range(5)}
