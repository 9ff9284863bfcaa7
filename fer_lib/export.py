"""A trained model as one file for other runtimes: ONNX, or LiteRT for phones and small boards."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from fer_lib.pretrained import Pretrained

# Format -> (ending of the file, module that is needed besides Keras, extra that brings it).
FORMATS = {
    "onnx": (".onnx", "tf2onnx", "onnx"),
    "litert": (".tflite", "ai_edge_litert", "litert"),
}


def export_model(
    pretrained: Pretrained, path: str | os.PathLike[str], format: str = "onnx"
) -> Path:
    """Writes a model as an ONNX or LiteRT file.

    The file takes what the model takes, raw pixels `float32 (batch, height, width, channels)` in
    `[0, 255]`, and returns calibrated probabilities: the temperature is inside.

    Args:
        pretrained: A trained model, see `load_pretrained`.
        path: The file to write; its ending is `.onnx` or `.tflite`.
        format: `"onnx"` or `"litert"`.

    Returns:
        The path.

    Raises:
        ValueError: An unknown format, an ending that does not fit, or a backend that Keras cannot
            export from.
        ImportError: What the format needs is not installed; the message names the extra.
    """
    if format not in FORMATS:
        raise ValueError(f"Expected `format` to be one of {tuple(FORMATS)}. Received: {format!r}")
    ending, module, extra = FORMATS[format]
    path = Path(path)
    if path.suffix != ending:
        raise ValueError(f"Expected a file that ends with {ending} for {format}. Received: {path}")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Expected the TensorFlow backend, from which Keras exports. Received: "
            f"{keras.backend.backend()}; set KERAS_BACKEND=tensorflow"
        )
    if importlib.util.find_spec(module) is None:
        raise ImportError(
            f"Expected {module}, which {format} needs. Received: it is not installed; "
            f'pip install "fer-lib[{extra}]"'
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    model = _with_temperature(pretrained)
    # Keras exports only models that have been called.
    model(np.zeros((1, *model.input_shape[1:]), np.float32))
    model.export(str(path), format=format, verbose=False)
    return path


def _with_temperature(pretrained: Pretrained) -> keras.Model:
    model = pretrained.model
    if pretrained.temperature == 1.0:
        return model
    logits = model.get_layer("logits").output
    softened = keras.layers.Rescaling(1 / pretrained.temperature, name="temperature")(logits)
    probabilities = keras.layers.Softmax(name="calibrated_probabilities")(softened)
    return keras.Model(model.input, probabilities, name=model.name)


def open_exported(path: str | os.PathLike[str]) -> Callable[[np.ndarray], np.ndarray]:
    """Opens an exported file with its own runtime, to try it or to compare it with Keras.

    Args:
        path: What `export_model` wrote.

    Returns:
        A function from raw pixels `(n, height, width, channels)` to probabilities
        `float32 (n, num_classes)`.

    Raises:
        ValueError: The file's ending is not one of ours.
        ImportError: The runtime, onnxruntime or ai-edge-litert, is not installed.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda crops: session.run(None, {name: np.asarray(crops, np.float32)})[0]
    if path.suffix == ".tflite":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path))
        index = interpreter.get_input_details()[0]["index"]
        output = interpreter.get_output_details()[0]["index"]

        def predict(crops: np.ndarray) -> np.ndarray:
            crops = np.asarray(crops, np.float32)
            interpreter.resize_tensor_input(index, crops.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(index, crops)
            interpreter.invoke()
            return interpreter.get_tensor(output)

        return predict
    raise ValueError(f"Expected a .onnx or .tflite file. Received: {path}")
