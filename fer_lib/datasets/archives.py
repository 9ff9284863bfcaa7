"""Unpacks archives that strangers packed: plain files below one folder, within a byte budget."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath
from typing import IO

MAX_BYTES = 4 * 2**30
"""Unpacked size that is allowed by default; FER2013 takes 0.3 GB, KDEF 0.5 GB."""

_MAX_RATIO, _MIN_BUDGET = 100, 2**28  # images hardly shrink, CSV files of pixels to a quarter
_MAX_HEADER = 2**24
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}


def unpack(archive: Path, folder: Path, *, max_bytes: int | None = None) -> None:
    """Unpacks a `.zip`, `.tar`, `.tar.gz`, `.tar.bz2` or `.tar.xz` file.

    The names and sizes of all members are checked before the first is written. Owners and
    permissions in the archive are ignored. Give a folder that is thrown away if this fails.

    By default `MAX_BYTES` are allowed, and a hundred times the size of the archive where that is
    less (but 256 MB always).

    Raises:
        ValueError: A member would land outside the folder or is no plain file, the content is
            larger than allowed, or the archive is damaged, encrypted or of another kind.
        OSError: A file cannot be read or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (_unzip if zipfile.is_zipfile(archive) else _untar)(archive, folder, max_bytes)
    except _Refused:
        raise
    except Exception as error:  # zipfile, tarfile, zlib and lzma raise ten kinds for damaged bytes
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not the archive
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(
            f"{archive}: expected a whole .zip or .tar archive without a password. Received: one "
            f"that cannot be unpacked ({reason}); download it again, or unpack it by hand"
        ) from error


class _Refused(ValueError):
    """An archive that is whole, but not wanted."""


def _check_members(
    archive: Path, members: Iterable[tuple[str, int, bool]], max_bytes: int | None
) -> None:
    """Refuses names, kinds and sizes; takes `(name, size in bytes, is it a plain file)`."""
    if max_bytes is None:
        max_bytes = min(MAX_BYTES, max(_MIN_BUDGET, _MAX_RATIO * archive.stat().st_size))
    total = 0
    for name, size, is_plain in members:
        total += size
        path = PureWindowsPath(name)  # which knows both kinds of slashes
        if not is_plain or path.drive or path.root or ".." in path.parts:
            raise _Refused(
                f"{archive}: expected plain files below one folder. Received: {name[:200]!r}, a "
                "link, a device or a path that leads out of it; do not trust this archive"
            )
        if total > max_bytes:
            raise _Refused(
                f"{archive}: expected at most {max_bytes / 2**20:,.0f} MB of files. Received: "
                f"{total / 2**20:,.0f} MB or more; if you trust it, give a larger `max_bytes`"
            )


def _unzip(archive: Path, folder: Path, max_bytes: int | None) -> None:
    with zipfile.ZipFile(archive) as entries:
        kinds = {m: stat.S_IFMT(m.external_attr >> 16) for m in entries.infolist()}
        plain = (0, stat.S_IFREG, stat.S_IFDIR)
        members = ((m.filename, m.file_size, kind in plain) for m, kind in kinds.items())
        _check_members(archive, members, max_bytes)
        entries.extractall(folder)


class _ShortReads:
    """A file that refuses a header of gigabytes, which tarfile would read into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > _MAX_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)


def _untar(archive: Path, folder: Path, max_bytes: int | None) -> None:
    with archive.open("rb") as file:
        opener = _OPENERS.get(file.read(2), open)
    with (
        opener(archive, "rb") as file,
        tarfile.open(fileobj=_ShortReads(file), mode="r:") as entries,
    ):
        members = ((m.name, m.size, m.isreg() or m.isdir()) for m in entries)
        _check_members(archive, members, max_bytes)
        # A whole archive ends with an empty block; one that was cut between two files does not.
        if file.tell() < entries.offset + tarfile.BLOCKSIZE:
            raise EOFError("its end is missing")
        while file.read(2**20):  # The checksum of a compressed archive comes last.
            pass
        # The first releases of Python 3.11 know no filters.
        options = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        entries.extractall(folder, **options)
