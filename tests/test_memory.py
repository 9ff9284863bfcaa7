"""A long list of large photographs fits into the memory of a small laptop."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import skimage.data

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="only Linux tells a process its own peak"
    ),
]

COUNT = 100
MEGABYTES = 1500


def test_a_hundred_photographs_of_12_megapixels_stay_under_1500_megabytes(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    # Ten sizes, for what a network keeps for every new shape would add up.
    for index in range(10):
        size = (4000 - 16 * index, 3000 + 8 * index)
        photograph = cv2.resize(skimage.data.astronaut()[..., ::-1], size)
        cv2.imwrite(str(folder / f"{index}_0.jpg"), photograph)
        for copy in range(1, COUNT // 10):
            os.link(folder / f"{index}_0.jpg", folder / f"{index}_{copy}.jpg")
    # Not getrusage: its peak begins with the size of the process that started this one.
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from fer_lib.cli import main\n"
        "status = main(['predict', sys.argv[1], '--json'])\n"
        "lines = Path('/proc/self/status').read_text().splitlines()\n"
        "print(next(line for line in lines if line.startswith('VmHWM')), file=sys.stderr)\n"
        "sys.exit(status)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count('"emotion"') == COUNT
    peak = int(result.stderr.split()[-2]) * 1024 / 1e6
    assert peak < MEGABYTES, f"{peak:.0f} MB"
