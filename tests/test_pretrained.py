"""A model folder: what is saved is what is loaded, and what cannot be loaded says why."""

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import h5py
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
    card = {"class_names": list("abcdefg"), "recipe": None}
    return pretrained.save_pretrained(tmp_path / "mine", model, card)


@pytest.fixture(scope="module")
def trained(model):
    return pretrained.Pretrained(model, tuple("abcdefg"))


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 256, (70, 48, 48), dtype=np.uint8)


def test_a_saved_model_predicts_as_before_and_loads_with_plain_keras(model, folder, crops):
    loaded = pretrained.load_pretrained(folder)
    assert (loaded.name, loaded.image_shape) == ("mine", (48, 48, 1))
    assert loaded.class_names == tuple("abcdefg")
    found = loaded.predict(crops)
    expected = model.predict(crops[..., None], verbose=0)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    plain = keras.models.load_model(folder / "model.keras")
    np.testing.assert_allclose(plain.predict(crops[..., None], verbose=0), found, atol=1e-5)


@pytest.mark.parametrize("tta", [False, True])
def test_crops_of_any_number_type_and_batch_size_give_the_same(trained, crops, tta):
    expected = trained.predict(crops, tta=tta)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-5)
    for count in (0, 1, 3, 64):
        found = trained.predict(crops[:count], tta=tta)
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)
    alone = [trained.predict(crop[None], tta=tta) for crop in crops[:5]]
    np.testing.assert_allclose(np.concatenate(alone), expected[:5], atol=1e-5)
    for same in (crops.astype(np.float64), crops[..., None]):
        np.testing.assert_allclose(trained.predict(same, tta=tta), expected, atol=1e-6)
    for batch_size in (1, 20, 200):  # as Keras' predict takes them
        found = trained.predict(crops, batch_size, verbose="auto", tta=tta)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_ten_crop_is_the_mean_of_log_probabilities(trained, crops):
    padded = np.pad(crops[:1], ((0, 0), (2, 2), (2, 2)), mode="edge")
    places = [(2, 2), (0, 2), (4, 2), (2, 0), (2, 4)]
    views = np.concatenate([padded[:, y : y + 48, x : x + 48] for y, x in places])
    views = np.concatenate([views, views[:, :, ::-1]])
    geometric = np.exp(np.log(trained.predict(views)).mean(axis=0))
    found = trained.predict(crops[:1], tta=True)[0]
    np.testing.assert_allclose(found, geometric / geometric.sum(), atol=1e-5)


def test_temperature_softens_without_changing_the_prediction(trained, crops):
    sharp = trained.predict(crops)
    soft = dataclasses.replace(trained, temperature=2.0).predict(crops)
    np.testing.assert_array_equal(sharp.argmax(1), soft.argmax(1))
    assert (soft.max(1) < sharp.max(1)).all()
    squared = soft**2
    np.testing.assert_allclose(squared / squared.sum(1, keepdims=True), sharp, atol=1e-5)


def test_wrong_crops_are_refused(trained):
    wrong = [np.zeros(shape) for shape in ((48, 48), (1, 32, 48), (1, 48, 48, 3))]
    for crops in (*wrong, *(np.full((1, 48, 48), value) for value in (np.nan, 300.0, -1.0))):
        with pytest.raises(ValueError, match="Expected `faces`"):
            trained.predict(crops)


def test_saving_halves_the_file_and_leaves_the_model_alone(model, folder, tmp_path):
    before = [weight.copy() for weight in model.get_weights()]
    model.save(tmp_path / "plain.keras")
    small = (folder / "model.keras").stat().st_size
    assert small < 0.65 * (tmp_path / "plain.keras").stat().st_size
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "model.keras"]


@pytest.mark.parametrize(
    ("coarsely", "weights", "rounded"),
    [
        (True, [1 + 2**-8, 1 + 2**-10, -3 - 2**-9, 0, 1.9999], [1 + 2**-8, 1, -3, 0, 2]),
        (True, [1 + 2**-9 + 2**-10, 1], [1 + 2**-8, 1]),
        (True, [1 + 2**-10, 7e4], [1 + 2**-10, 7e4]),
        (False, [1e-9, -3e-9, 0], [1e-9, -3e-9, 0]),
        (False, [1, 1e-9], [1, 0]),
    ],
)
def test_weights_are_rounded_to_so_many_digits_or_left_alone(weights, rounded, coarsely):
    found = model_file.round_to_half(np.float32(weights), coarsely)
    np.testing.assert_array_equal(found, np.float32(rounded))


def test_models_are_found_in_a_folder_of_ones_own(folder, monkeypatch):
    monkeypatch.setenv("FER_LIB_MODELS", str(folder.parent))
    assert paths.find_model("mine") == folder
    with pytest.raises(FileNotFoundError, match="mine"):
        pretrained.load_pretrained("yours")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("model.keras", content) for content in (b"", b"text", b"PK\x05\x06" + b"\0" * 18)),
        *(("card.json", content) for content in (b"", b"[]", b"{}", b'{"class_names": null}')),
    ],
)
def test_a_damaged_or_missing_file_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        pretrained.load_pretrained(folder)
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        pretrained.load_pretrained(folder)


@pytest.mark.parametrize(
    "change",
    [
        *({"temperature": value} for value in (0, -1, None, float("nan"), float("inf"), "1", True)),
        *({"class_names": value} for value in (list("aabcdef"), list(range(7)), ["a"], "abc")),
        *({"recipe": "cnn"}, {"data": 3}, {"start": "cnn"}),
    ],
)
def test_a_card_is_checked_field_by_field(model, folder, change):
    card = json.loads((folder / "card.json").read_text()) | change
    with pytest.raises(ValueError, match=f"`{next(iter(change))}`"):
        pretrained.save_pretrained(folder.with_name("other"), model, card)
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=f"`{next(iter(change))}`.*card.json") as caught:
        pretrained.load_pretrained(folder)
    assert "\n" not in str(caught.value)


def test_a_model_knows_the_images_of_its_training_and_of_the_one_before(trained, crops):
    def card(images, **more):
        return {"data": {"training": {"image_hashes": pretrained.pack_hashes(images)}}, **more}

    tuned = dataclasses.replace(trained, card=card(crops[:5], start=card(crops[10:20])))
    assert np.flatnonzero(tuned.has_seen(crops[..., None])).tolist() == [*range(5), *range(10, 20)]
    tuned.card = {"start": card(crops[10:20])}
    assert tuned.has_seen(crops).sum() == 10
    tuned.card = {"data": None, "start": None}
    assert tuned.has_seen(crops) is None
    tuned.card = {"data": {"training": {"image_hashes": "no hashes"}}}
    with pytest.raises(ValueError, match="image_hashes"):
        tuned.has_seen(crops)


def test_the_card_knows_its_model_file(model, folder):
    model_file.save_model(keras.models.clone_model(model), folder / "model.keras")
    with pytest.raises(ValueError, match="another file"):
        pretrained.load_pretrained(folder)


def test_a_model_folder_is_replaced_only_when_asked_and_whole(model, folder, monkeypatch):
    card = {"class_names": list("ABCDEFG")}
    with pytest.raises(FileExistsError, match="overwrite=True"):
        pretrained.save_pretrained(folder, model, card)

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    rename = Path.rename
    failing = {
        (keras.models, "clone_model"): fail,
        (Path, "rename"): lambda path, to: (fail if path.suffix == ".partial" else rename)(
            path, to
        ),
    }
    for place, function in failing.items():
        with monkeypatch.context() as patch, pytest.raises(OSError):
            patch.setattr(*place, function)
            pretrained.save_pretrained(folder, model, card, overwrite=True)
        assert pretrained.load_pretrained(folder).class_names == tuple("abcdefg")
    pretrained.save_pretrained(folder, model, card, overwrite=True)
    assert pretrained.load_pretrained(folder).class_names == tuple("ABCDEFG")
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_a_model_larger_than_the_budget_is_not_unpacked(folder):
    with pytest.raises(ValueError, match="unpacked, more than max_bytes=1000"):
        pretrained.load_pretrained(folder, max_bytes=1000)


@pytest.mark.parametrize(
    "changes",
    [
        {'"units": 7,': '"units": 100000000,'},
        {'"filters": 32,': '"filters": 90000000,'},
        {'"filters": 32,': '"filters": 30000,', '"filters": 64,': '"filters": 30000,'},
        {'"kernel_size": [3, 3]': '"kernel_size": [30000, 30000]'},
    ],
)
def test_layers_that_are_too_large_are_refused_before_they_are_made(
    model, tmp_path, changes, monkeypatch
):
    file = tmp_path / "model.keras"
    model.save(file)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for old, new in changes.items():
        assert old.encode() in parts["config.json"]
        parts["config.json"] = parts["config.json"].replace(old.encode(), new.encode())
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("it was made"))
    with pytest.raises(ValueError, match="bytes of weights, more than max_bytes=") as caught:
        model_file.read_model(file)
    assert "\n" not in str(caught.value)


def test_gates_and_arrays_that_are_too_large_are_refused_before_they_are_made(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("it was made"))
    parts = [keras.Input((4, 5)), keras.layers.LSTM(6), keras.layers.Dense(7)]
    keras.Sequential(parts).save(tmp_path / "gates.keras")
    with zipfile.ZipFile(tmp_path / "gates.keras") as archive:
        config, weights = map(archive.read, ("config.json", "model.weights.h5"))
    units = config.replace(b'"units": 6,', b'"units": 20000,')
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        file.create_dataset("layers/dense/vars/0", (20_000, 20_000), "f4", chunks=(100, 100))
    assert len(stored.getvalue()) < 10_000
    for contents in ((units, weights), (config, stored.getvalue())):
        with zipfile.ZipFile(tmp_path / "bomb.keras", "w") as archive:
            for name, content in zip(("config.json", "model.weights.h5"), contents, strict=True):
                archive.writestr(name, content)
        with pytest.raises(ValueError, match="bytes of weights, more than max_bytes="):
            model_file.read_model(tmp_path / "bomb.keras")


@pytest.mark.parametrize("shape", [(48, 48, 3), (40, 56, 1), (32, 48, 3)])
def test_color_and_sides_that_are_not_square(shape):
    trained = pretrained.Pretrained(models.build_cnn("lesson", 2, shape), ("a", "b"))
    assert trained.image_shape == shape
    images = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    assert trained.predict(images).shape == trained.predict(images, tta=True).shape == (3, 2)
    with pytest.raises(ValueError, match=r"Expected `faces` of shape") as caught:
        trained.predict(np.zeros((1, *shape[:2])) if shape[2] == 3 else np.zeros((1, 9, 9)))
    # The message does not offer the shape that was just refused.
    offered = str(caught.value).split("Received")[0]
    assert (f"(n, {shape[0]}, {shape[1]})" in offered) == (shape[2] == 1)


def test_a_wrong_batch_size_class_names_and_image_size_are_refused(trained, crops):
    with pytest.raises(ValueError, match="batch_size"):
        trained.predict(crops, batch_size=0)
    with pytest.raises(ValueError, match="class name"):
        dataclasses.replace(trained, class_names=("a", "b"))
    for shape in ((None, None, 2), (2,)):
        network = keras.Sequential([keras.Input(shape), keras.layers.Softmax()])
        with pytest.raises(ValueError, match="input_shape"):
            pretrained.Pretrained(network, ("a", "b"))


def test_the_current_weights_are_used(crops):
    trained = pretrained.Pretrained(models.build_cnn("lesson"), tuple("abcdefg"))
    before = trained.predict(crops[:4])
    trained.model.set_weights([weights * 2 for weights in trained.model.get_weights()])
    after = trained.predict(crops[:4])
    assert np.abs(before - after).max() > 1e-3
    expected = trained.model.predict(crops[:4, ..., None], verbose=0)
    np.testing.assert_allclose(after, expected, atol=1e-5)


def test_a_custom_layer_is_named_in_one_line(tmp_path):
    class Halve(keras.layers.Layer):
        def call(self, x):
            return x / 2

    pixels = keras.Input((16, 16, 1))
    x = keras.layers.GlobalAveragePooling2D()(Halve()(pixels))
    keras.Model(pixels, keras.layers.Dense(2)(x)).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="custom layers.*Halve") as caught:
        model_file.read_model(tmp_path / "model.keras")
    assert "\n" not in str(caught.value)
