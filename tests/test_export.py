"""Exported files give Keras' probabilities in their own runtimes, and refusals say what to do."""

from pathlib import Path

import keras
import numpy as np
import pytest

from fer_lib import export, paths, pretrained
from fer_lib.datasets import load_fer2013, load_ferplus
from fer_lib.synthetic import make_faces

RUNTIME = {"onnx": ("tf2onnx", "onnxruntime"), "litert": ("ai_edge_litert",)}
SHIPPED = sorted(paths.list_models())


@pytest.fixture(scope="module")
def untrained():
    """A model as users bring it: color, not square, its own layer names, a temperature."""
    pixels = keras.Input((32, 40, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(pixels))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(pixels, keras.layers.Dense(7, activation="softmax", name="mine")(x))
    return pretrained.Pretrained(model, tuple("abcdefg"), temperature=1.7)


@pytest.fixture(scope="module")
def faces():
    return make_faces(143).images[:1000]


@pytest.mark.slow
@pytest.mark.parametrize("format", export.FORMATS)
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_gives_the_same_on_a_thousand_faces(name, format, faces, tmp_path):
    for module in RUNTIME[format]:
        pytest.importorskip(module)
    trained = pretrained.load_pretrained(name)
    path = tmp_path / f"model{export.FORMATS[format][0]}"
    export.export_model(trained, path, format)
    predict = export.open_exported(path)
    np.testing.assert_allclose(predict(faces), trained.predict(faces), atol=1e-4)
    np.testing.assert_allclose(predict(faces[:1]), trained.predict(faces[:1]), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("format", export.FORMATS)
def test_a_model_of_any_shape_and_layer_names_is_exported(format, untrained, tmp_path):
    for module in RUNTIME[format]:
        pytest.importorskip(module)
    path = export.export_model(untrained, tmp_path / f"m{export.FORMATS[format][0]}", format)
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 40, 3))
    np.testing.assert_allclose(
        export.open_exported(path)(images), untrained.predict(images), atol=1e-4
    )


@pytest.mark.slow
def test_8_bits_keep_the_probabilities_in_any_contrast(
    untrained, faces, run_cli, tmp_path, monkeypatch
):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    trained = pretrained.load_pretrained("cnn_tiny")
    path = tmp_path / "m.tflite"
    words = ["--model", "cnn_tiny", "--format", "litert", "--int8", "--output", path]
    status, out, _ = run_cli("export", *words)
    difference = export.largest_difference(trained, path)
    assert (status, out) == (
        0, f"{path}: 0.3 MB; largest difference from Keras {difference:.2g}\n"
    )  # fmt: skip
    assert path.stat().st_size < 0.3 * 4 * trained.model.count_params()
    predict = export.open_exported(path)
    for images in (faces, 100 + faces // 5, 120 + faces // 10):
        found, expected = predict(images), trained.predict(images)
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95
        assert np.abs(found - expected).mean() < 0.01
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    # Weights and activations of all convolutions are integers.
    tensors = interpreter.Interpreter(str(path)).get_tensor_details()
    kinds = {tensor["dtype"] for tensor in tensors if "_conv_" in tensor["name"]}
    assert kinds == {np.int8, np.int32}  # the biases have 32 bits
    # A file that others bring may be of any shape; one that comes too far from Keras is refused.
    export.export_model(untrained, tmp_path / "own.tflite", "litert", int8=True)
    monkeypatch.setattr(export, "MAX_DIFFERENCE_INT8", 1e-3)
    with pytest.raises(ValueError, match="from the litert file, to 0.001"):
        export.export_model(trained, tmp_path / "far.tflite", "litert", int8=True)
    assert not (tmp_path / "far.tflite").exists()


@pytest.mark.slow
def test_8_bits_cost_less_than_a_point_of_accuracy(fer2013_npz, ferplus_csv, tmp_path):
    pytest.importorskip("ai_edge_litert")
    dataset = load_fer2013(fer2013_npz, splits="PublicTest")
    dataset = load_ferplus(ferplus_csv, dataset, labels="votes")
    trained = pretrained.load_pretrained("cnn_tiny")
    path = export.export_model(trained, tmp_path / "m.tflite", "litert", int8=True)
    predict = export.open_exported(path)
    for images in (dataset.images, 100 + dataset.images // 5):
        right = predict(images).argmax(axis=1) == dataset.labels
        expected = trained.predict(images).argmax(axis=1) == dataset.labels
        assert right.mean() > expected.mean() - 0.01


@pytest.fixture
def converted(monkeypatch, untrained):
    """Formats are as if installed, and the file holds what `converted` returns or raises."""
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: True)
    outcomes = [untrained.predict]

    def convert(model, path, **_):
        Path(path).write_bytes(b"half")
        if isinstance(outcomes[0], Exception):
            raise outcomes[0]

    monkeypatch.setattr(keras.Model, "export", convert)
    monkeypatch.setattr(export, "open_exported", lambda path: outcomes[0])
    return outcomes


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (RuntimeError("no such op\nin this format"), "cannot: no such op in this format"),
        (lambda images: np.full((len(images), 7), 1 / 7), "a difference of"),
        (lambda images: np.full((len(images), 7), np.nan), "a difference of nan"),
    ],
)
def test_a_failing_export_leaves_what_was_there(outcome, message, converted, untrained, tmp_path):
    old = tmp_path / "m.onnx"
    old.write_text("old")
    converted[0] = outcome
    for path in (old, tmp_path / "new.onnx"):
        with pytest.raises(ValueError, match=message):
            export.export_model(untrained, path)
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]
    assert old.read_text() == "old"


def test_what_cannot_be_exported_is_refused(untrained, tmp_path, monkeypatch):
    for format, name, message in (
        ("tflite", "m.tflite", "`format`"),
        ("onnx", "m.tflite", r"\.onnx"),
        ("litert", "m", "tflite"),
    ):
        with pytest.raises(ValueError, match=message):
            export.export_model(untrained, tmp_path / name, format)
    with pytest.raises(ValueError, match="'litert' with `int8`. Received: 'onnx'"):
        export.export_model(untrained, tmp_path / "m.onnx", int8=True)
    with pytest.raises(ValueError, match="onnx or .tflite"):
        export.open_exported(tmp_path / "model.keras")
    extra = r'pip install "fer-lib\[onnx\]"'
    with monkeypatch.context() as patch, pytest.raises(ImportError, match=extra):
        patch.setattr(export.importlib.util, "find_spec", lambda name: None)
        export.export_model(untrained, tmp_path / "m.onnx")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow"):
        export.export_model(untrained, tmp_path / "m.onnx")


def test_the_temperature_is_inside_whatever_the_layers_are_called(
    converted, untrained, tmp_path, monkeypatch
):
    exported = []
    convert = keras.Model.export

    def remember(model, *arguments, **options):
        exported.append(model)
        convert(model, *arguments, **options)

    monkeypatch.setattr(keras.Model, "export", remember)
    assert export.export_model(untrained, tmp_path / "deep" / "m.onnx").read_bytes() == b"half"
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 40, 3)).astype(np.float32)
    expected = untrained.predict(images)
    np.testing.assert_allclose(exported[0].predict(images, verbose=0), expected, atol=1e-6)
    assert np.abs(expected - untrained.model.predict(images, verbose=0)).max() > 1e-4
