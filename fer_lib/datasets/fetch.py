"""Puts data sets into place: downloads the open ones, explains how to get the others.

Everything is fetched into a hidden folder beside its place, checked there, and only then renamed:
what has its name is whole, and an earlier copy stays until a new one has passed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pooch

from fer_lib import datasets
from fer_lib.datasets.archives import unpack
from fer_lib.datasets.catalogue import DatasetInfo, dataset_info, render
from fer_lib.datasets.face_dataset import FaceDataset
from fer_lib.datasets.fer2013_files import FILES, read_file
from fer_lib.files import expand_user, write_atomically
from fer_lib.paths import cache_dir

Source = str | os.PathLike[str] | None

_NAME_OF_KIND = {".gz": "fer2013.tar.gz", ".tgz": "fer2013.tar.gz", ".npz": "fer2013.npz"}
_REASONS = {"ConnectionError": "no connection", "ChunkedEncodingError": "the connection was cut"}
_REASONS |= dict.fromkeys(("ConnectTimeout", "ReadTimeout"), "no answer in time")


class AccessRequiredError(PermissionError):
    """A data set is given out on request only; the message says how to apply."""


def fetch_dataset(
    name: str,
    source: Source = None,
    folder: Source = None,
    *,
    checksum: str | None = None,
    max_bytes: int | None = None,
    return_path: bool = False,
) -> FaceDataset | Path:
    """Fetches a data set into a folder of the cache, unless it is there, and loads it.

    An open set is downloaded: the FER+ votes, to be joined to your FER2013, from their published
    address, FER2013 from Kaggle (`pip install kagglehub`; no account is needed). A set that its
    makers give out on request is not: the archive that you were given, or its address in your own
    network, is the `source`, and is unpacked.

    Args:
        name: One of the names that `list_datasets` gives.
        source: Another place to take it from: a file, or the `http(s)` address of a mirror.
        folder: Where to put it; by default `datasets/<name>` in the cache.
        checksum: What the source must have, such as `"md5:..."` or `"sha256:..."`; by default an
            open set is compared with what was published.
        max_bytes: Unpacked size that an archive may have; by default 4 GB.
        return_path: Return the file of an open set, or the folder of another, and load nothing.

    Raises:
        AccessRequiredError: The message says how to apply, and where to put the files.
        OSError: Nothing could be fetched, or the folder cannot be written or is not empty.
        ValueError: The name is unknown, needs no download, or what came is not what was expected.
        ImportError: The set is on Kaggle and kagglehub is not installed.

    Example:
        `fetch_dataset("kdef", source="KDEF_and_AKDEF.zip")`
    """
    info = dataset_info(name)
    if info.terms.access == "none":
        raise ValueError(f"Expected a published data set. {info.title}: {info.terms.how}.")
    if checksum is not None and not re.fullmatch(r"(md5|sha1|sha256|sha512):[0-9a-f]+", checksum):
        raise ValueError(f"Expected a checksum such as 'md5:0123abcd'. Received: {checksum!r}")
    place = _place_of(info, folder)
    path = _find_copy(info, place, checksum)
    if info.download is None and source is not None and path is not None:
        raise FileExistsError(
            f"Expected an empty folder for {info.title}. Received: {place}, which holds files; "
            "remove them, or name another folder"
        )
    if info.download is None and source is None and path is None:
        raise AccessRequiredError(
            f"{info.title} is given out on request only. Apply: {info.terms.how} "
            f"({info.terms.page}). Then put its files into {place}, or give the archive as source."
        )
    if source is not None or path is None:
        place.parent.mkdir(parents=True, exist_ok=True)
        names = {"prefix": f".{place.name}-", "suffix": ".partial", "dir": place.parent}
        with tempfile.TemporaryDirectory(**names) as work:  # on the same disk, to be renamed
            file = _obtain(info, place, source, Path(work))
            path = _put(info, file, place, checksum, Path(work, "unpacked"), max_bytes)
    if return_path:
        return path
    loader = getattr(datasets, info.layout.loader)
    return loader(path, datasets.load_fer2013()) if name == "ferplus" else loader(path)


def how_to_get(info: DatasetInfo, folder: Source = None) -> str:
    """Explains how to apply for a data set, and where to put its files."""
    return render(info=info, place=_place_of(info, folder))


def _place_of(info: DatasetInfo, folder: Source) -> Path:
    place = cache_dir() / "datasets" / info.key if folder is None else expand_user(folder)
    return place.absolute()


def _find_copy(info: DatasetInfo, place: Path, checksum: str | None) -> Path | None:
    """Returns what was fetched before; of an open set only if it is whole."""
    if info.download is None:
        return place if place.is_dir() and any(place.iterdir()) else None
    for name in (info.download.file, *FILES):
        with contextlib.suppress(ValueError, OSError):  # another one is fetched
            _check(info, place / name, checksum)
            return place / name
    return None


def _obtain(info: DatasetInfo, place: Path, source: Source, work: Path) -> Path:
    """Returns a local file: downloaded into `work`, of kagglehub's cache, or the user's own."""
    remedy = f"Download it by hand from {info.terms.page} and give the file as source."
    if info.download is not None:
        page = info.download.url or info.terms.page
        remedy = f"Download {info.download.file} by hand from {page} and put it into {place}."
    is_on_kaggle = source is None and bool(info.download.kaggle)
    address = str(info.download.url if source is None else source)
    what = f"{info.title} from Kaggle" if is_on_kaggle else address
    try:
        if is_on_kaggle:
            import kagglehub

            return Path(kagglehub.dataset_download(info.download.kaggle, path=info.download.file))
        if address.startswith(("http://", "https://")):
            name = address.split("?")[0].rpartition("/")[2] or "download"
            pooch.get_logger().setLevel("WARNING")
            return Path(pooch.retrieve(address, None, name, work, progressbar=True))
    except ImportError:
        raise ImportError(
            f"Fetching {info.title} needs kagglehub: pip install kagglehub. Or: {remedy}"
        ) from None
    except Exception as error:  # kagglehub's errors have no class in common
        raise OSError(f"Cannot fetch {what} ({_reason(error)}). {remedy}") from error
    file = expand_user(address)
    if not file.is_file():
        hint = f"a folder, which {info.layout.loader} reads" if file.is_dir() else "not found"
        raise FileNotFoundError(
            f"Expected a file or an http(s) address as `source`. Received: {address}, {hint}"
        )
    return file


def _put(
    info: DatasetInfo,
    file: Path,
    place: Path,
    checksum: str | None,
    unpacked: Path,
    max_bytes: int | None,
) -> Path:
    """Puts the file of an open set, or the archive of another, into its place."""
    if info.download is None:
        _check(info, file, checksum)
        unpack(file, unpacked, max_bytes=max_bytes)
        if place.is_dir():
            place.rmdir()  # Windows renames nothing onto an existing folder.
        return unpacked.replace(place)
    if file.suffix.lower() == ".zip":
        unpack(file, unpacked, max_bytes=max_bytes)
        names = (info.download.file, *FILES)
        inside = [path for name in names for path in unpacked.rglob(name) if path.is_file()]
        if not inside:
            raise ValueError(f"{file}: expected {info.download.file} inside. Received: none")
        file = inside[0]
    _check(info, file, checksum)
    path = place / _NAME_OF_KIND.get(file.suffix.lower(), info.download.file)
    with write_atomically(path) as partial:  # the user's files and Kaggle's cache stay
        shutil.copyfile(file, partial)
    return path


def _reason(error: Exception) -> str:
    name = type(error).__name__
    return _REASONS.get(name) or str(error).split("\n")[0][:200] or name


def _check(info: DatasetInfo, file: Path, checksum: str | None) -> None:
    """Refuses a file with another checksum and, where none is given, with other content."""
    if info.download is None and checksum is None:
        return
    checksums = [checksum] if checksum else info.download.checksums
    method = checksums[0].partition(":")[0]
    found = f"{method}:{pooch.file_hash(str(file), method)}"
    if found in checksums:
        return
    expected = f"{file.name}: nothing was kept; expected {info.title}"
    if checksum or not info.download.contents:
        raise ValueError(f"{expected} with {' or '.join(checksums)}. Received: {found}")
    dataset = read_file(file)
    for split, counts in info.counts.splits.items():
        part = dataset[dataset.split == split]
        numbers = np.bincount(part.labels, minlength=len(counts))
        content = info.download.contents.get(split, part.content_hash)
        if list(numbers) != list(counts) or part.content_hash != content:
            raise ValueError(
                f"{expected} as published, {sum(counts)} images in {split}. Received: "
                f"{numbers.sum()}, or others. {info.layout.loader} reads it as it is"
            )
