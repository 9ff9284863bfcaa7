"""A loaded network does not survive a fork: an error says so instead of waiting forever."""

from __future__ import annotations

import os

_networks_loaded = _forked = False


def mark_networks_loaded() -> None:
    """Remembers that TensorFlow or JAX has started its threads, which a fork does not copy."""
    check_not_forked()
    global _networks_loaded
    _networks_loaded = True


def check_not_forked() -> None:
    """Raises a `RuntimeError` in a process that was forked after networks were loaded."""
    if _forked:
        raise RuntimeError(
            "Expected a process with networks of its own. This one was forked from a process that "
            "had loaded some, where they wait forever; use multiprocessing.get_context('spawn'), "
            "or load them after the fork (gunicorn without --preload)."
        )


def _after_fork() -> None:
    global _forked
    _forked = _forked or _networks_loaded


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)
