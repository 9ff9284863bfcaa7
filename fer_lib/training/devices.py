"""Training on several devices, each of which takes a part of every batch.

This is for the devices of one machine. Several machines take the JAX backend and a program of your
own, with `keras.distribution.initialize` in each process and a part of the data for each (see
https://keras.io/guides/distribution); that is not tested here. TensorFlow's
`MultiWorkerMirroredStrategy` does not work with Keras 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def distribute(num_devices: int, batch_size: int) -> Iterator[None]:
    """Lets the networks that are built and fitted in a block share the first devices.

    On JAX `keras.distribution.DataParallel` computes what one device would. On TensorFlow
    `MirroredStrategy` normalizes each device's part of a batch by itself, so results differ.

    Args:
        num_devices: GPUs, TPU cores or, where there are none, CPUs; 1 changes nothing.
        batch_size: Images a step, of all devices together.

    Raises:
        ValueError: There are fewer devices, or they cannot share such a batch evenly.
    """
    if num_devices == 1:
        yield
        return
    if batch_size % num_devices:
        raise ValueError(
            f"Expected a batch size that {num_devices} devices share evenly. Received: {batch_size}"
        )
    backend = keras.backend.backend()
    devices = _list_devices(backend)
    if len(devices) < num_devices:
        raise ValueError(
            f"Expected at most {len(devices)} for --devices, as many as this machine has. "
            f"Received: {num_devices}"
        )
    if backend == "jax":
        before = keras.distribution.distribution()
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(devices=devices[:num_devices], auto_shard_dataset=False)
        )
        try:
            yield
        finally:
            keras.distribution.set_distribution(before)
    else:
        import tensorflow as tf

        with tf.distribute.MirroredStrategy(devices[:num_devices]).scope():
            yield


def count_devices() -> int:
    """Returns the number of devices that share a batch here, 1 outside of `distribute`."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.distribute.get_strategy().num_replicas_in_sync
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.devices.size


def _list_devices(backend: str) -> list[str]:
    if backend == "jax":
        return keras.distribution.list_devices()
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in found]
