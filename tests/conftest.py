"""What every test file shares: a quiet, seeded, windowless process, and the real data if any."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

# Before any test imports TensorFlow or matplotlib: no log lines, no window, the shipped models, and
# a cache of our own, so that what the user has downloaded changes nothing.
_cache = tempfile.TemporaryDirectory(prefix="fer_lib_test_cache_")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["MPLBACKEND"] = "Agg"
os.environ["FER_LIB_DATASET"] = "synthetic"
os.environ["FER_LIB_HOME"] = _cache.name
os.environ.pop("FER_LIB_MODELS", None)

import hypothesis
import network_guard
import numpy as np
import pytest

# The same examples on every run: a failure belongs to the change under test, not to chance.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parents[1]
DATA_VARIABLE = "FER_LIB_TEST_DATA"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Starts every test from the same random state, keras' included where it is loaded."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries under test draw from the global state
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def _figures_closed() -> Iterator[None]:
    """Closes the figures that a test left open."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """A function that runs a command and returns the exit status, stdout and stderr."""
    from fer_lib.cli import main

    def run(*words: object) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def camera_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of one second that stands in for a camera: 15 frames, each brighter than the last."""
    import clips

    frames = [np.full((120, 160, 3), 10 * index, np.uint8) for index in range(15)]
    return clips.write_clip(tmp_path_factory.mktemp("video") / "clip.mp4", frames, rate=15)


@pytest.fixture
def no_camera_left() -> Iterator[None]:
    """Fails a test that leaves a camera open, whatever happened in it."""
    yield
    assert "fer_lib camera" not in [thread.name for thread in threading.enumerate()]


@pytest.fixture(scope="module")
def names(request: pytest.FixtureRequest) -> dict:
    """What the tagged cells of a lesson define: of lesson 07 in the file `test_notebook_07.py`."""
    import notebook_cells

    number = request.path.stem.removeprefix("test_notebook_")
    [notebook] = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    return notebook_cells.load_cells(notebook)


@pytest.fixture
def offline() -> Iterator[None]:
    """Turns the network off: connections to other machines raise `NetworkBlockedError`."""
    network_guard.block()
    yield
    network_guard.unblock()


@pytest.fixture
def offline_environment() -> dict[str, str]:
    """The environment for a child process of a test whose network must be off."""
    guard = str(ROOT / "tests" / "tools" / "offline")
    path = os.pathsep.join(filter(None, [guard, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real photographs that the repository does not contain, or a skip."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        pytest.skip(f"needs real data: {DATA_VARIABLE} is not set to a folder that holds it")
    if not Path(folder).is_dir():
        pytest.fail(f"Expected {DATA_VARIABLE} to name a folder. Received: {folder!r}.")
    return Path(folder)


@pytest.fixture(scope="session")
def make_fer2013(
    real_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A function that exports FER2013 in one layout, once a session.

    `make_fer2013("csv" | "folders" | "npz" | "ferplus")` returns the folder that holds it:
    `fer2013.csv`, `train/ test/`, `fer2013.npz` or `fer2013new.csv`.
    """
    exported: dict[str, Path] = {}

    def make(layout: str) -> Path:
        if layout not in exported:
            folder = tmp_path_factory.mktemp(f"fer2013_{layout}")
            script = real_data / "fer2013" / "export.py"
            subprocess.run([sys.executable, str(script), layout, str(folder)], check=True)
            exported[layout] = folder
        return exported[layout]

    return make


@pytest.fixture(scope="session")
def fer2013_npz(make_fer2013: Callable[[str], Path]) -> Path:
    """The path of `fer2013.npz` (Training and PublicTest)."""
    return make_fer2013("npz") / "fer2013.npz"


@pytest.fixture(scope="session")
def fer2013_csv(make_fer2013: Callable[[str], Path]) -> Path:
    """The path of Kaggle's `fer2013.csv` (Training and PublicTest)."""
    return make_fer2013("csv") / "fer2013.csv"


@pytest.fixture(scope="session")
def ferplus_csv(make_fer2013: Callable[[str], Path]) -> Path:
    """The path of the FER+ votes, `fer2013new.csv`."""
    return make_fer2013("ferplus") / "fer2013new.csv"


@pytest.fixture(scope="session")
def scenes(real_data: Path) -> Path:
    """The folder of photographs with faces, described in its `scenes.csv`."""
    return real_data / "scenes"


@pytest.fixture(scope="session")
def yunet_weights(real_data: Path) -> Path:
    """The path of the YuNet detector's weights, which are put into the cache, too."""
    path = real_data / "models" / "face_detection_yunet_2023mar.onnx"
    shutil.copy(path, _cache.name)
    return path


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A photograph with one smiling face, uint8 RGB (512, 512, 3); NASA, public domain."""
    import skimage.data

    return skimage.data.astronaut()
