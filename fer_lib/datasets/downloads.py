"""One file from the web, from Kaggle or from the user's disk; what is in it is not judged here."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path, PurePosixPath

import pooch
from tqdm.auto import tqdm

from fer_lib.datasets.catalogue import DatasetInfo

_CHUNK = 1 << 16


def obtain(
    info: DatasetInfo, place: Path, source: str | os.PathLike[str] | None, work: Path
) -> Path:
    """Returns a local file with a data set.

    Args:
        info: The entry of the catalogue.
        place: Where the user can put the file by hand: for the message of an error.
        source: A file, an `http(s)` address, or None for where the set is published.
        work: A folder for downloads.

    Returns:
        A file in `work`, or one that belongs to the user or to kagglehub's cache.

    Raises:
        OSError: It cannot be fetched or found.
        ValueError: The source is a folder.
        ImportError: kagglehub is needed and not installed.
    """
    if source is None and info.download.kaggle:
        return _from_kaggle(info, place)
    source = info.download.url if source is None else source
    if str(source).startswith(("http://", "https://")):
        return _from_web(info, str(source), place, work)
    file = Path(source).expanduser()
    if file.is_dir():
        raise ValueError(
            f"Expected a file or an address as `source`. Received: the folder {file}; it needs no "
            f"fetching, {info.layout.loader} reads it"
        )
    if not file.is_file():
        raise FileNotFoundError(
            f"Expected a file or an http(s) address as `source`. Received: {source}, not found"
        )
    return file


def _from_web(info: DatasetInfo, url: str, place: Path, work: Path) -> Path:
    name = PurePosixPath(urllib.parse.urlsplit(url).path).name
    file = work / (name if name.strip(".") else "download")
    try:
        # The total is set by pooch; without one, asking whether there is a bar is an error of tqdm.
        with tqdm(desc=file.name, total=1, unit="B", unit_scale=True, leave=False, delay=1) as bar:
            download = pooch.HTTPDownloader(progressbar=bar, chunk_size=_CHUNK)
            download(url, str(file), None)
    except OSError as error:  # The errors of requests are among them.
        raise OSError(f"Cannot fetch {url} ({_reason(error)}). {_by_hand(info, place)}") from error
    return file


def _from_kaggle(info: DatasetInfo, place: Path) -> Path:
    try:
        import kagglehub
    except ImportError:
        raise ImportError(
            f"Fetching {info.title} needs kagglehub: pip install kagglehub. Or: "
            + _by_hand(info, place)
        ) from None
    try:
        found = Path(kagglehub.dataset_download(info.download.kaggle, path=info.download.file))
    except Exception as error:  # Its errors have no class in common.
        raise OSError(
            f"Cannot fetch {info.title} from Kaggle ({_reason(error)}). {_by_hand(info, place)}"
        ) from error
    return found / info.download.file if found.is_dir() else found


def _reason(error: Exception) -> str:
    names = {
        "ConnectionError": "no connection",
        "ConnectTimeout": "no answer in time",
        "ReadTimeout": "no answer in time",
        "ChunkedEncodingError": "the connection was cut",
    }
    return names.get(type(error).__name__) or str(error).split("\n")[0] or type(error).__name__


def _by_hand(info: DatasetInfo, place: Path) -> str:
    if info.download is None:
        return "Download it by hand and give the file as source."
    return (
        f"Download {info.download.file} by hand from {info.download.url or info.terms.page} and "
        f"put it into {place}."
    )
