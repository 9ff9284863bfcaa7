"""Unpacks archives that strangers packed: only plain files, and only below the given folder."""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from tqdm.auto import tqdm


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a `.zip`, `.tar`, `.tar.gz`, `.tar.bz2` or `.tar.xz` file.

    Files are written as they come; give a folder that is thrown away if this fails. Owners and
    permissions in the archive are ignored.

    Args:
        archive: The file.
        folder: Where to unpack; made if it does not exist.

    Raises:
        ValueError: An entry would land outside the folder or is no plain file, or the archive is
            damaged, encrypted or of another kind.
        OSError: A file cannot be read or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    read = _zip_files if zipfile.is_zipfile(archive) else _tar_files
    try:
        for name, content in tqdm(read(archive), archive.name, unit="file", leave=False):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        RuntimeError,  # zipfile's for a password; its NotImplementedError is a kind of it
    ) as error:
        raise ValueError(
            f"{archive}: expected a whole .zip or .tar archive without a password. Received: "
            f"one that cannot be unpacked ({error or type(error).__name__}); unpack it by hand"
        ) from None


def _zip_files(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as entries:
        for entry in entries.infolist():
            mode = entry.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refusal(archive, entry.filename, "a link or device")
            _check_name(archive, entry.filename)
            if not entry.is_dir():
                yield entry.filename, entries.open(entry)


def _tar_files(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive) as entries:
        for entry in entries:
            if not (entry.isreg() or entry.isdir()):
                raise _refusal(archive, entry.name, "a link or device")
            _check_name(archive, entry.name)
            if entry.isreg():
                yield entry.name, entries.extractfile(entry)
        # A whole archive ends with an empty block; one that was cut between two files does not.
        if entries.fileobj.tell() < entries.offset + tarfile.BLOCKSIZE:
            raise EOFError("its end is missing")
        while entries.fileobj.read(1 << 20):  # The checksum of a compressed archive comes last.
            pass


def _check_name(archive: Path, name: str) -> None:
    """Refuses names that lead out of the folder on any system."""
    posix, windows = PurePosixPath(name.replace("\\", "/")), PureWindowsPath(name)
    if posix.is_absolute() or windows.drive or windows.root:
        raise _refusal(archive, name, "an absolute path")
    if ".." in posix.parts:
        raise _refusal(archive, name, "a path that leads out of the folder")


def _refusal(archive: Path, name: str, what: str) -> ValueError:
    return ValueError(
        f"{archive}: expected plain files below one folder. Received: {name!r}, {what}; nothing "
        "was kept, do not trust this archive"
    )
