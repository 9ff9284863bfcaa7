"""ResNet50: preprocessing inside, weights from a file, tuning in two phases."""

import keras
import numpy as np
import pytest

from fer_lib import models, training
from fer_lib.synthetic import make_faces
from fer_lib.training import checkpoint, loop


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """A file as Keras publishes the ImageNet weights: the backbone without its top."""
    keras.utils.set_random_seed(3)
    backbone = keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(64, 64, 3), pooling="avg"
    )
    file = tmp_path_factory.mktemp("weights") / "resnet50.weights.h5"
    backbone.save_weights(file)
    return file, backbone


@pytest.fixture(scope="module")
def network(weights_file):
    return models.build_resnet50(weights=weights_file[0], resolution=64)


@pytest.fixture(scope="module")
def faces():
    return make_faces(4).images


def embed(network, images):
    features = keras.Model(network.input, network.get_layer("embedding").output)
    return keras.ops.convert_to_numpy(features(images.astype(np.float32)))


def test_raw_crops_are_scaled_colored_and_shifted_inside(network, weights_file, faces):
    import cv2

    large = [cv2.resize(face.astype(np.float32), (64, 64)) for face in faces]  # bilinear
    colored = np.repeat(np.array(large)[..., None], 3, axis=-1)
    wanted = weights_file[1](keras.applications.resnet.preprocess_input(colored))
    np.testing.assert_allclose(embed(network, faces), wanted, rtol=1e-3, atol=1e-3)
    assert network.output_shape == (None, 7)
    assert network.get_layer("last_map").output.shape == (None, 2, 2, 2048)


def test_with_random_weights_each_block_begins_as_the_identity(network):
    fresh = models.build_resnet50(resolution=32)
    blocks = [name for name in (layer.name for layer in fresh.layers) if name.endswith("_3_bn")]
    assert len(blocks) == 16
    for name in blocks:
        assert not np.any(keras.ops.convert_to_numpy(fresh.get_layer(name).gamma))
        # What a file brings stays as it is.
        assert np.all(keras.ops.convert_to_numpy(network.get_layer(name).gamma) == 1)


def test_a_plain_call_is_inference(network, faces):
    crops = faces[:4].astype(np.float32)
    before = network.get_layer("conv1_bn").get_weights()
    plain, inference = (
        keras.ops.convert_to_numpy(probabilities)
        for probabilities in (network(crops), network(crops, training=False))
    )
    np.testing.assert_allclose(plain, inference, atol=1e-6)
    for one, other in zip(before, network.get_layer("conv1_bn").get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_colors_go_from_red_first_to_blue_first(weights_file, faces):
    network = models.build_resnet50(weights=weights_file[0], input_shape=(64, 64, 3), resolution=64)
    color = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    wanted = weights_file[1](keras.applications.resnet.preprocess_input(color.copy()))
    np.testing.assert_allclose(embed(network, color), wanted, rtol=1e-3, atol=1e-3)


def test_what_may_learn_is_chosen(network):
    models.freeze_backbone(network)
    assert [weight.path for weight in network.trainable_weights] == [
        "logits/kernel", "logits/bias",
    ]  # fmt: skip
    models.unfreeze_top(network, "conv5")
    names = {weight.path.split("/")[0] for weight in network.trainable_weights}
    assert all(name.startswith(("conv5", "logits")) for name in names)
    assert not any(name.endswith("bn") for name in names)
    models.unfreeze_top(network, "conv5", batch_norm=True)
    names = {weight.path.split("/")[0] for weight in network.trainable_weights}
    assert any(name.endswith("bn") for name in names)
    models.unfreeze_top(network, batch_norm=True)
    assert len(network.non_trainable_weights) == 2 * 53  # the statistics of each normalization
    with pytest.raises(ValueError, match="conv9"):
        models.unfreeze_top(network, "conv9")


def test_without_a_network_imagenet_names_the_remedy(offline, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(OSError, match="weights file") as caught:
        models.build_resnet50(weights="imagenet")
    assert "resnet50_synthetic" in str(caught.value)


def test_wrong_arguments_are_refused(tmp_path):
    with pytest.raises(ValueError, match="num_classes"):
        models.build_resnet50(num_classes=1)
    with pytest.raises(ValueError, match="1 or 3 channels"):
        models.build_resnet50(input_shape=(48, 48, 2))
    with pytest.raises(ValueError, match="at least 32"):
        models.build_resnet50(resolution=16)
    with pytest.raises(FileNotFoundError, match="imagenet"):
        models.build_resnet50(weights=tmp_path / "missing.h5")
    (tmp_path / "text.weights.h5").write_text("no weights")
    with pytest.raises(ValueError, match="text.weights.h5"):
        models.build_resnet50(weights=tmp_path / "text.weights.h5")


@pytest.mark.slow
def test_the_two_phase_recipe_runs_from_a_local_weights_file(weights_file, tmp_path):
    config = training.load_recipe("resnet50_imagenet").replace(
        weights=str(weights_file[0]), epochs=2, head_epochs=1, batch_size=14, resolution=64,
        warmup_epochs=0.5, learning_rate=0.01, precision="float32",
    )  # fmt: skip
    sets = make_faces(8, seed=0), make_faces(2, seed=1)
    network, _ = training.fit(config, *sets, tmp_path, progress=False)
    backbone = weights_file[1]
    for name in ("conv1_conv", "conv3_block4_3_conv", "conv5_block3_3_bn"):
        ours, theirs = (of.get_layer(name).get_weights() for of in (network, backbone))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
    # The best epoch may be the first, before conv4 learns: the last state tells. No other kernel
    # has this shape.
    kernel = np.array(backbone.get_layer("conv4_block1_1_conv").kernel)
    values, _ = checkpoint.read(tmp_path / loop.STATE_FILE)
    learned = next(value for value in values if value.shape == kernel.shape)
    assert np.abs(learned - kernel).max() > 1e-3
