"""How the notebooks are run as tests: pytest --nbval-lax ... (see the Makefile).

Every kernel starts without a network, with the synthetic data set and with an empty cache, as on a
student's first evening; and HTML, SVG and stderr are not compared, for they differ from one
version or machine to the next while saying the same.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

_cache = tempfile.TemporaryDirectory(prefix="fer_lib_notebooks_cache_")
_guard = Path(__file__).resolve().parents[1] / "tests" / "tools" / "offline"
# The kernels inherit this process' environment.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(_guard), os.environ.get("PYTHONPATH")])
)
os.environ["FER_LIB_DATASET"] = "synthetic"
os.environ["FER_LIB_HOME"] = _cache.name
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ.pop("FER_LIB_MODELS", None)
os.environ.pop("MPLBACKEND", None)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Adds to what nbval leaves out of its comparison."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("text/html", "image/svg+xml", "stderr")
