"""Stored results are read without Keras and without a data set, and agree with the card."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from fer_lib import paths, results


def test_predictions_are_those_of_the_card() -> None:
    probabilities, labels = results.load_predictions("cnn_fer2013")
    card = json.loads((paths.find_model("cnn_fer2013") / "card.json").read_text(encoding="utf-8"))
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    assert accuracy == pytest.approx(card["scores"]["validation"]["accuracy"])


def test_history_has_one_row_an_epoch_and_the_audit_its_figures_and_findings() -> None:
    history = results.load_history("cnn")
    assert history["epoch"].tolist() == list(range(1, len(history) + 1))
    assert {"loss", "val_loss", "accuracy", "val_accuracy"} <= set(history)
    audit = results.load_audit("fer2013")
    assert audit["counts"]["Training"]["happy"] == 7215
    assert "exact_leak" in [finding["name"] for finding in audit["findings"]]


def test_experiments_compare_each_change_with_the_reference() -> None:
    experiments = results.load_experiments()
    reference = experiments["reference"]["accuracy"]
    assert {row["group"] for row in experiments["changes"].values()} == {"augmentation", "recipe"}
    for row in experiments["changes"].values():
        low, high = row["difference_ci95"]
        assert low <= row["difference"] <= high
        assert row["accuracy"] - reference == pytest.approx(row["difference"], abs=2e-4)


def test_transfer_has_every_way_to_begin_at_every_number_of_images() -> None:
    transfer = results.load_experiments("transfer")
    cases = {(row["mode"], row["images"]) for row in transfer["rows"]}
    assert len(cases) == len(transfer["rows"]) == 9
    for row in transfer["rows"]:
        assert row["accuracy"] == pytest.approx(sum(row["by_draw"]) / len(row["by_draw"]), abs=1e-4)
    resnet50 = transfer["resnet50"]
    assert resnet50["difference"] == pytest.approx(
        resnet50["fine-tuned"] - resnet50["scratch"], abs=2e-4
    )


def test_what_is_not_there_is_named(tmp_path, monkeypatch) -> None:
    with pytest.raises(FileNotFoundError, match="Expected fer2014.json in "):
        results.load_audit("fer2014")
    with pytest.raises(FileNotFoundError, match="Expected the name of a model"):
        results.load_predictions("no_model")
    (tmp_path / "card.json").write_text("{}", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=f"history.csv in {re.escape(str(tmp_path))}"):
        results.load_history(tmp_path)
    monkeypatch.setattr(paths, "models_dirs", lambda: [tmp_path])
    with pytest.raises(FileNotFoundError, match="recipe_experiments.json in "):
        results.load_experiments()


def test_damaged_predictions_name_their_file(tmp_path) -> None:
    (tmp_path / "card.json").write_text("{}", encoding="utf-8")
    file = tmp_path / results.PREDICTIONS_FILE
    file.write_bytes(b"PK\x03\x04 not a whole archive")
    with pytest.raises(ValueError, match=f"{file.name}.*damaged"):
        results.load_predictions(tmp_path)
    np.savez(file, labels=np.zeros(3, int))
    with pytest.raises(ValueError, match=f"{file.name}.*probabilities"):
        results.load_predictions(tmp_path)


def test_no_network_is_loaded() -> None:
    code = (
        "import sys; from fer_lib.results import *; load_predictions(); load_history(); "
        "load_audit(); load_experiments(); assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
