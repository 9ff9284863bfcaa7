"""What lesson 10 does with one image is what the library does with a folder of them."""

from __future__ import annotations

from pathlib import Path

import notebook_cells
import numpy as np
import pytest

import fer_lib
from fer_lib.images import write_image

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "10_own_data.ipynb"


class Detector:
    """Finds the face in the middle of an image, or two beside each other where it is wide."""

    def detect(self, image: np.ndarray) -> list[fer_lib.Face]:
        height, width = image.shape[:2]
        face = fer_lib.Face((width // 4, height // 4, width // 2, height // 2))
        return [face] * (1 + (width > height))


@pytest.fixture(scope="module")
def crop_face():
    return notebook_cells.load_cells(NOTEBOOK)["crop_face"]


def test_crops_are_those_of_the_loader(crop_face, tmp_path: Path) -> None:
    for index, size in enumerate((96, 160)):
        write_image(tmp_path / "happy" / f"{index}.jpg", fer_lib.draw_face({"yaw": 10}, size))
    loaded = fer_lib.load_folder(tmp_path, detector=Detector())
    files = [tmp_path / file for file in loaded.metadata["file"]]
    by_hand = np.array([crop_face(file, Detector()) for file in files])
    assert len(files) == 2
    assert np.array_equal(by_hand, loaded.images[..., 0])


def test_a_picture_of_two_faces_is_left_out_by_both(crop_face, tmp_path: Path) -> None:
    write_image(tmp_path / "sad" / "one.jpg", fer_lib.draw_face())
    write_image(tmp_path / "sad" / "two.jpg", np.zeros((50, 100, 3), np.uint8))
    with pytest.warns(UserWarning, match=r"two\.jpg: 2 faces"):
        loaded = fer_lib.load_folder(tmp_path, detector=Detector())
    assert loaded.left_out["file"].tolist() == ["sad/two.jpg"]
    assert crop_face(tmp_path / "sad" / "two.jpg", Detector()) is None
