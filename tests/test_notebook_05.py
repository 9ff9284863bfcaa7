"""Lesson 05 in plain Keras: the split is clean, and what it trains can be stored and read back."""

from __future__ import annotations

from pathlib import Path

import keras
import nbformat
import notebook_cells
import numpy as np
import pytest
import run_lesson

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "05_training.ipynb"


@pytest.fixture(scope="module")
def names() -> dict:
    return notebook_cells.load_cells(NOTEBOOK, "network")


def test_the_network_takes_raw_pixels_and_survives_a_file(names: dict, tmp_path: Path) -> None:
    network = names["build_model"](width=4)
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1)).astype("uint8")
    before = network.predict(images, verbose=0)
    np.testing.assert_allclose(before.sum(axis=1), 1, atol=1e-5)
    network.save(tmp_path / "network.keras")
    after = keras.models.load_model(tmp_path / "network.keras").predict(images, verbose=0)
    np.testing.assert_allclose(before, after, atol=1e-6)


def test_augmentation_is_on_in_training_only(names: dict) -> None:
    network = names["build_model"](width=4, dropout=0.0)
    augment = network.get_layer("augmentation")
    image = np.random.default_rng(0).integers(0, 256, (1, 48, 48, 1)).astype("float32")
    np.testing.assert_array_equal(augment(image, training=False), image)
    assert np.abs(augment(image, training=True) - image).max() > 1


def test_a_lesson_is_run_on_the_named_table(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("FER2013_CSV", raising=False)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    data, path = tmp_path / "fer2013.csv", tmp_path / "lesson.ipynb"
    data.write_text("emotion,pixels,Usage\n", encoding="utf-8")
    source = "import os\nprint(open(os.environ['FER2013_CSV']).read())"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    assert run_lesson.main([str(path), "--data", str(data)]) == 0
    [output] = nbformat.read(path, as_version=4).cells[0].outputs
    assert output.text.startswith("emotion,pixels,Usage")


def test_a_lesson_takes_the_named_base(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FER2013_CSV", "set again below")
    monkeypatch.setenv("BASE_WEIGHTS", "set again below")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    data, path = tmp_path / "fer2013.csv", tmp_path / "lesson.ipynb"
    data.touch()
    source = "import os\nprint(os.environ['BASE_WEIGHTS'])"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    assert run_lesson.main([str(path), "--data", str(data), "--base", str(tmp_path)]) == 0
    [output] = nbformat.read(path, as_version=4).cells[0].outputs
    assert output.text.strip() == str(tmp_path)


def test_a_missing_base_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fer2013.csv").touch()
    with pytest.raises(SystemExit):
        run_lesson.main(
            [str(NOTEBOOK), "--data", str(tmp_path / "fer2013.csv"), "--base", "no_such_folder"]
        )
    assert "no folder no_such_folder" in capsys.readouterr().err


def test_a_missing_table_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_lesson.main([str(NOTEBOOK), "--data", "no_such.csv"])
    assert "no file no_such.csv" in capsys.readouterr().err
