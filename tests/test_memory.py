"""A long list of large photographs and a long video fit into the memory of a small laptop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import skimage.data
from clips import scene, write_clip

STATUS = Path("/proc/self/status")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells a process its own size"),
]

# Not getrusage: its peak begins with the size of the process that started this one.
START = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent / "tools")!r})

def megabytes(field):
    fields = Path("{STATUS}").read_text().split()
    return int(fields[fields.index(field + ":") + 1]) * 1024 / 1e6
"""
PHOTOGRAPHS = """
from fer_lib.cli import main
status = main(["predict", sys.argv[1], "--json"])
print(megabytes("VmHWM"), file=sys.stderr)
sys.exit(status)
"""
VIDEO = """
import clips
sizes = []

class Measured(clips.ClipDetector):
    def detect(self, image):
        sizes.append(megabytes("VmRSS"))
        return super().detect(image)

from fer_lib import EmotionRecognizer, analyze_video
recognizer = EmotionRecognizer("cnn", Measured())
table = analyze_video(sys.argv[1], recognizer, csv_path=sys.argv[2], progress=False)
assert table.attrs["frames"] == 3000 and table["face_id"].notna().all()
print(max(sizes) - max(sizes[: len(sizes) // 10]), file=sys.stderr)
"""


def run(code: str, *arguments: Path) -> tuple[str, float]:
    """Returns what a script prints, and the number that it prints last on stderr."""
    command = [sys.executable, "-c", START + code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout, float(result.stderr.split()[-1])


def test_a_hundred_photographs_of_12_megapixels_stay_under_1500_megabytes(tmp_path):
    # Ten sizes, for what a network keeps for every new shape would add up.
    for index in range(10):
        size = (4000 - 16 * index, 3000 + 8 * index)
        photograph = cv2.resize(skimage.data.astronaut()[..., ::-1], size)
        cv2.imwrite(str(tmp_path / f"{index}_0.jpg"), photograph)
        for copy in range(1, 10):
            os.link(tmp_path / f"{index}_0.jpg", tmp_path / f"{index}_{copy}.jpg")
    printed, peak = run(PHOTOGRAPHS, tmp_path)
    assert printed.count('"emotion"') == 100
    assert peak < 1500


def test_memory_stays_flat_over_3000_frames(tmp_path):
    clip = write_clip(tmp_path / "long.mp4", (scene(20 + i % 60) for i in range(3000)))
    _, grown = run(VIDEO, clip, tmp_path / "rows.csv")
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 3001
    assert grown < 40
