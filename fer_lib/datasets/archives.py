"""Unpacks archives that strangers packed: plain files below one folder, within a byte budget."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

MAX_BYTES = 4 * 2**30
"""Unpacked size that is allowed by default; FER2013 takes 0.3 GB, KDEF 0.5 GB."""

_MAX_RATIO, _MIN_BUDGET = 100, 2**28  # images hardly shrink, CSV files of pixels to a quarter
_MAX_HEADER = 2**24
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}


def unpack(archive: Path, folder: Path, *, max_bytes: int | None = None) -> None:
    """Unpacks a `.zip`, `.tar`, `.tar.gz`, `.tar.bz2` or `.tar.xz` file.

    Files are written as they come; give a folder that is thrown away if this fails. Owners and
    permissions in the archive are ignored.

    Args:
        archive: The file.
        folder: Where to unpack; made if it does not exist.
        max_bytes: Unpacked size that is allowed. By default `MAX_BYTES`, and a hundred times the
            size of the archive where that is less (but 256 MB always).

    Raises:
        ValueError: An entry would land outside the folder or is no plain file, the content is
            larger than allowed, or the archive is damaged, encrypted or of another kind.
        OSError: A file cannot be read or written.
    """
    if max_bytes is None:
        max_bytes = min(MAX_BYTES, max(_MIN_BUDGET, _MAX_RATIO * archive.stat().st_size))
    total = 0

    def check(name: str, size: int, is_plain: bool) -> None:
        nonlocal total
        total += size
        posix, windows = PurePosixPath(name.replace("\\", "/")), PureWindowsPath(name)
        problem = None
        if not is_plain:
            problem = "a link or device"
        elif posix.is_absolute() or windows.drive or windows.root or ".." in posix.parts:
            problem = "a path that leads out of the folder"
        if problem:
            raise ValueError(
                f"{archive}: expected plain files below one folder. Received: {name[:200]!r}, "
                f"{problem}; nothing was kept, do not trust this archive"
            )
        if total > max_bytes:
            raise ValueError(
                f"{archive}: expected at most {max_bytes / 2**20:,.0f} MB of files. Received: "
                f"{total / 2**20:,.0f} MB or more; if you trust it, give a larger `max_bytes`"
            )

    read = _zip_files if zipfile.is_zipfile(archive) else _tar_files
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in read(archive, check):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file, 2**20)
    except (ValueError, OSError) as error:
        if isinstance(error, ValueError) and str(error).startswith(str(archive)):
            raise
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not the archive
            raise
        raise _damaged(archive, error) from error
    except Exception as error:  # zipfile, tarfile, zlib and lzma raise ten kinds for damaged bytes
        raise _damaged(archive, error) from error


def _damaged(archive: Path, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ValueError(
        f"{archive}: expected a whole .zip or .tar archive without a password. Received: one that "
        f"cannot be unpacked ({reason}); unpack it by hand"
    )


def _zip_files(
    archive: Path, check: Callable[[str, int, bool], None]
) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as entries:
        for entry in entries.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            check(entry.filename, entry.file_size, kind in (0, stat.S_IFREG, stat.S_IFDIR))
        for entry in entries.infolist():
            if not entry.is_dir():
                yield entry.filename, entries.open(entry)


class _ShortReads:
    """A file that refuses a header of gigabytes, which tarfile would read into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > _MAX_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)


def _tar_files(
    archive: Path, check: Callable[[str, int, bool], None]
) -> Iterator[tuple[str, IO[bytes]]]:
    with archive.open("rb") as file:
        opener = _OPENERS.get(file.read(2), open)
    with (
        opener(archive, "rb") as file,
        tarfile.open(fileobj=_ShortReads(file), mode="r:") as entries,
    ):
        for entry in entries:
            check(entry.name, entry.size, entry.isreg() or entry.isdir())
            if entry.isreg():
                yield entry.name, entries.extractfile(entry)
        # A whole archive ends with an empty block; one that was cut between two files does not.
        if file.tell() < entries.offset + tarfile.BLOCKSIZE:
            raise EOFError("its end is missing")
        while file.read(2**20):  # The checksum of a compressed archive comes last.
            pass
