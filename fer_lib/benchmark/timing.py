"""Times calls and makes the rows of the benchmark's table."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np


def measure(what: str, call: Callable[[], object], repeats: int, count: int = 1) -> dict:
    """Times `repeats` calls after three that warm up; `count` faces or pictures a call."""
    for _ in range(3):
        call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return row(what, times, count)


def row(what: str, times: Sequence[float], count: int = 1) -> dict:
    """Returns the row of calls that took `times` milliseconds, `count` faces or pictures each."""
    median = float(np.median(times))
    return {
        "what": what,
        "median_ms": round(median, 2),
        "p95_ms": round(float(np.percentile(times, 95)), 2),
        "per_second": round(1000 * count / median, 1),
    }
