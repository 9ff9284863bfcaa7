"""Do a notebook and the installed library fit together? The guard that every lesson calls.

Names that were renamed are looked up in `fer_lib/__init__.py`; here is only what is said of them.
"""

from __future__ import annotations

import warnings
from pathlib import Path


def check_notebook_version(wanted: str) -> None:
    """Says in one line if a notebook was written for another version of the library.

    A renamed name works for two more versions, so a newer library is a warning at most; an older
    one lacks what the notebook is about to use.

    Args:
        wanted: The version that the notebook was written for, such as `"0.1"`.

    Raises:
        ValueError: `wanted` is no version.
        RuntimeError: The library is older than the notebook.

    Warns:
        FutureWarning: The library is two or more versions newer.

    Example:
        >>> import fer_lib
        >>> fer_lib.check_notebook_version("0.1")
    """
    from fer_lib import __version__

    needs, has = _parse(wanted), _parse(__version__)
    place = Path(__file__).resolve().parent
    if has < needs:
        raise RuntimeError(
            f"This notebook needs fer_lib {wanted}. Received: fer_lib {__version__} in {place}. "
            "Update it (`git pull` and `make lab`), then restart the kernel."
        )
    if has >= (needs[0], needs[1] + 2):
        warnings.warn(
            f"This notebook was written for fer_lib {wanted}, and fer_lib {__version__} is "
            "installed: names may have gone. Take the notebook that came with the library.",
            FutureWarning,
            stacklevel=2,
        )


def warn_renamed(old: str, new: str, last: str) -> None:
    """Warns the caller's caller that a public name has a new one.

    Args:
        old: The name that was used.
        new: The name to use.
        last: The last version, such as `"0.3"`, that still knows the old name.
    """
    warnings.warn(
        f"fer_lib.{old} is now fer_lib.{new}; the old name works up to version {last}.",
        FutureWarning,
        stacklevel=3,
    )


def _parse(version: str) -> tuple[int, int]:
    parts = str(version).split(".")
    if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):
        raise ValueError(f"Expected a version such as '0.1'. Received: {version!r}")
    return int(parts[0]), int(parts[1])
