"""The stored experiments: whole, consistent in themselves, and what the guide quotes."""

import json
from pathlib import Path

import numpy as np
import pytest
import recipe_experiments
import speed
import write_augmentation_guide

from fer_lib import training

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
    assert stored == recipe_experiments.REFERENCE
    assert results["seeds"] == list(recipe_experiments.SEEDS)
    reference = results["reference"]
    for name, row in results["changes"].items():
        assert len(row["by_seed"]) == len(results["seeds"]), name
        assert row["difference"] == pytest.approx(row["accuracy"] - reference["accuracy"], abs=2e-4)
        low, high = row["difference_ci95"]
        assert low <= row["difference"] <= high


def test_a_difference_counts_only_if_it_is_clear_and_exceeds_another_seed():
    generator = np.random.default_rng(0)
    reference = generator.random((2, 4000)) < 0.5
    assert recipe_experiments.compare(reference, reference)["verdict"] == "too small to tell"
    better = reference | (generator.random((2, 4000)) < 0.2)
    assert recipe_experiments.compare(better, reference)["verdict"] == "helps"
    assert recipe_experiments.compare(reference, better)["verdict"] == "harms"
    apart = np.stack([reference[0], better[1]])  # two seeds that differ more than the change does
    assert recipe_experiments.compare(better, apart)["verdict"] == "too small to tell"


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
