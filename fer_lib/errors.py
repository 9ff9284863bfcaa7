"""What an exception says, for people."""

from __future__ import annotations


def one_line(error: BaseException) -> str:
    """Returns what an error says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f": {error.filename}" if error.filename is not None else "")
    return " ".join(str(error).split()) or type(error).__name__
