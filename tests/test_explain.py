"""Explanations: exact where a formula is known, and tested where the cause is known."""

import keras
import numpy as np
import pytest
from keras import layers

from fer_lib import explain
from fer_lib.explain.map_checks import face_regions
from fer_lib.labels import EMOTIONS
from fer_lib.models import build_cnn
from fer_lib.pretrained import Pretrained, load_pretrained
from fer_lib.synthetic import make_faces

MOUTH = face_regions(48)["mouth"]
UNIFORM = explain.region_energy(np.ones((48, 48))).iloc[0]


def sees_only_the_mouth():
    """Predicts by the contrast within the mouth, whatever is elsewhere."""
    pixels = keras.Input((48, 48, 1))
    rows, columns = np.flatnonzero(MOUTH.any(1)), np.flatnonzero(MOUTH.any(0))
    edges = ((rows[0], 47 - rows[-1]), (columns[0], 47 - columns[-1]))
    x = layers.Cropping2D(edges)(layers.Rescaling(1 / 255)(pixels))
    x = layers.ZeroPadding2D(edges)(x)
    x = layers.Activation("linear", name="last_map")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(2, name="logits")(x)
    model = keras.Model(pixels, layers.Softmax()(x))
    model.get_layer("logits").set_weights([np.array([[-40.0, 40.0]]), np.array([2.0, -2.0])])
    return model


@pytest.fixture(scope="module")
def faces():
    return make_faces(1, seed=4)


@pytest.mark.backends
def test_the_map_equals_the_class_activation_map_where_that_is_exact(faces):
    """Behind global pooling and a dense layer Grad-CAM is Zhou et al.'s CAM (arXiv 1512.04150)."""
    model = build_cnn("lesson")
    features = keras.Model(model.input, model.get_layer("last_map").output)
    activations = keras.ops.convert_to_numpy(features(faces.images))
    kernel = keras.ops.convert_to_numpy(model.get_layer("logits").kernel)
    coarse = np.maximum(activations @ kernel[:, 2], 0)  # (7, 6, 6)
    maps = explain.grad_cam(model, faces, classes=2)
    # In the middle of an 8x8 block lies no pixel; the four around it are alike far from others.
    centres = maps[:, 3::8, 3::8] + maps[:, 4::8, 4::8] + maps[:, 3::8, 4::8] + maps[:, 4::8, 3::8]
    for cam, centre in zip(coarse, centres, strict=True):
        assert np.corrcoef(cam.ravel(), centre.ravel())[0, 1] > 0.99
    assert maps.dtype == np.float32 and maps.shape == (7, 48, 48)
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1, atol=1e-6)
    assert maps.min() >= 0


@pytest.mark.backends
def test_a_model_and_its_pretrained_form_give_the_same_maps_for_the_same_class(faces):
    model = build_cnn("tiny")
    pretrained = Pretrained(model, EMOTIONS)
    by_index = explain.grad_cam(model, faces.images[..., 0], classes=3)
    np.testing.assert_allclose(by_index, explain.grad_cam(pretrained, faces, "happy"), atol=1e-5)
    predicted = pretrained.predict(faces.images).argmax(axis=1)
    by_default = explain.grad_cam(model, faces)
    np.testing.assert_allclose(by_default, explain.grad_cam(model, faces, predicted), atol=1e-5)
    one = explain.grad_cam(model, faces[2:3], predicted[2:3])
    np.testing.assert_allclose(one[0], by_default[2], atol=1e-4)
    assert explain.grad_cam(model, faces.images[:0]).shape == (0, 48, 48)


@pytest.mark.backends
def test_a_dense_layer_with_its_softmax_inside_and_another_layer(faces):
    named = build_cnn("tiny")
    x = layers.GlobalAveragePooling2D()(named.get_layer("last_map").output)
    dense = layers.Dense(7, activation="softmax")
    model = keras.Model(named.input, dense(x))
    dense.set_weights(named.get_layer("logits").get_weights())
    by_layer = []
    for layer in ("last_map", "pool3"):
        by_layer.append(explain.grad_cam(named, faces, classes=1, layer=layer))
        found = explain.grad_cam(model, faces, classes=1, layer=layer)
        np.testing.assert_allclose(found, by_layer[-1], atol=1e-5)
    assert np.abs(by_layer[0] - by_layer[1]).max() > 0.1


@pytest.mark.backends
@pytest.mark.parametrize("method", [explain.grad_cam, explain.occlusion_map])
def test_the_map_points_at_the_mouth_where_the_model_sees_nothing_else(method, faces):
    # Covering the mouth may speak for the class as well as against it: both are the mouth's doing.
    energy = explain.region_energy(np.abs(method(sees_only_the_mouth(), faces, classes=1)))
    # A square that covers the mouth in part covers what lies around it, too.
    assert (energy["mouth"] > (0.95 if method is explain.grad_cam else 0.4)).all()
    assert (energy[["brows", "eyes"]] < 0.01).all(axis=None)


def test_an_edge_detector_is_found_out_and_a_map_without_contrast_is_related_to_nothing(faces):
    def edges(_, images):
        return np.hypot(*np.gradient(images[..., 0].astype(float), axis=(1, 2)))

    for method, relation in ((edges, 1), (lambda _, images: np.ones((len(images), 4, 4)), 0)):
        found = explain.sanity_check(build_cnn("lesson"), faces.images, method=method)
        np.testing.assert_allclose(found, np.full(7, relation))
    of_cam = explain.sanity_check(load_pretrained("cnn"), faces)
    assert of_cam.shape == (7,) and np.abs(of_cam.mean()) < 0.4


@pytest.mark.backends
def test_occlusion_is_the_drop_of_the_probability_by_hand():
    model, images = sees_only_the_mouth(), np.full((1, 48, 48, 1), 255.0, np.float32)
    images[0, :24] = 85
    quarter = images.copy()
    quarter[0, 24:, :24] = images.mean()
    before, after = (model.predict(each, verbose=0)[0, 1] for each in (images, quarter))
    found = explain.occlusion_map(model, images, 1, patch=24, stride=24)
    np.testing.assert_allclose(found[0, 24:, :24], before - after, atol=1e-5)
    np.testing.assert_allclose(found[0, :24], 0, atol=1e-5)
    assert before - after > 0.01


def test_occlusion_covers_every_pixel_and_batches_as_one_by_one(faces):
    model = Pretrained(build_cnn("lesson"), EMOTIONS)
    together = explain.occlusion_map(model, faces[:3], patch=10, stride=7)
    alone = [explain.occlusion_map(model, faces[i : i + 1], patch=10, stride=7) for i in range(3)]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-5)
    assert (np.ptp(together, axis=(1, 2)) > 0).all()
    assert explain.occlusion_map(model, faces.images[:0]).shape == (0, 48, 48)


@pytest.mark.parametrize("size", [24, 48, 100])
def test_regions_are_parts_of_the_face_that_leave_nothing_out(size):
    regions = face_regions(size)
    assert list(regions) == ["brows", "eyes", "nose", "mouth", "rest"]
    assert (np.sum(list(regions.values()), axis=0) == 1).all()
    places = make_faces(3, seed=5, image_size=size).metadata
    parts = dict.fromkeys(("left_eye", "right_eye"), "eyes") | {"nose": "nose"}
    for point, region in (parts | dict.fromkeys(("mouth_left", "mouth_right"), "mouth")).items():
        x, y = (places[f"{point}_{axis}"].round().astype(int) for axis in "xy")
        assert regions[region][y, x].mean() > 0.7, point
    rows = [np.flatnonzero(mask.any(axis=1)).mean() for mask in list(regions.values())[:4]]
    assert rows == sorted(rows)


def test_energy_is_counted_by_hand_and_sums_to_one():
    maps = np.zeros((3, 48, 48))
    maps[0][MOUTH] = 2.0
    maps[1][MOUTH], maps[1][face_regions(48)["brows"]] = 1.0, -5.0
    energy = explain.region_energy(maps)
    assert energy["mouth"].tolist() == [1, 1, 0]
    assert energy.sum(axis=1).tolist() == [1, 1, 0]
    assert UNIFORM["mouth"] == pytest.approx(MOUTH.mean())


def no_cut():
    """A model in which the logits can do without the map."""
    pixels = keras.Input((48, 48, 1))
    x = layers.Conv2D(2, 3, name="last_map")(pixels)
    both = [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(pixels)]
    return keras.Model(pixels, layers.Dense(7, name="logits")(layers.Concatenate()(both)))


def unnamed():
    """A model without a layer `"logits"` or a dense one."""
    return keras.Sequential([keras.Input((48, 48, 1)), layers.Conv2D(7, 3, name="mine")])


@pytest.mark.parametrize(
    ("make_model", "arguments", "message"),
    [
        (lambda: "cnn", {}, "what `load_pretrained` returns.*Received: 'cnn'"),
        (build_cnn, {"images": np.zeros((2, 40, 48))}, r"expected shape=\(None, 48, 48, 1\)"),
        (build_cnn, {"images": np.full((1, 48, 48), np.nan)}, "finite: False"),
        (build_cnn, {"layer": "no_such"}, "stage3_residual_add, last_map. Received: 'no_such'"),
        (build_cnn, {"layer": "embedding"}, "gives a map"),
        (build_cnn, {"classes": 7}, "from 0 to 6"),
        (build_cnn, {"classes": [1, 2, 3]}, "2 of them"),
        (build_cnn, {"classes": "happy"}, "names no classes"),
        (
            lambda: Pretrained(build_cnn("lesson"), EMOTIONS),
            {"classes": "joy"},
            "'surprise', 'neutral'.*Received: 'joy'",
        ),
        (no_cut, {}, "everything passes through"),
        (unnamed, {}, "such as mine. Received: 'last_map'"),
        (unnamed, {"layer": "mine"}, "layer 'logits'"),
        (lambda: keras.Sequential([layers.Dense(2)]), {}, "knows its input"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_the_remedy(make_model, arguments, message):
    arguments = {"images": np.zeros((2, 48, 48)), **arguments}
    with pytest.raises((ValueError, TypeError), match=message):
        explain.grad_cam(make_model(), **arguments)


def test_a_square_that_leaves_pixels_out_and_maps_of_another_shape_are_refused(faces):
    for arguments in ({"patch": 49}, {"patch": 4, "stride": 5}):
        with pytest.raises(ValueError, match="every pixel is covered"):
            explain.occlusion_map(build_cnn("lesson"), faces, **arguments)
    with pytest.raises(ValueError, match=r"finite maps of shape \(n, size, size\)"):
        explain.region_energy(np.zeros((2, 48, 40)))


def test_another_backend_is_named_with_what_works_there(faces, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(RuntimeError, match="occlusion_map.*Received: torch"):
        explain.grad_cam(build_cnn("lesson"), faces)
