"""Classes and splits of a user's own on the command line: what is scored, trained on and said."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from fer_lib import models, pretrained
from fer_lib.datasets import load_folder

CLASSES = ("bored", "engaged")


def write_faces(folder: Path, count: int = 4, first: int = 0) -> Path:
    """Writes distinct noise of 48x48 pixels as images of faces, and returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        pixels = np.random.default_rng([number, *folder.name.encode()]).integers(0, 256, (48, 48))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def save_model(folder: Path, classes: tuple[str, ...] = CLASSES, trained_on: Path | None = None):
    """Writes an untrained network of these classes; its card knows the images of a folder."""
    keras.utils.set_random_seed(0)
    card: dict = {"class_names": list(classes), "recipe": {"variant": "lesson"}}
    if trained_on is not None:
        images = load_folder(trained_on, class_names=classes).images
        card["data"] = {"training": {"image_hashes": pretrained.pack_hashes(images)}}
    network = models.build_cnn("lesson", len(classes))
    return pretrained.save_pretrained(folder, network, card)


@pytest.fixture
def score(run_cli):
    """A function that runs `evaluate --json` on crops, and returns the scores and stderr."""

    def score_one(model, data, *words):
        words = ("--model", model, "--data", data, "--detector", "none", "--json", *words)
        status, out, error = run_cli("evaluate", *words)
        assert status == 0, error
        return json.loads(out), error

    return score_one


@pytest.fixture
def own(tmp_path):
    """Own classes in `train` and `val`: 4 and 3 images each, 2 of `val` are copies from `train`."""
    for name in CLASSES:
        write_faces(tmp_path / "own" / "train" / name)
        write_faces(tmp_path / "own" / "val" / name, 3, first=2)
    return tmp_path / "own"


def summary(scores):
    return scores["split"], scores["n"], scores["num_duplicates"]


def test_without_a_test_split_validation_is_scored_with_and_without_seen_images(
    run_cli, score, own, tmp_path
):
    model = save_model(tmp_path / "model", trained_on=own / "train")
    status, out, _ = run_cli("evaluate", "--model", model, "--data", own, "--detector", "none")
    assert status == 0
    assert out.startswith("model on own, val\n")
    assert "without them the accuracy is" in out
    scores, _ = score(model, own)
    assert (*summary(scores), scores["clean"]["n"]) == ("val", 6, 4, 2)
    assert scores["class_names"] == list(CLASSES)
    # The card knows what the model was trained on, where the data have no training split, too.
    assert summary(score(model, own / "val")[0]) == ("all images", 6, 4)
    scores, _ = score(model, own, "--split", "train")
    assert (*summary(scores), scores["clean"]) == ("train", 8, 8, None)


def test_a_test_split_comes_before_validation(run_cli, score, own, tmp_path):
    for name in CLASSES:
        write_faces(own / "Test" / name, 5, first=9)
    model = save_model(tmp_path / "model")
    assert summary(score(model, own)[0]) == ("Test", 10, 0)
    words = ["evaluate", "--model", model, "--data", own, "--detector", "none"]
    status, out, error = run_cli(*words, "--split", "PublicTest")
    assert (status, out, error.count("\n")) == (1, "", 1)
    assert "--split" in error and "'train'" in error


def test_classes_are_given_by_folder_to_evaluate_train_and_check(run_cli, score, tmp_path):
    data = tmp_path / "data"
    for name in ("0_langweilig", "engaged"):
        write_faces(data / name, 10)
    (data / "notes.docx").write_text("")
    classes = ["--classes", "bored=0_langweilig,engaged"]
    status, _, error = run_cli("evaluate", "--model", "cnn_tiny", "--data", data)
    assert status == 1
    assert "langweilig" in error and "--classes" in error and "`" not in error
    model = save_model(tmp_path / "model")
    scores, _ = score(model, data, *classes)
    support = {name: row["support"] for name, row in scores["per_class"].items()}
    assert support == {"bored": 10, "engaged": 10}
    classes += ["--detector", "none"]
    with pytest.warns(UserWarning, match="passed over by their suffix: .docx 1"):
        status, out, _ = run_cli("datasets", "check", data, *classes)
    assert status == 0
    assert "20 images" in out
    words = ["--data", data, *classes, "--epochs", 1, "--output", tmp_path / "tuned"]
    status, _, error = run_cli("train", "--from", model, *words)
    assert status == 0, error
    assert pretrained.load_pretrained(tmp_path / "tuned").class_names == CLASSES


def test_training_tries_the_classes_of_the_model_and_names_those_without_images(run_cli, tmp_path):
    for name in CLASSES:
        write_faces(tmp_path / "data" / "train" / name, 6)
        write_faces(tmp_path / "data" / "val" / name, 3, first=6)
    classes = (*CLASSES, "confused")
    model = save_model(tmp_path / "model", classes)
    words = ["train", "--from", model, "--data", tmp_path / "data", "--epochs", 1]
    status, out, error = run_cli(*words, "--detector", "none", "--output", tmp_path / "tuned")
    assert status == 0, error
    assert "no training image of confused" in error
    assert "Training on 12 images, selecting on 6: val" in out
    assert pretrained.load_pretrained(tmp_path / "tuned").class_names == classes


@pytest.mark.parametrize("shape", [(64, 64, 1), (48, 64, 1), (40, 40, 3)])
def test_images_are_read_in_the_shape_of_the_model(score, own, tmp_path, shape):
    network = models.build_cnn("lesson", 2, shape)
    card = {"class_names": CLASSES, "recipe": {"variant": "lesson"}}
    model = pretrained.save_pretrained(tmp_path / "model", network, card)
    scores, _ = score(model, own, "--compare", save_model(tmp_path / "other"))
    assert summary(scores) == ("val", 6, 4)


def test_models_of_fewer_classes_are_scored_on_those_and_the_others_are_named(
    run_cli, score, tmp_path
):
    data = tmp_path / "data"
    for name in ("happy", "sad", "angry"):
        write_faces(data / name, 3)
    two = save_model(tmp_path / "two", ("sad", "happy"))
    scores, error = score(two, data)
    assert (scores["n"], scores["class_names"]) == (6, ["sad", "happy"])
    assert scores["left_out"] == {"angry": 3}
    assert "angry (3)" in error and error.count("\n") == 1
    scores, error = score("cnn_tiny", data, "--compare", two)
    assert scores["n"] == 6
    assert "compared on the shared classes: happy, sad" in error
    own = save_model(tmp_path / "own")
    status, out, error = run_cli("evaluate", "--model", own, "--data", data, "--detector", "none")
    assert (status, out) == (1, "")
    assert "bored, engaged" in error and error.count("\n") == 1


def test_the_name_of_a_set_chooses_its_loader(run_cli, tmp_path):
    write_faces(tmp_path / "data", 2)
    for number, name in enumerate(("KA.AN1.39.png", "KA.HA1.29.png")):
        (tmp_path / "data" / f"{number}.png").rename(tmp_path / "data" / name)
    words = [tmp_path / "data", "--set", "jaffe", "--detector", "none"]
    status, out, _ = run_cli("evaluate", "--model", "cnn_tiny", "--data", *words)
    assert status == 0
    assert out.startswith("cnn_tiny on jaffe, all images\n")
    status, _, error = run_cli("datasets", "check", *words, "--classes", "a,b")
    assert status == 1
    assert "--classes" in error and error.count("\n") == 1


def test_a_serious_finding_and_a_missing_copy_are_exit_status_1(run_cli, own):
    status, out, error = run_cli("datasets", "check", own, "--classes", ",".join(CLASSES))
    assert (status, error) == (1, "")
    assert "ERROR exact_leak" in out
    status, out, error = run_cli("datasets", "check", own / "nothing")
    assert (status, out) == (1, "")
    assert error.startswith("fer_lib datasets: Expected a data set") and error.count("\n") == 1
