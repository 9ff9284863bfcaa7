"""Memory and rate of `predict FOLDER --output faces.csv` over many small photographs.

python tests/benchmarks/table_memory.py [--images 10000]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
import skimage.data
from PIL import Image

_SIDE = 96  # pixels; the face in it is half as high


def main() -> None:
    """Prints the resident memory at a tenth of the images, at a half, and at the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    count = parser.parse_args().images
    portrait = Image.fromarray(skimage.data.astronaut()[:256, 96:352]).resize((_SIDE, _SIDE))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        images, output = Path(folder, "photos"), Path(folder, "faces.csv")
        images.mkdir()
        for index in range(count):
            portrait.rotate(index % 21 - 10).save(images / f"{index:06d}.jpg")
        command = [sys.executable, "-m", "fer_lib", "predict", str(images), "--output", str(output)]
        started = time.perf_counter()
        parts = Path(f"{output}.parts")
        with subprocess.Popen([*command, "--model", "cnn_tiny"], stderr=subprocess.DEVNULL) as run:
            process = psutil.Process(run.pid)
            while run.poll() is None:
                done = sum(1 for _ in parts.glob("*.csv")) * 256
                memory = process.memory_info().rss / 2**20
                rows.append({"images": done, "MB": memory, "s": time.perf_counter() - started})
                time.sleep(0.5)
        written = len(pd.read_csv(output))
    table = pd.DataFrame(rows)
    for share in (0.1, 0.5, 0.9):
        row = table[table["images"] >= share * count].iloc[0]
        print(f"{row['images']:6.0f} images: {row['MB']:.0f} MB after {row['s']:.0f} s")
    print(f"at most {table['MB'].max():.0f} MB; {written} rows")


if __name__ == "__main__":
    main()
