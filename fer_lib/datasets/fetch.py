"""Puts data sets into place: downloads the open ones, explains how to get the others.

Everything is fetched into a hidden folder beside its place, checked there, and only then renamed:
what has its name is whole, and an earlier copy stays until a new one has passed.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pooch

from fer_lib.datasets.archives import unpack
from fer_lib.datasets.catalogue import DatasetInfo, dataset_info
from fer_lib.datasets.downloads import obtain
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013_files import find_source, read_file
from fer_lib.labels import EMOTIONS
from fer_lib.paths import cache_dir

# FER2013 comes in several layouts.
_OTHER_FILES = {"fer2013": ("icml_face_data.csv", "fer2013.tar.gz", "fer2013.npz")}


class AccessRequiredError(PermissionError):
    """A data set is given out on request only; the message says how to apply."""


def fetch_dataset(
    name: str,
    source: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    *,
    checksum: str | None = None,
) -> Path:
    """Puts a data set into a folder of the cache.

    An open set is downloaded, unless a whole copy is there. A set that its makers give out on
    request is not: the archive that you were given, or its address in your own network, is the
    `source`, and is unpacked.

    Args:
        name: One of the names that `list_datasets` gives.
        source: Another place to take it from: a file, or the `http(s)` address of a mirror.
        folder: Where to put it; by default `datasets/<name>` in the cache.
        checksum: What the source must have, such as `"md5:..."` or `"sha256:..."`; by default an
            open set is compared with what was published.

    Returns:
        The file of an open set, or the folder of another: what its loader takes.

    Raises:
        AccessRequiredError: The set is given out on request only; the message says how to apply,
            and where to put the files.
        OSError: Nothing could be fetched, or the folder cannot be written or is not empty.
        ValueError: The name is unknown, the set needs no download, or what came is not what was
            expected.
        ImportError: The set is on Kaggle and kagglehub is not installed.

    Example:
        `load_kdef(fetch_dataset("kdef", source="KDEF_and_AKDEF.zip"))`
    """
    info = dataset_info(name)
    if info.terms.access == "none":
        raise ValueError(f"Expected a published data set. {info.title}: {info.terms.how}.")
    if checksum is not None and not re.fullmatch(r"(md5|sha1|sha256|sha512):[0-9a-f]+", checksum):
        raise ValueError(f"Expected a checksum such as 'md5:0123abcd'. Received: {checksum!r}")
    place = place_of(info, folder)
    if info.download is None:
        return _fetch_given(info, place, source, checksum)
    return _fetch_open(info, place, source, checksum)


def fetch_fer2013(
    source: str | os.PathLike[str] | None = None, folder: str | os.PathLike[str] | None = None
) -> Path:
    """Fetches FER2013, from Kaggle by kagglehub (`pip install kagglehub`; no account is needed).

    Args:
        source: A file or address to take it from instead: `fer2013.csv`, `icml_face_data.csv`,
            `fer2013.tar.gz`, an `.npz` file, or a `.zip` file with one of them.
        folder: Where to put it; by default where `load_fer2013()` finds it.

    Returns:
        The file, for `load_fer2013`.

    Raises:
        OSError: It cannot be fetched; the message says how to do it by hand.
        ValueError: What came is not FER2013 as published.
        ImportError: kagglehub is not installed, and no source given.
    """
    return fetch_dataset("fer2013", source, folder)


def fetch_ferplus(
    source: str | os.PathLike[str] | None = None, folder: str | os.PathLike[str] | None = None
) -> Path:
    """Fetches the FER+ votes from their published address.

    Args:
        source: A file or address to take `fer2013new.csv` from instead.
        folder: Where to put it.

    Returns:
        The file, for `load_ferplus`.

    Raises:
        OSError: It cannot be fetched; the message says how to do it by hand.
        ValueError: What came has another checksum than published.
    """
    return fetch_dataset("ferplus", source, folder)


def place_of(info: DatasetInfo, folder: str | os.PathLike[str] | None = None) -> Path:
    """Returns the folder in which `fetch_dataset` puts a data set; it may not exist yet."""
    if folder is None:
        return cache_dir() / "datasets" / info.key
    return Path(folder).expanduser().absolute()


def how_to_get(info: DatasetInfo, folder: str | os.PathLike[str] | None = None) -> str:
    """Explains how to apply for a data set, and where to put its files."""
    place = place_of(info, folder)
    doubt = "" if info.terms.verified else f"\n     (Not verified: {info.terms.note})"
    files = "\n".join(f"       {line}" for line in info.layout.text.strip("\n").split("\n"))
    return (
        f"{info.title} is given out by its makers, on request.\n"
        f"Terms: {info.terms.license}.\n"
        f"  1. Apply: {info.terms.how}.\n     {info.terms.page}{doubt}\n"
        f"  2. Put the files into {place}:\n{files}\n"
        f"     or have the archive unpacked there:\n"
        f"     python -m fer_lib datasets fetch {info.key} --source ARCHIVE\n"
        f'  3. Read them: fer_lib.datasets.{info.layout.loader}("{place}")'
    )


def _fetch_open(
    info: DatasetInfo, place: Path, source: str | os.PathLike[str] | None, checksum: str | None
) -> Path:
    for name in _file_names(info) if source is None else ():
        if (place / name).is_file() and _problem(info, place / name, checksum) is None:
            return place / name
    with _work_folder(place) as folder:
        work = Path(folder)
        file = _find_in(info, obtain(info, place, source, work), work)
        problem = _problem(info, file, checksum)
        if problem is not None:
            raise ValueError(f"{file.name}: {problem}; nothing was kept")
        target = place / _file_name(info, file)
        if not file.is_relative_to(work):  # The user's files and Kaggle's cache stay as they are.
            file = Path(shutil.copyfile(file, work / "copy"))
        place.mkdir(exist_ok=True)
        os.replace(file, target)
    return target


def _fetch_given(
    info: DatasetInfo, place: Path, source: str | os.PathLike[str] | None, checksum: str | None
) -> Path:
    """Unpacks the archive of a set that is given out on request."""
    filled = place.is_dir() and any(place.iterdir())
    if source is None:
        if filled:
            return place
        raise AccessRequiredError(
            f"{info.title} is given out on request only. Apply: {info.terms.how} "
            f"({info.terms.page}). Then put its files into {place}, or give the archive as source."
        )
    if filled:
        raise FileExistsError(
            f"Expected an empty folder for {info.title}. Received: {place}, which holds files; "
            "remove them, or name another folder"
        )
    with _work_folder(place) as folder:
        work = Path(folder)
        archive = obtain(info, place, source, work)
        problem = None if checksum is None else _problem(info, archive, checksum)
        if problem is not None:
            raise ValueError(f"{archive.name}: {problem}; nothing was kept")
        unpack(archive, work / "unpacked")
        if place.is_dir():
            place.rmdir()  # Windows renames nothing onto an existing folder.
        os.replace(work / "unpacked", place)
    return place


def _work_folder(place: Path) -> tempfile.TemporaryDirectory:
    """Returns a folder on the same disk as the place, so that renaming is one step."""
    place.parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(
        prefix=f".{place.name}-", suffix=".partial", dir=place.parent
    )


def _find_in(info: DatasetInfo, file: Path, work: Path) -> Path:
    """Returns the file of the set inside a `.zip` file, or else the file itself."""
    if file.suffix.lower() != ".zip":
        return file
    unpack(file, work / "unpacked")
    for name in _file_names(info):
        for found in sorted((work / "unpacked").rglob(name)):
            return found
    raise ValueError(
        f"{file}: expected one of {', '.join(_file_names(info))} inside. Received: none of them"
    )


def _file_names(info: DatasetInfo) -> tuple[str, ...]:
    return (info.download.file, *_OTHER_FILES.get(info.key, ()))


def _file_name(info: DatasetInfo, file: Path) -> str:
    """Returns the name under which the loader finds a file, in whichever layout it is."""
    if info.key == "fer2013" and file.name.lower().endswith((".tar.gz", ".tgz", ".npz")):
        return "fer2013.npz" if file.suffix.lower() == ".npz" else "fer2013.tar.gz"
    return info.download.file


def _problem(info: DatasetInfo, file: Path, checksum: str | None) -> str | None:
    """Says what is wrong with a file, by its checksum or else by what is in it."""
    checksums = (checksum,) if checksum else info.download.checksums
    method = checksums[0].partition(":")[0]
    found = f"{method}:{pooch.file_hash(str(file), method)}"
    if found in checksums:
        return None
    if checksum or not info.download.contents:
        return f"expected {info.title} with {' or '.join(checksums)}. Received: {found}"
    try:
        arrays = read_file(find_source(file))
    except ValueError as error:
        return str(error)
    for split, counts in info.counts.splits.items():
        chosen = arrays.usage == split
        numbers = np.bincount(arrays.labels[chosen], minlength=len(EMOTIONS))
        part = FaceDataset(arrays.pixels[chosen], arrays.labels[chosen], EMOTIONS)
        expected = info.download.contents.get(split, part.content_hash)
        if tuple(numbers) != counts or part.content_hash != expected:
            return (
                f"expected {info.title} as published, {sum(counts)} pictures in {split}. "
                f"Received: {numbers.sum()}, or others. Without fetching it, "
                f"{info.layout.loader} reads it as it is"
            )
    return None
