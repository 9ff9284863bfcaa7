"""The shipped models: whole, loaded by plain Keras, and as good as their cards say."""

import hashlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import write_model_table
from add_repeat import describe_repeat

from fer_lib import evaluation, pretrained, training
from fer_lib.datasets import load_fer2013
from fer_lib.labels import EMOTIONS
from fer_lib.training.card import to_markdown

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = sorted(file.parent for file in (ROOT / "saved_models").glob("*/card.json"))
# What each model has to reach on PublicTest: of what people see, or of the label.
MIN_ACCURACY = {
    "cnn": 0.87,
    "cnn_tiny": 0.84,
    "cnn_fer2013": 0.70,
    "cnn_tiny_fer2013": 0.66,
    "resnet50_fer2013": 0.64,
}


def read_predictions(folder):
    """Probabilities and labels on which the card's scores are computed."""
    stored = np.load(folder / "predictions_public_test.npz")
    if pretrained.read_card(folder).get("predicts") != "votes":
        return stored["probabilities"], stored["labels"]
    clear = stored["vote_labels"] >= 0
    return stored["probabilities"][clear], stored["vote_labels"][clear]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
class TestShippedModel:
    def test_is_whole(self, folder):
        names = "README.md card.json history.csv model.keras predictions_public_test.npz"
        assert {path.name for path in folder.iterdir()} == {*names.split(), "robustness.json"}
        digest = hashlib.sha256((folder / "model.keras").read_bytes()).hexdigest()
        assert json.loads((folder / "card.json").read_text())["model_sha256"] == digest

    def test_stored_robustness_is_of_this_model(self, folder):
        report = evaluation.RobustnessReport.read_json(folder / "robustness.json")
        assert report.model == folder.name
        table = report.to_frame()
        assert list(table["corruption"].unique()) == list(evaluation.CORRUPTIONS)
        for name, kind in evaluation.CORRUPTIONS.items():
            part = table[table["corruption"] == name]
            assert tuple(part["level"]) == kind.levels and set(part["unit"]) == {kind.unit}
        probabilities, labels = read_predictions(folder)
        right = probabilities.argmax(axis=1) == labels
        assert report.n == len(right)
        assert report.accuracy == pytest.approx(right.mean(), abs=2e-3)

    def test_loads_with_plain_keras_in_float32(self, folder):
        model = keras.models.load_model(folder / "model.keras")
        assert model.input_shape == (None, 48, 48, 1)
        assert model.output_shape == (None, len(EMOTIONS))
        assert {weight.dtype for weight in model.weights} <= {"float32"}

    def test_stored_predictions_give_the_scores_of_the_card(self, folder):
        card = pretrained.read_card(folder)
        probabilities, labels = read_predictions(folder)
        report = evaluation.evaluate(labels, probabilities)
        scores = card["scores"]["validation"]
        assert report.accuracy == pytest.approx(scores["accuracy"])
        assert report.confusion_matrix.tolist() == scores["confusion_matrix"]
        assert report.loss == pytest.approx(scores["loss"])
        assert report.accuracy >= MIN_ACCURACY[folder.name]

    def test_its_readme_is_generated_from_its_card(self, folder):
        card = json.loads((folder / "card.json").read_text())
        assert (folder / "README.md").read_text() == to_markdown(card)

    def test_was_made_by_a_recipe_of_the_library(self, folder):
        card = pretrained.read_card(folder)
        made_by = training.TrainingConfig(**card["recipe"])  # options that came later have defaults
        assert made_by.to_dict() == training.load_recipe(folder.name).to_dict()
        history = np.genfromtxt(folder / "history.csv", delimiter=",", names=True)
        assert len(history) == card["recipe"]["epochs"]
        best = history["val_accuracy"].argmax() + 1
        assert card["selected_epoch"] == (len(history) if made_by.keep == "last" else best)

    def test_a_second_training_came_close(self, folder):
        card = pretrained.read_card(folder)
        plain, tta = card["scores"]["validation"], card["scores"]["validation_tta"]
        for again in card.get("repeats", ()):
            # 3,589 faces leave the difference of two trainings a standard error of half a point.
            assert again["accuracy"] == pytest.approx(plain["accuracy"], abs=0.015)
            assert again["accuracy_tta"] == pytest.approx(tta["accuracy"], abs=0.01)
            assert again["loss"] == pytest.approx(plain["loss"], abs=0.01)

    def test_predicts_the_real_split_as_stored(self, folder, fer2013_npz):
        dataset = load_fer2013(fer2013_npz, splits="PublicTest")
        assert dataset.content_hash == pretrained.read_card(folder)["data"]["validation"]["sha256"]
        stored = np.load(folder / "predictions_public_test.npz")
        some = slice(0, None, 7)
        probabilities = pretrained.load_pretrained(folder).predict(dataset.images[some])
        np.testing.assert_allclose(probabilities, stored["probabilities"][some], atol=1e-3)


def test_a_repeat_is_of_the_same_recipe_and_data():
    card = pretrained.read_card(ROOT / "saved_models" / "cnn_fer2013")
    again = json.loads(json.dumps(card))
    again["name"] = "again"
    again["scores"]["validation"]["accuracy"] = 0.5
    assert describe_repeat(card, again)["accuracy"] == 0.5
    again["recipe"]["epochs"] += 1
    with pytest.raises(ValueError, match="other recipe in the card of again"):
        describe_repeat(card, again)
    again["recipe"] = card["recipe"]
    again["data"]["training"]["sha256"] = "0"
    with pytest.raises(ValueError, match="other data in the card of again"):
        describe_repeat(card, again)


def test_what_people_see_and_the_label_are_scored_apart():
    scores = {f.name: pretrained.read_card(f)["scores"] for f in FOLDERS}
    for name in ("cnn", "cnn_tiny"):
        of_label = scores[f"{name}_fer2013"]
        assert scores[name]["by_votes"]["accuracy"] > of_label["by_votes"]["accuracy"] + 0.1
        assert scores[name]["by_label"]["accuracy"] < of_label["by_label"]["accuracy"]
    assert {part["by_votes"]["n"] for part in scores.values()} == {3211}


def test_the_readme_table_is_generated_from_the_cards_of_all_models():
    assert {folder.name for folder in FOLDERS} == set(MIN_ACCURACY)
    assert write_model_table.main(["--check"]) == 0
