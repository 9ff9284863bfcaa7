"""Fetching against a local server that cuts, lies and sends archives with traps."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import io
import struct
import sys
import tarfile
import threading
import types
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_lib import datasets
from fer_lib.cli import main
from fer_lib.datasets import archives
from fer_lib.datasets import fetch as module
from fer_lib.datasets.archives import unpack
from fer_lib.datasets.fer2013_files import read_file

CONTENT = b"Usage,Image name,neutral\n" * 20_000


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


@pytest.fixture
def server(monkeypatch, offline):
    """Answers `/name` with `files[name]`; a name in `cut` breaks off in the middle."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.lstrip("/")
            state.requests.append(name)
            content = state.files.get(name, b"")
            self.send_response(200 if name in state.files else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if name in state.cut else content)

        def log_message(self, *arguments):
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        url = f"http://127.0.0.1:{running.server_address[1]}"
        state = types.SimpleNamespace(files={}, cut=set(), requests=[], url=url)
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield state
        running.shutdown()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache; returns the folder of the data sets in it."""
    monkeypatch.setenv("FER_LIB_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "datasets"


def fetch(name, *arguments, **options):
    return datasets.fetch_dataset(name, *arguments, **options, return_path=True)


def publish(monkeypatch, name, **changes):
    """Changes facts of a set in the catalogue, given as `section={fact: value}`."""
    info = datasets.dataset_info(name)
    sections = {
        section: types.SimpleNamespace(**vars(getattr(info, section)) | facts)
        for section, facts in changes.items()
    }
    monkeypatch.setattr(module, "dataset_info", lambda _: dataclasses.replace(info, **sections))


@pytest.fixture
def ferplus(server, monkeypatch):
    """FER+ as if it were published on the local server, with `CONTENT`."""
    server.files["votes.csv"] = CONTENT
    published = {"url": f"{server.url}/votes.csv", "checksums": (md5(CONTENT),)}
    publish(monkeypatch, "ferplus", download=published)
    return server


def files_below(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) if folder.exists() else []


def make_zip(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def make_tar(files, mode="w:gz", *extra):
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


def test_fetch_puts_a_whole_file_in_place_once(ferplus, home, capsys):
    path = fetch("ferplus")
    assert path == home / "ferplus" / "fer2013new.csv"
    assert path.read_bytes() == CONTENT
    assert files_below(home) == ["ferplus", "ferplus/fer2013new.csv"]
    assert main(["datasets", "fetch", "ferplus"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert ferplus.requests == ["votes.csv"]
    path.write_bytes(CONTENT[:1000])  # a damaged copy is fetched again
    assert fetch("ferplus") == path
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
def test_a_failed_fetch_leaves_nothing_new(ferplus, home, tmp_path, content, message):
    (tmp_path / "mine.csv").write_bytes(CONTENT)
    ferplus.files = {} if content is None else {"votes.csv": content}
    ferplus.cut = {"votes.csv"} if content == CONTENT else set()
    with pytest.raises((OSError, ValueError), match=message):
        fetch("ferplus")
    assert files_below(home) == []
    path = fetch("ferplus", tmp_path / "mine.csv")
    with pytest.raises((OSError, ValueError), match=message):
        fetch("ferplus", source=f"{ferplus.url}/votes.csv")
    assert path.read_bytes() == CONTENT
    assert files_below(home) == ["ferplus", "ferplus/fer2013new.csv"]


def test_no_network_is_one_line_with_the_remedy(home, offline, capsys):
    assert main(["datasets", "fetch", "ferplus"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "no connection" in captured.err
    assert f"put it into {home / 'ferplus'}" in captured.err
    assert files_below(home) == []


def test_a_mirror_a_file_and_a_checksum_of_your_own(ferplus, home, tmp_path):
    (tmp_path / "mine.csv").write_bytes(CONTENT)
    ferplus.files |= {"mirror/any-name": CONTENT, "part.csv": b"a part"}
    assert fetch("ferplus", tmp_path / "mine.csv").name == "fer2013new.csv"
    assert (tmp_path / "mine.csv").read_bytes() == CONTENT
    elsewhere = fetch("ferplus", f"{ferplus.url}/mirror/any-name", tmp_path / "here")
    assert elsewhere == tmp_path / "here" / "fer2013new.csv"
    part = f"{ferplus.url}/part.csv"
    assert fetch("ferplus", part, checksum=md5(b"a part")).read_bytes() == b"a part"
    with pytest.raises(ValueError, match="Expected a checksum such as"):
        fetch("ferplus", part, checksum="1234")
    with pytest.raises(FileNotFoundError, match="a folder, which load_ferplus reads"):
        fetch("ferplus", tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing.csv, not found"):
        fetch("ferplus", tmp_path / "nothing.csv")
    assert "votes.csv" not in ferplus.requests


# FER2013: several layouts, Kaggle, and a check of what is in it


@pytest.fixture
def tiny_fer2013(monkeypatch, tmp_path):
    """A CSV file with two images of each class and split, as if that were FER2013."""
    generator = np.random.default_rng(0)
    rows, splits = ["emotion,pixels,Usage"], ("Training", "PublicTest", "PrivateTest")
    for index in range(42):
        pixels = " ".join(map(str, generator.integers(0, 256, 48 * 48)))
        rows.append(f"{index % 7},{pixels},{splits[index // 14]}")
    content = ("\n".join(rows) + "\n").encode()
    (tmp_path / "tiny.csv").write_bytes(content)
    content_hash = read_file(tmp_path / "tiny.csv").subset("Training").content_hash
    download = {"checksums": (md5(content),), "contents": {"Training": content_hash}}
    counts = {"splits": dict.fromkeys(splits, [2] * 7)}
    publish(monkeypatch, "fer2013", counts=counts, download=download)
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
def test_fer2013_in_each_layout(tiny_fer2013, server, home, source, name, wrap):
    server.files[source] = wrap(tiny_fer2013)
    path = fetch("fer2013", f"{server.url}/{source}")
    assert path == home / "fer2013" / name
    assert files_below(home) == ["fer2013", f"fer2013/{name}"]
    with pytest.warns(UserWarning, match="published"):
        assert len(datasets.fetch_dataset("fer2013")) == 42  # which loads it
    assert fetch("fer2013") == path  # nothing is asked of Kaggle


@pytest.mark.parametrize("fault", ["pixel", "label", "rows", "format"])
def test_fer2013_with_other_contents_is_refused(tiny_fer2013, home, tmp_path, fault):
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
        fetch("fer2013", tmp_path / "fer2013.csv")
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
def test_fer2013_from_kaggle(tiny_fer2013, home, tmp_path, monkeypatch, outcome, error):
    (tmp_path / "fer2013.csv").write_bytes(tiny_fer2013)

    def dataset_download(handle, path):
        assert (handle, path) == ("deadskull7/fer2013", "fer2013.csv")
        if isinstance(outcome, Exception):
            raise outcome
        return str(tmp_path / path)

    kagglehub = types.SimpleNamespace(dataset_download=dataset_download) if outcome else None
    monkeypatch.setitem(sys.modules, "kagglehub", kagglehub)
    if error is None:
        assert fetch("fer2013").read_bytes() == tiny_fer2013
        assert (tmp_path / "fer2013.csv").exists()
        return
    with pytest.raises((OSError, ImportError), match=error):
        fetch("fer2013")
    assert files_below(home) == []


def test_the_real_fer2013_without_private_test_is_not_whole(home, fer2013_npz):
    with pytest.raises(ValueError, match="3589 images in PrivateTest. Received: 0"):
        fetch("fer2013", fer2013_npz)


# Sets that are given out on request

ACCESS = {key: info.terms.access for key, info in datasets.list_datasets().items()}


@pytest.mark.parametrize("key", [key for key, access in ACCESS.items() if access == "request"])
def test_a_restricted_set_explains_itself(key, home, capsys):
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


@pytest.mark.parametrize("key", [key for key, access in ACCESS.items() if access == "none"])
def test_what_needs_no_download(key):
    with pytest.raises(ValueError, match="Expected a published data set"):
        fetch(key)


@pytest.mark.parametrize("wrap", [make_zip, make_tar], ids=["zip", "tar.gz"])
def test_a_given_archive_is_unpacked(wrap, server, home):
    files = {"KDEF/AF01/AF01AFS.JPG": b"1", "KDEF/AF01/AF01ANS.JPG": b"2"}
    server.files["kdef"] = wrap(files)
    folder = fetch("kdef", f"{server.url}/kdef")
    assert folder == home / "kdef" == fetch("kdef")
    with pytest.raises(FileExistsError, match="which holds files"):
        fetch("kdef", f"{server.url}/kdef")
    assert {name: (folder / name).read_bytes() for name in files} == files
    assert [path.name for path in home.iterdir()] == ["kdef"]


def test_a_given_archive_may_have_a_checksum_and_a_budget(home, tmp_path):
    archive = tmp_path / "kdef.zip"
    archive.write_bytes(make_zip({"a.JPG": bytes(1000)}))
    (home / "kdef").mkdir(parents=True)
    with pytest.raises(ValueError, match="expected KDEF .* with md5:00"):
        fetch("kdef", archive, checksum="md5:00")
    with pytest.raises(ValueError, match="larger `max_bytes`"):
        fetch("kdef", archive, max_bytes=999)
    assert files_below(home) == ["kdef"]
    checksum = ["--checksum", md5(archive.read_bytes())]
    assert main(["datasets", "fetch", "kdef", "--source", str(archive), *checksum]) == 0
    assert files_below(home) == ["kdef", "kdef/a.JPG"]


# Archives with traps


def tar_with(kind, target=""):
    entry = tarfile.TarInfo("x")
    entry.type, entry.linkname = kind, target
    return make_tar({"good": b"1"}, "w:gz", entry)


def zip_with_link():
    entry = zipfile.ZipInfo("link")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    return make_zip({entry: "/etc/passwd"})


NAMES = ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil", "C:evil", "\\evil", "a/.."]
TRAPS = {
    **{f"zip {name}": make_zip({"good": b"1", name: b"2"}) for name in NAMES},
    **{f"tar {name}": make_tar({"good": b"1", name: b"2"}) for name in NAMES},
    "zip link": zip_with_link(),
    "tar link": tar_with(tarfile.SYMTYPE, "/etc"),
    "tar inner link": tar_with(tarfile.SYMTYPE, "good"),
    "tar hard link": tar_with(tarfile.LNKTYPE, "good"),
    "tar device": tar_with(tarfile.CHRTYPE),
    "tar pipe": tar_with(tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_an_archive_with_a_trap_is_refused(trap, home, tmp_path):
    (tmp_path / "archive").write_bytes(TRAPS[trap])
    with pytest.raises(ValueError, match="expected plain files below one folder"):
        fetch("kdef", tmp_path / "archive")
    assert files_below(tmp_path) == ["archive", "home", "home/datasets"]


BOMBS = {
    "zip": make_zip({f"{n}.jpg": bytes(2**20) for n in range(5)}),
    "tar.gz": make_tar({f"{n}.jpg": bytes(2**20) for n in range(5)}),
    "tar.xz": make_tar({"0.jpg": bytes(2**20), "1.jpg": bytes(5 * 2**20)}, "w:xz"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_it_is_unpacked(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MIN_BUDGET", 2**22)
    (tmp_path / "bomb").write_bytes(BOMBS[kind])
    with pytest.raises(ValueError, match="bomb: expected at most 4 MB.*larger `max_bytes`"):
        unpack(tmp_path / "bomb", tmp_path / "unpacked")
    assert files_below(tmp_path / "unpacked") == []
    unpack(tmp_path / "bomb", tmp_path / "whole", max_bytes=2**23)
    assert (tmp_path / "whole" / "1.jpg").stat().st_size >= 2**20


def huge_header():
    content = bytearray(make_tar({"a.jpg": b"1"}, "w"))
    content[124:136] = b"%011o\0" % 2**31
    content[156:157] = tarfile.XHDTYPE
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


def changed_zip(value, *offsets):
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
def test_what_cannot_be_unpacked_says_so(content, reason, home, tmp_path):
    (tmp_path / "basic.zip").write_bytes(content)
    with pytest.raises(ValueError, match=f"basic.zip: expected a whole .zip.*{reason}.*by hand"):
        fetch("rafdb", tmp_path / "basic.zip")
    assert files_below(home) == []


IMAGES = {f"{n}.jpg": bytes([n]) * 700 for n in range(5)}
WHOLE = {kind: make_tar(IMAGES, f"w:{kind}") for kind in ("", "gz", "bz2", "xz")}
WHOLE["zip"] = make_zip(IMAGES)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1, exclude_max=True))
def test_a_whole_archive_is_unpacked_and_a_cut_one_never_looks_whole(tmp_path_factory, kind, share):
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
    assert files == IMAGES
