"""`info`: what a bug report needs."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform

_PACKAGES = (
    "tensorflow", "keras", "jax", "mtcnn", "opencv-python", "opencv-python-headless", "matplotlib",
    "seaborn", "numpy", "pandas", "scipy", "scikit-learn", "scikit-image", "jupyter", "nbval",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`info` takes no arguments."""


def run(arguments: argparse.Namespace) -> int:
    import keras

    import fer_lib
    from fer_lib import paths

    python = f"Python {platform.python_version()}, {platform.platform()}"
    print(f"fer_lib {fer_lib.__version__}, {python}")
    for package in _PACKAGES:
        try:
            print(f"  {package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"  {package} not installed")
    devices = keras.distribution.list_devices() or ["cpu"]
    print(f"Keras backend: {keras.backend.backend()}, devices: {', '.join(devices)}")
    print(f"Cache: {paths.cache_dir()}")
    found = paths.list_models()
    print("Models:" if found else "Models: none")
    for name, folder in found.items():
        print(f"  {name}: {folder}")
    return 0
