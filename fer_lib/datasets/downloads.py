"""One file from the web, from Kaggle or from the user's disk; its content is not checked here."""

from __future__ import annotations

import urllib.parse
from pathlib import Path, PurePosixPath
from typing import Any

import pooch

from fer_lib.datasets.catalogue import DatasetInfo

_REASONS = {
    "ConnectionError": "no connection",
    "ConnectTimeout": "no answer in time",
    "ReadTimeout": "no answer in time",
    "ChunkedEncodingError": "the connection was cut",
}


def obtain(info: DatasetInfo, place: Path, source: Any, work: Path) -> Path:
    """Returns a local file: downloaded into `work`, of kagglehub's cache, or the user's own."""
    remedy = "Download it by hand and give the file as source."
    if info.download is not None:
        page = info.download.url or info.terms.page
        remedy = f"Download {info.download.file} by hand from {page} and put it into {place}."
    if source is None and info.download.kaggle:
        return _from_kaggle(info, remedy)
    source = str(info.download.url if source is None else source)
    if source.startswith(("http://", "https://")):
        name = PurePosixPath(urllib.parse.urlsplit(source).path).name
        pooch.get_logger().setLevel("WARNING")
        try:
            return Path(pooch.retrieve(source, None, name or "download", work, progressbar=True))
        except OSError as error:  # the errors of requests are among them
            raise OSError(f"Cannot fetch {source} ({_reason(error)}). {remedy}") from error
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


def _from_kaggle(info: DatasetInfo, remedy: str) -> Path:
    try:
        import kagglehub
    except ImportError:
        raise ImportError(
            f"Fetching {info.title} needs kagglehub: pip install kagglehub. Or: {remedy}"
        ) from None
    try:
        found = Path(kagglehub.dataset_download(info.download.kaggle, path=info.download.file))
    except Exception as error:  # its errors have no class in common
        raise OSError(
            f"Cannot fetch {info.title} from Kaggle ({_reason(error)}). {remedy}"
        ) from error
    return found / info.download.file if found.is_dir() else found


def _reason(error: Exception) -> str:
    name = type(error).__name__
    return _REASONS.get(name) or str(error).split("\n")[0][:200] or name
