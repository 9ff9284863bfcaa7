"""A trained model as one file for other runtimes: ONNX, or LiteRT for phones and small boards."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from fer_lib import files
from fer_lib.pretrained import Pretrained

# Format -> (ending of the file, modules that are needed besides Keras, extra that brings them).
FORMATS = {
    "onnx": (".onnx", ("tf2onnx", "onnxruntime"), "onnx"),
    "litert": (".tflite", ("ai_edge_litert",), "litert"),
}
MAX_DIFFERENCE = 1e-4
"""So far a probability from an exported file may be from that of Keras."""


def export_model(
    pretrained: Pretrained, path: str | os.PathLike[str], format: str = "onnx"
) -> Path:
    """Writes a model as an ONNX or LiteRT file, and checks it against Keras.

    The file takes what the model takes, raw pixels `float32 (batch, height, width, channels)` in
    `[0, 255]`, and returns calibrated probabilities: the temperature is inside. An export that
    fails leaves no file, and an older file as it was.

    Args:
        pretrained: A trained model, see `load_pretrained`.
        path: The file to write; its ending is `.onnx` or `.tflite`.
        format: `"onnx"` or `"litert"`.

    Returns:
        The path.

    Raises:
        ValueError: An unknown format, an ending that does not fit, a backend or a model that
            Keras cannot export, or a file that gives other probabilities than Keras.
        ImportError: What the format needs is not installed; the message names the extra.
        OSError: The file cannot be written.
    """
    if format not in FORMATS:
        raise ValueError(f"Expected `format` to be one of {tuple(FORMATS)}. Received: {format!r}")
    ending, modules, extra = FORMATS[format]
    path = Path(path)
    if path.suffix != ending:
        raise ValueError(f"Expected a file that ends with {ending} for {format}. Received: {path}")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Expected the TensorFlow backend, from which Keras exports. Received: "
            f"{keras.backend.backend()}; set KERAS_BACKEND=tensorflow"
        )
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise ImportError(
            f"Expected {missing[0]}, which {format} needs. Received: it is not installed; "
            f'pip install "fer-lib[{extra}]"'
        )
    model = pretrained.model
    if pretrained.temperature != 1.0:
        powers = model.output ** (1 / pretrained.temperature)
        calibrated = powers / keras.ops.sum(powers, axis=-1, keepdims=True)
        model = keras.Model(model.input, calibrated, name=model.name)
    shape = (8, *pretrained.image_shape)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    expected = pretrained.predict(images)
    model(images[:1])  # Keras exports only models that have been called
    with files.write_atomically(path) as partial:
        try:
            model.export(str(partial), format=format, verbose=False)
            difference = float(np.abs(open_exported(partial)(images) - expected).max())
        except OSError:
            raise
        except Exception as error:  # converters raise what they like
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ValueError(
                f"Expected a model that can be exported to {format}. Received: "
                f"{pretrained.name!r}, which cannot: {reason}"
            ) from error
        if not difference <= MAX_DIFFERENCE:
            raise ValueError(
                f"Expected the probabilities of Keras from the {format} file, to {MAX_DIFFERENCE}. "
                f"Received: a difference of {difference:.2g}"
            )
    return path


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
        return lambda faces: session.run(None, {name: np.asarray(faces, np.float32)})[0]
    if path.suffix == ".tflite":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path))
        index = interpreter.get_input_details()[0]["index"]
        output = interpreter.get_output_details()[0]["index"]

        def predict(faces: np.ndarray) -> np.ndarray:
            faces = np.asarray(faces, np.float32)
            interpreter.resize_tensor_input(index, faces.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(index, faces)
            interpreter.invoke()
            return interpreter.get_tensor(output)

        return predict
    raise ValueError(f"Expected a .onnx or .tflite file. Received: {path}")
