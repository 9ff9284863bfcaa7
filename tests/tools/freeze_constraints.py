"""Write the versions of the running environment to constraints.txt (`make constraints`).

The comment lines at the head of the file are kept. To move to newer versions:
`make clean`, install without constraints (`pip install -e ".[dev,jax]"`), run the tests, then this.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
# Packages that exist for one operating system only, and those that every environment brings.
LEFT_OUT = re.compile(r"^(appnope|colorama|pip|pywin|setuptools|wheel|nvidia-|triton)", re.I)


def main() -> None:
    """Writes the file and says how many versions it holds."""
    freeze = [sys.executable, "-m", "pip", "freeze", "--exclude-editable"]
    lines = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout.splitlines()
    # A package that came from a file or a URL (`name @ ...`) has no version that others could get.
    pins = [line for line in lines if "==" in line and not LEFT_OUT.match(line)]
    old = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    header = [line for line in old if line.startswith("#")]
    text = "\n".join([*header, *sorted(pins, key=str.lower)]) + "\n"
    CONSTRAINTS.write_text(text, encoding="utf-8")
    print(f"{CONSTRAINTS.name}: {len(pins)} versions")


if __name__ == "__main__":
    main()
