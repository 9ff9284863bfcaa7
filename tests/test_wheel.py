"""The built wheel works on its own: a fresh environment, another folder, no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the wheel, built as pip builds it from a checkout or from git."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    subprocess.run([*pip, str(ROOT)], check=True)
    [path] = folder.glob("fer_lib-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment that holds the wheel.

    Its dependencies are those of the environment that runs the tests, lent through a .pth file, so
    that nothing is downloaded; the checkout itself cannot be seen from there.
    """
    folder = tmp_path_factory.mktemp("environment") / "fresh"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    names = {"base": str(folder), "platbase": str(folder)}
    scheme = "nt" if os.name == "nt" else "posix_prefix"
    site = Path(sysconfig.get_path("purelib", scheme, names))
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--ignore-installed", "--no-index", str(wheel)], check=True)
    return python


@pytest.fixture
def elsewhere(tmp_path: Path, astronaut: np.ndarray) -> Path:
    """A folder of the user's, with a photograph in it."""
    Image.fromarray(astronaut).save(tmp_path / "photo.jpg", quality=95)
    return tmp_path


def _without_network(command: list[str]) -> list[str]:
    """The command in a network namespace of its own, where the system allows that."""
    prefix = ["unshare", "--net", "--map-root-user"]
    if shutil.which("unshare") and subprocess.run([*prefix, "true"], check=False).returncode == 0:
        return [*prefix, *command]
    return command


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    options = {"cwd": folder, "env": {**environment, "HOME": str(folder)}, "text": True}
    result = subprocess.run(_without_network(command), capture_output=True, **options)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def test_wheel_holds_the_library_and_the_models(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"fer_lib", f"{wheel.name.split('-py3')[0]}.dist-info"}
    for path in (ROOT / "saved_models").rglob("*"):
        # Teachers are for those who train models, from a checkout.
        if path.is_file():
            assert f"fer_lib/{path.relative_to(ROOT).as_posix()}" in names
    for path in (ROOT / "fer_lib").rglob("*"):
        if path.suffix in (".toml", ".js", ".css"):
            assert path.relative_to(ROOT).as_posix() in names


def test_predict_from_the_wheel(
    installed: Path, elsewhere: Path, offline_environment: dict[str, str]
) -> None:
    code = "import fer_lib; print(fer_lib.__file__)"
    where = _run([str(installed), "-c", code], elsewhere, offline_environment)
    assert Path(where.strip()).is_relative_to(installed.parents[1])
    command = [str(installed), "-m", "fer_lib", "predict", "photo.jpg", "--json"]
    [entry] = json.loads(_run(command, elsewhere, offline_environment))
    assert entry["path"] == "photo.jpg"
    assert entry["error"] is None
    [face] = entry["faces"]
    assert face["emotion"] == "happy"
