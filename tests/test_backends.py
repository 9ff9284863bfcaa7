"""What is promised for the JAX backend works there, without TensorFlow on the machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parent
ROOMS = ("models", "augmentation", "pretrained", "training", "explain")


@pytest.fixture(scope="module")
def jax_environment():
    pytest.importorskip("jax", reason="needs JAX: pip install -e '.[jax]'")
    folders = [str(TESTS / "tools" / "without_tensorflow"), os.environ.get("PYTHONPATH")]
    return {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": os.pathsep.join(filter(None, folders)),
    }


def run(environment, *words):
    return subprocess.run(
        [sys.executable, *words], env=environment, cwd=TESTS.parent, capture_output=True, text=True
    )


def test_tensorflow_is_really_out_of_reach(jax_environment):
    result = run(jax_environment, "-c", "import tensorflow")
    assert "ModuleNotFoundError" in result.stderr


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_passes_its_tests_under_jax(room, jax_environment):
    words = ["-m", "pytest", "-q", "-m", "backends and not slow", f"tests/test_{room}.py"]
    result = run(jax_environment, *words)
    assert result.returncode == 0, result.stdout[-3000:]
    assert " passed" in result.stdout


def test_mtcnn_names_the_detector_that_works(jax_environment):
    result = run(jax_environment, "-c", "import fer_lib; fer_lib.FaceDetector('mtcnn')")
    assert result.stderr.strip().splitlines()[-1].startswith("ValueError: Expected the TensorFlow")
    assert "yunet" in result.stderr
