"""A minute of damaged files and odd arrays: only documented errors, within time and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzz" / "fuzz.py"


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a process its own peak"
)
def test_a_minute_of_damaged_input_gives_only_documented_errors():
    result = subprocess.run(
        [sys.executable, str(FUZZ), "--seconds", "60"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("tried, 0 findings") == 4
