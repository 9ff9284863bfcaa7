"""Streams that are closed or full, and words that make no sense: one line and a status each."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fer_lib.cli import main

pytestmark = pytest.mark.skipif(os.name == "nt", reason="redirects are those of a POSIX shell")
LISTING = "datasets list"  # answers without Keras
FAILING = "datasets check /no/such/path"


def run_shell(words: str, redirect: str = "", **environment: str) -> tuple[int, str, str]:
    """Returns the status of `python -m fer_lib WORDS` in a shell, and what came out of both."""
    script = f'"{sys.executable}" -m fer_lib {words} {redirect}; exit ${{PIPESTATUS[0]}}'
    result = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env={**os.environ, **environment}
    )
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("words", "redirect", "status", "error"),
    [
        (LISTING, ">/dev/full", 1, "fer_lib datasets: No space left on device\n"),
        (LISTING, "| true", 141, ""),
        (LISTING, ">&-", 0, ""),
        (LISTING, "2>&- >/dev/null", 0, ""),
        (FAILING, "2>&-", 1, ""),
        (FAILING, "2>/dev/full", 1, ""),
        (FAILING, ">&- 2>&-", 1, ""),
    ],
)
def test_streams_that_are_closed_or_full(
    words: str, redirect: str, status: int, error: str
) -> None:
    if "/dev/full" in redirect and not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    assert run_shell(words, redirect) == (status, "", error)


def test_a_backend_that_cannot_be_loaded_is_one_line_with_the_remedy() -> None:
    status, out, error = run_shell("info", KERAS_BACKEND="no_such_backend")
    assert (status, out) == (1, "")
    assert error.count("\n") == 1
    assert "set KERAS_BACKEND=tensorflow or jax" in error and "no_such_backend" in error


@pytest.mark.parametrize(
    "line",
    [
        *("nothing", "predict", "evaluate --tta 3 --data x", "augment x --output y --copies 0"),
        *("evaluate --data x --robustness-step 0", "augment x --output y --copies 1000000000"),
        *("video x --csv y --fps 1e-9", "video x --csv y --fps nan", "train --data x --seed -1"),
        *("predict x --min-face-size 1", "video x --csv y --detect-every 0"),
        *("datasets", "datasets fetch", "datasets fetch imagenet", "datasets check"),
        *("evaluate --data x --set imagenet", "evaluate --data x --classes a"),
        *("evaluate --data x --classes a=b,a=c", "evaluate --data x --classes a=,b"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(line: str, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(line.split())
    error = capsys.readouterr().err
    assert caught.value.code == 2
    assert error.startswith("fer_lib") and error.count("\n") == 1


def test_no_subcommand_prints_the_help(capsys) -> None:
    assert main([]) == 2
    assert "predict" in capsys.readouterr().err
