"""A model folder: what is saved is what is loaded, and what cannot be loaded says why."""

import json

import keras
import numpy as np
import pytest

from fer_lib import models, paths, pretrained
from fer_lib.pretrained import model_file

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return models.build_cnn("lesson")


@pytest.fixture
def folder(model, tmp_path):
    card = {"class_names": ["a", "b", "c", "d", "e", "f", "g"]}
    return pretrained.save_pretrained(tmp_path / "mine", model, card)


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 256, (70, 48, 48), dtype=np.uint8)


def test_a_saved_model_predicts_as_before(model, folder, crops):
    loaded = pretrained.load_pretrained(folder)
    assert loaded.class_names == ("a", "b", "c", "d", "e", "f", "g")
    assert loaded.name == "mine"
    assert loaded.image_shape == (48, 48, 1)
    expected = model.predict(crops[..., None], verbose=0)
    np.testing.assert_allclose(loaded.predict(crops), expected, atol=2e-3)


def test_the_file_loads_with_plain_keras(folder, crops):
    plain = keras.models.load_model(folder / "model.keras")
    np.testing.assert_allclose(
        plain.predict(crops[..., None], verbose=0),
        pretrained.load_pretrained(folder).predict(crops),
        atol=1e-5,
    )


@pytest.mark.parametrize("tta", [False, True])
def test_a_batch_equals_its_items_one_by_one(folder, crops, tta):
    loaded = pretrained.load_pretrained(folder)
    together = loaded.predict(crops[:5], tta=tta)
    alone = np.concatenate([loaded.predict(crop[None], tta=tta) for crop in crops[:5]])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert together.shape == (5, 7)


@pytest.mark.parametrize("count", [0, 1, 3, 64, 70])
def test_any_number_of_crops(folder, crops, count):
    probabilities = pretrained.load_pretrained(folder).predict(crops[:count])
    assert probabilities.shape == (count, 7)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_uint8_and_float_and_a_channel_axis_give_the_same(folder, crops):
    loaded = pretrained.load_pretrained(folder)
    expected = loaded.predict(crops[:4])
    np.testing.assert_allclose(loaded.predict(crops[:4].astype(np.float64)), expected, atol=1e-6)
    np.testing.assert_allclose(loaded.predict(crops[:4, ..., None]), expected, atol=1e-6)


def test_ten_crop_is_the_mean_of_log_probabilities(folder, crops):
    loaded = pretrained.load_pretrained(folder)
    crop = crops[:1]
    padded = np.pad(crop, ((0, 0), (2, 2), (2, 2)), mode="edge")
    places = [(2, 2), (0, 2), (4, 2), (2, 0), (2, 4)]
    views = [padded[:, y : y + 48, x : x + 48] for y, x in places]
    views += [view[:, :, ::-1] for view in views]
    geometric = np.exp(np.mean([np.log(loaded.predict(view)) for view in views], axis=0))
    np.testing.assert_allclose(
        loaded.predict(crop, tta=True), geometric / geometric.sum(), atol=1e-5
    )


def test_temperature_softens_without_changing_the_answer(model, crops):
    names = tuple("abcdefg")
    sharp = pretrained.Pretrained(model, names).predict(crops)
    soft = pretrained.Pretrained(model, names, temperature=2.0).predict(crops)
    np.testing.assert_array_equal(sharp.argmax(1), soft.argmax(1))
    assert (soft.max(1) < sharp.max(1)).all()
    squared = soft**2
    np.testing.assert_allclose(squared / squared.sum(1, keepdims=True), sharp, atol=1e-5)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((48, 48)),
        np.zeros((1, 32, 48)),
        np.zeros((1, 48, 48, 3)),
        np.full((1, 48, 48), np.nan),
        np.full((1, 48, 48), 300.0),
        np.full((1, 48, 48), -1.0),
    ],
)
def test_wrong_crops_are_refused(model, crops):
    with pytest.raises(ValueError, match="Expected `faces`"):
        pretrained.Pretrained(model, tuple("abcdefg")).predict(crops)


def test_it_takes_what_keras_predict_takes(model, crops):
    trained = pretrained.Pretrained(model, tuple("abcdefg"))
    expected = trained.predict(crops)
    for batch_size in (1, 20, 200):
        probabilities = trained.predict(crops, batch_size, verbose="auto")
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    with pytest.raises(ValueError, match="batch_size"):
        trained.predict(crops, batch_size=0)


def test_class_names_must_fit_the_outputs(model):
    with pytest.raises(ValueError, match="class name"):
        pretrained.Pretrained(model, ("a", "b"))


def test_saving_halves_the_file_and_leaves_the_model_alone(model, folder, tmp_path):
    before = [weight.copy() for weight in model.get_weights()]
    model.save(tmp_path / "plain.keras")
    small = (folder / "model.keras").stat().st_size
    assert small < 0.65 * (tmp_path / "plain.keras").stat().st_size
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "model.keras"]


def test_weights_of_large_models_keep_eight_digits_after_the_point():
    weights = np.float32([1 + 2**-8, 1 + 2**-9 + 2**-10, 1 + 2**-10, -3 - 2**-9, 0.0, 1.9999, 7e4])
    rounded = model_file.round_to_half(weights[:-1], coarsely=True)
    np.testing.assert_array_equal(rounded, np.float32([1 + 2**-8, 1 + 2**-8, 1.0, -3.0, 0.0, 2.0]))
    np.testing.assert_array_equal(model_file.round_to_half(weights, coarsely=True), weights)


def test_an_unknown_model_lists_the_known_ones(folder, monkeypatch):
    monkeypatch.setenv("FER_LIB_MODELS", str(folder.parent))
    assert pretrained.load_pretrained("mine").name == "mine"
    with pytest.raises(FileNotFoundError, match="mine"):
        pretrained.load_pretrained("yours")


def test_a_folder_of_ones_own_comes_first(folder, monkeypatch):
    monkeypatch.setenv("FER_LIB_MODELS", str(folder.parent))
    assert paths.find_model("mine") == folder


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x05\x06" + b"\0" * 18])
def test_a_damaged_model_file_is_named(folder, content):
    (folder / "model.keras").write_bytes(content)
    with pytest.raises(ValueError, match="model.keras"):
        pretrained.load_pretrained(folder)


def test_a_missing_model_file_is_named(folder):
    (folder / "model.keras").unlink()
    with pytest.raises(FileNotFoundError, match="model.keras"):
        pretrained.load_pretrained(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"class_names": "abc"})])
def test_a_damaged_card_is_named(folder, text):
    (folder / "card.json").write_text(text)
    with pytest.raises(ValueError, match="card.json"):
        pretrained.load_pretrained(folder)


def test_a_card_needs_class_names(model, tmp_path):
    with pytest.raises(ValueError, match="class_names"):
        pretrained.save_pretrained(tmp_path, model, {})
