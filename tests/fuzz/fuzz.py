"""Damaged input of every kind: only documented errors, in 5 seconds and 1 GB each.

    python tests/fuzz/fuzz.py [KIND ...] [--count N] [--seconds N] [--seed N] [--first INDEX]

Each item is made from the seed and its number alone, so that a finding is made again by
`KIND --first NUMBER --count 1`. Items are tried in a child process, whose death is a finding, too.
Without options 20,000 images, 2,000 videos, 5,000 arrays and 2,000 stores (data sets, archives,
caches, cards, recipes, models) are tried, which takes hours. Needs Linux.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

COUNTS = {"images": 20_000, "videos": 2_000, "arrays": 5_000, "stores": 2_000}
MAX_SECONDS, MAX_BYTES = 5.0, 2**30
# Until the parent gives an item up: other processes may have the machine, so the limit itself is
# counted in seconds of the processor.
_HANG_S, _START_S = 60.0, 300.0
_MAX_MESSAGE = 1500


def run(kind: str, count: int, seconds: float, seed: int, first: int = 0) -> tuple[int, list[str]]:
    """Returns how many items were tried, and what was found."""
    context = multiprocessing.get_context("spawn")
    index, findings, deadline = first, [], np.inf
    while index < first + count and time.monotonic() < deadline:
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=_work, args=(sender, kind, seed, index), daemon=True)
        child.start()
        sender.close()
        patience, problem = _START_S, None
        while index < first + count and time.monotonic() < deadline:
            try:
                problem = receiver.recv() if receiver.poll(patience) else "hangs"
            except EOFError:
                child.join()
                if patience == _START_S:
                    raise RuntimeError(f"Expected a child that tries {kind}; it ended.") from None
                problem = f"ends the process ({child.exitcode})"
            if problem == "ready":
                patience, deadline = _HANG_S, min(deadline, time.monotonic() + seconds)
                continue
            index += 1
            if problem is not None:
                findings.append(f"{kind} {index - 1} of seed {seed}: {problem}")
                print(findings[-1], flush=True)
            if not child.is_alive() or problem == "hangs":
                break
        child.kill()
        child.join()
    return index - first, findings


def _work(pipe: Connection, kind: str, seed: int, first: int) -> None:
    """Tries one item after the other, and sends what is wrong with each, or None."""
    import fuzz_kinds

    with tempfile.TemporaryDirectory(prefix="fer_lib_fuzz_") as folder:
        os.environ["FER_LIB_HOME"] = folder
        os.chdir(folder)
        check: Callable[[np.random.Generator], None] = fuzz_kinds.KINDS[kind](Path(folder))
        for index in range(9):  # what is loaded at first use counts for no item
            _try(check, np.random.default_rng(index))
        # Twice the limit: what needs more is found by its peak, and cannot harm the machine.
        limit = _status("VmSize") + 2 * MAX_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        pipe.send("ready")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff and FFmpeg talk about each damage
        while True:
            rng = np.random.default_rng([seed, first, zlib.crc32(kind.encode())])
            pipe.send(_try(check, rng))
            first += 1


def _try(check: Callable[[np.random.Generator], None], rng: np.random.Generator) -> str | None:
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, started = _status("VmRSS"), time.process_time()
    problem = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(rng)
    except (ValueError, OSError) as error:
        message = str(error)
        if not message or "\n" in message or len(message) > _MAX_MESSAGE:
            problem = f"message of {len(message)} characters: {message[:300]!r}"
        elif any(isinstance(cause, MemoryError) for cause in _causes(error)):
            problem = f"asks for more than {2 * MAX_BYTES / 1e9:.1f} GB: {message[:300]}"
    except Exception as error:  # whatever it is, it is a finding
        problem = f"{type(error).__name__}: {str(error)[:300]}"
    seconds, peak = time.process_time() - started, _status("VmHWM") - before
    if problem is None and seconds > MAX_SECONDS:
        problem = f"takes {seconds:.1f} s"
    if problem is None and peak > MAX_BYTES:
        problem = f"takes {peak / 1e9:.1f} GB"
    return problem


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _status(field: str) -> int:
    """Returns a size of this process in bytes."""
    fields = Path("/proc/self/status").read_text().split()
    return int(fields[fields.index(f"{field}:") + 1]) * 1024


def main() -> int:
    """Prints what is found; returns 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(COUNTS))
    parser.add_argument("--count", type=int, help="items of each kind")
    parser.add_argument("--seconds", type=float, default=np.inf, help="for all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first item")
    options = parser.parse_args()
    kinds = options.kinds or list(COUNTS)
    if not set(kinds) <= set(COUNTS):
        parser.error(f"Expected kinds among {', '.join(COUNTS)}. Received: {', '.join(kinds)}")
    failed = False
    for kind in kinds:
        count = options.count or COUNTS[kind]
        tried, findings = run(
            kind, count, options.seconds / len(kinds), options.seed, options.first
        )
        print(f"{kind}: {tried} tried, {len(findings)} findings", flush=True)
        failed |= bool(findings) or tried == 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
