"""Exported files give Keras' probabilities in their own runtimes, and refusals say what to do."""

import keras
import numpy as np
import pytest

from fer_lib import export, models, paths, pretrained
from fer_lib.synthetic import make_faces

RUNTIME = {"onnx": ("tf2onnx", "onnxruntime"), "litert": ("ai_edge_litert",)}
SHIPPED = sorted(paths.list_models())


@pytest.fixture(scope="module")
def untrained():
    return pretrained.Pretrained(models.build_cnn("lesson"), tuple("abcdefg"), temperature=1.7)


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


@pytest.mark.parametrize(
    ("format", "name", "message"),
    [
        ("tflite", "m.tflite", "`format`"),
        ("onnx", "m.tflite", r"\.onnx"),
        ("litert", "m", "tflite"),
    ],
)
def test_wrong_formats_and_endings_are_refused(format, name, message, untrained, tmp_path):
    with pytest.raises(ValueError, match=message):
        export.export_model(untrained, tmp_path / name, format)


def test_a_missing_library_names_the_extra(untrained, tmp_path, monkeypatch):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "fer-lib\[onnx\]"'):
        export.export_model(untrained, tmp_path / "m.onnx")


def test_another_backend_is_refused(untrained, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow"):
        export.export_model(untrained, tmp_path / "m.onnx")


def test_another_file_is_not_opened(tmp_path):
    with pytest.raises(ValueError, match="onnx or .tflite"):
        export.open_exported(tmp_path / "model.keras")


def test_the_temperature_is_inside(untrained, faces):
    inside = export._with_temperature(untrained)(faces[:8].astype(np.float32))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(inside), untrained.predict(faces[:8]), atol=1e-6
    )
