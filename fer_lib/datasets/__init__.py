"""Data sets: files, or nothing at all, to arrays.

`load_*` reads what lies on the disk, `fetch_*` downloads; both return a `FaceDataset`. A name is
imported when it is first used.
"""

from __future__ import annotations

import importlib

_MODULE_OF: dict[str, str] = {
    "FaceDataset": "face_dataset",
    "concatenate": "combine",
    "dataset_info": "catalogue",
    "fetch_dataset": "fetch",
    "list_datasets": "catalogue",
    "load_affectnet": "layouts",
    "load_ckplus": "layouts",
    "load_expw": "layouts",
    "load_fer2013": "fer2013",
    "load_ferplus": "ferplus",
    "load_folder": "folder",
    "load_jaffe": "layouts",
    "load_kdef": "layouts",
    "load_path": "any_layout",
    "load_rafdb": "layouts",
}
__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'fer_lib.datasets' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fer_lib.datasets.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
