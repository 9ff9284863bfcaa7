"""Training on several devices computes what one device would, and says what it cannot do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_lib.training.devices import distribute

TESTS = Path(__file__).resolve().parent
# 20 steps of a batch of 16, scored on 71 faces, which two devices cannot share evenly.
SCRIPT = """
import json, sys
import keras
devices, output = int(sys.argv[1]), sys.argv[2]
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    [cpu] = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
from test_training import CONFIG, draw_patterns
from fer_lib import training
losses = []
def note(step, logs):
    losses.append(logs["loss"])
sets = draw_patterns(168, 0), draw_patterns(71, 1)
config = CONFIG.replace(epochs=2)
callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=note)]
options = {"devices": devices, "progress": False, "callbacks": callbacks}
trained = training.train(config, *sets, output, **options)
print(json.dumps([list(map(float, losses)), trained.predict(sets[1].images).tolist()]))
"""


def train(backend, devices, output):
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS, TESTS / "tools"))),
    }
    command = [sys.executable, "-c", SCRIPT, str(devices), str(output)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.slow
def test_two_devices_learn_what_one_does_on_jax(tmp_path):
    pytest.importorskip("jax", reason="needs JAX: pip install -e '.[jax]'")
    losses, probabilities = train("jax", 1, tmp_path / "one")
    losses_of_two, probabilities_of_two = train("jax", 2, tmp_path / "two")
    assert len(losses) == 20 and losses[-1] < losses[0]
    assert losses_of_two == pytest.approx(losses, abs=1e-4)
    assert probabilities_of_two[0] == pytest.approx(probabilities[0], abs=1e-3)


@pytest.mark.slow
def test_two_devices_learn_on_tensorflow(tmp_path):
    losses, _ = train("tensorflow", 2, tmp_path / "two")
    assert len(losses) == 20 and losses[-1] < losses[0] - 0.2


def test_more_devices_than_there_are_and_uneven_batches_are_refused():
    with pytest.raises(ValueError, match=r"at most \d+ for --devices"), distribute(64, 128):
        pass
    with pytest.raises(ValueError, match="share evenly"), distribute(3, 128):
        pass
