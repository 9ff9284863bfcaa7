"""A trained model as one file for other runtimes: ONNX, or LiteRT for phones and small boards."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from fer_lib import files
from fer_lib.datasets.model_input import resize_images
from fer_lib.pretrained import Pretrained
from fer_lib.synthetic import make_faces

# Format -> (ending of the file, modules that are needed besides Keras, extra that brings them).
FORMATS = {
    "onnx": (".onnx", ("tf2onnx", "onnxruntime"), "onnx"),
    "litert": (".tflite", ("ai_edge_litert",), "litert"),
}
MAX_DIFFERENCE = 1e-4
"""So far a probability from an exported file may be from that of Keras."""
MAX_DIFFERENCE_INT8 = 0.25
"""The same where the network calculates with 8 bits."""


def export_model(
    pretrained: Pretrained, path: str | os.PathLike[str], format: str = "onnx", int8: bool = False
) -> Path:
    """Writes a model as an ONNX or LiteRT file, and checks it against Keras.

    The file takes what the model takes, raw pixels `float32 (batch, height, width, channels)` in
    `[0, 255]`, and returns calibrated probabilities: the temperature is inside. An export that
    fails leaves no file, and an older file as it was.

    Args:
        pretrained: A trained model, see `load_pretrained`.
        path: The file to write; its ending is `.onnx` or `.tflite`.
        format: `"onnx"` or `"litert"`.
        int8: LiteRT with weights and activations of 8 bits, calibrated on synthetic faces: a
            quarter of the size. `LayerNormalization` and what follows the logits stay in float32:
            8 bits cannot hold the variances of images with much and with little contrast.

    Returns:
        The path.

    Raises:
        ValueError: An unknown format, an ending that does not fit, 8 bits in ONNX, a backend or
            a model that Keras cannot export, or a file that gives other probabilities than Keras.
        ImportError: What the format needs is not installed; the message names the extra.
        OSError: The file cannot be written.
    """
    if format not in FORMATS:
        raise ValueError(f"Expected `format` to be one of {tuple(FORMATS)}. Received: {format!r}")
    if int8 and format != "litert":
        raise ValueError(f"Expected `format` 'litert' with `int8`. Received: {format!r}")
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
    model(np.zeros((1, *pretrained.image_shape)))  # Keras exports only models that were called
    limit = MAX_DIFFERENCE_INT8 if int8 else MAX_DIFFERENCE
    with files.write_atomically(path) as partial:
        try:
            if int8:
                _export_int8(model, partial)
            else:
                model.export(str(partial), format=format, verbose=False)
            difference = largest_difference(pretrained, partial)
        except OSError:
            raise
        except Exception as error:  # converters raise what they like
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ValueError(
                f"Expected a model that can be exported to {format}. Received: "
                f"{pretrained.name!r}, which cannot: {reason}"
            ) from error
        if not difference <= limit:
            raise ValueError(
                f"Expected the probabilities of Keras from the {format} file, to {limit}. "
                f"Received: a difference of {difference:.2g}"
            )
    return path


def _export_int8(model: keras.Model, path: Path) -> None:
    """Writes a LiteRT file whose layers calculate with 8 bits where that is precise enough."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter
    from tensorflow.lite.python.convert import mlir_quantize

    faces = resize_images(make_faces(43), model.input_shape[1:]).images.astype(np.float32)
    model.export(
        str(path),
        format="litert",
        verbose=False,
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=lambda: ([face[None]] for face in faces),
        _experimental_calibrate_only=True,  # as TensorFlow's QuantizationDebugger does
    )
    in_float = (keras.layers.LayerNormalization, keras.layers.Softmax)
    names = [re.escape(layer.name) for layer in model.layers if not isinstance(layer, in_float)]
    # A tensor's name holds those of its layers, as in "functional_1/stem_conv_1/convolution".
    in_8_bits = re.compile(rf"/({'|'.join(names)})(_\d+)?/")
    tensors = Interpreter(str(path)).get_tensor_details()
    kept = [tensor["name"] for tensor in tensors if not in_8_bits.search(tensor["name"])]
    path.write_bytes(mlir_quantize(path.read_bytes(), denylisted_nodes=kept))


def largest_difference(pretrained: Pretrained, path: str | os.PathLike[str]) -> float:
    """Returns how far a probability from an exported file is from that of Keras, at most.

    The images are noise, and synthetic faces with their own contrast and with a fifth of it.
    """
    shape = pretrained.image_shape
    noise = np.random.default_rng(0).integers(0, 256, (8, *shape))
    faces = resize_images(make_faces(10, seed=1), shape).images
    images = np.concatenate([noise, faces, 100 + faces // 5]).astype(np.float32)
    return float(np.abs(open_exported(path)(images) - pretrained.predict(images)).max())


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
