"""The stored experiments: whole, consistent in themselves, and what the guide quotes."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import recipe_experiments
import speed
import write_augmentation_guide

from fer_lib import make_faces, training

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def results():
    return json.loads(write_augmentation_guide.RESULTS.read_text(encoding="utf-8"))


def test_the_guide_is_generated_from_the_stored_results():
    assert write_augmentation_guide.main(["--check"]) == 0
    assert write_augmentation_guide.IMAGE.stat().st_size < 300_000


def test_every_change_was_trained_as_the_script_says(results):
    assert set(results["changes"]) == set(recipe_experiments.CHANGES)
    # Fields that are younger than the results have the values that the results were made with.
    stored = training.TrainingConfig(**results["recipe"])
    assert stored == recipe_experiments.SHORT.reference
    assert results["seeds"] == list(recipe_experiments.SHORT.seeds)
    reference = results["reference"]
    for name, row in results["changes"].items():
        assert len(row["by_seed"]) == len(results["seeds"]), name
        assert row["difference"] == pytest.approx(row["accuracy"] - reference["accuracy"], abs=2e-4)
        low, high = row["difference_ci95"]
        assert low <= row["difference"] <= high


def test_the_long_results_are_what_their_hits_give():
    long = json.loads(write_augmentation_guide.LONG_RESULTS.read_text(encoding="utf-8"))
    assert training.TrainingConfig(**long["recipe"]) == recipe_experiments.LONG.reference
    counted = recipe_experiments.tabulate(
        recipe_experiments.LONG, long["hits"], long["scored_on"]["images"]
    )
    assert counted == {key: long[key] for key in counted}


def test_a_difference_counts_only_if_it_is_clear_and_exceeds_another_seed():
    generator = np.random.default_rng(0)
    reference = generator.random((2, 4000)) < 0.5
    assert recipe_experiments.compare(reference, reference)["verdict"] == "too small to tell"
    better = reference | (generator.random((2, 4000)) < 0.2)
    assert recipe_experiments.compare(better, reference)["verdict"] == "helps"
    assert recipe_experiments.compare(reference, better)["verdict"] == "harms"
    apart = np.stack([reference[0], better[1]])  # two seeds that differ more than the change does
    assert recipe_experiments.compare(better, apart)["verdict"] == "too small to tell"


def test_experiments_are_stored_after_each_training_and_not_repeated(tmp_path, monkeypatch, capsys):
    faces = make_faces(4, seed=0)
    dataset = dataclasses.replace(faces, split=np.repeat(["Training", "PublicTest"], 14))
    design = dataclasses.replace(
        recipe_experiments.LONG,
        file=tmp_path / "results.json",
        reference=recipe_experiments.LONG.reference.replace(epochs=2),
    )
    trained = []

    def train_once(config, change, sets, passes):
        trained.append((config.seed, change[1]))
        return np.arange(len(sets[1])) % 3 == config.seed

    monkeypatch.setattr(recipe_experiments, "LONG", design)
    monkeypatch.setattr(recipe_experiments, "load_fer2013", lambda path: dataset)
    monkeypatch.setattr(recipe_experiments, "load_ferplus", lambda votes, data: data)
    monkeypatch.setattr(recipe_experiments, "train_once", train_once)
    command = ["data", "--votes", "votes", "--long", "--seeds", "0", "1", "--only"]
    recipe_experiments.main([*command, "mirroring alone"])
    assert [seed for seed, _ in trained] == [0, 0, 1, 1]
    results = json.loads(design.file.read_text(encoding="utf-8"))
    assert results["changes"]["mirroring alone"]["seeds"] == [0, 1]
    assert results["changes"]["mirroring alone"]["verdict"] == "too small to tell"
    recipe_experiments.main([*command, "mirroring alone", "no augmentation"])
    assert len(trained) == 6, "only what is missing is trained"
    with pytest.raises(SystemExit):
        recipe_experiments.main([*command, "no such change"])
    assert "no such change" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        recipe_experiments.main([*command[:3], "--long", "--seeds", "7"])
    assert "Received: [7]" in capsys.readouterr().err


def test_results_of_other_trainings_are_not_overwritten(tmp_path, monkeypatch, capsys):
    stored = tmp_path / "results.json"
    before = recipe_experiments.SHORT.file.read_bytes()  # older: no hits to go on from
    stored.write_bytes(before)
    faces = make_faces(4, seed=0)
    dataset = dataclasses.replace(faces, split=np.repeat(["Training", "PublicTest"], 14))
    design = dataclasses.replace(recipe_experiments.SHORT, file=stored)
    monkeypatch.setattr(recipe_experiments, "SHORT", design)
    monkeypatch.setattr(recipe_experiments, "load_fer2013", lambda path: dataset)
    monkeypatch.setattr(recipe_experiments, "load_ferplus", lambda votes, data: data)
    with pytest.raises(SystemExit):
        recipe_experiments.main(["data", "--votes", "votes"])
    assert "move the file away" in capsys.readouterr().err
    assert stored.read_bytes() == before


def test_packed_hits_come_back():
    hits = np.random.default_rng(0).random(3589) < 0.6
    packed = recipe_experiments.pack(hits)
    np.testing.assert_array_equal(recipe_experiments.unpack(packed, 3589), hits)


def test_the_transformations_of_the_harmful_kind_change_every_second_image():
    images = np.arange(4 * 48 * 48, dtype=np.uint8).reshape(4, 48, 48, 1)
    for change in (recipe_experiments.upside_down, recipe_experiments.mouth_erased):
        changed = change(images)
        np.testing.assert_array_equal(changed[1::2], images[1::2])
        assert (changed[::2] != images[::2]).any(axis=(1, 2, 3)).all()
    mouth = recipe_experiments.mouth_erased(images)[0, 37, 24]
    assert mouth == 128


@pytest.mark.slow
def test_the_table_of_speeds_times_every_shipped_recipe():
    for name in ("cnn", "cnn_tiny"):
        figures = speed.measure_training(training.load_recipe(name), steps=1)
        assert figures["images_per_second"] > 0 and 0 < figures["share"] < 2
