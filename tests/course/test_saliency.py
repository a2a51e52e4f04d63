"""What notebook 02 draws of the network's inside is right: against other ways to compute it, and by asking the network."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from resnet18_lab.base.samples import load_samples
from resnet18_lab.course.classification import saliency
from resnet18_lab.model.network import load_model
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.preprocessing.transform import normalise, preprocess

STAGES = {"layer1": (64, 56, 56), "layer2": (128, 28, 28), "layer3": (256, 14, 14), "layer4": (512, 7, 7)}
EVIDENT = ("camera.jpg", "coffee.jpg", "coffee_portrait.jpg")
"""Pictures that all trained weights answer right, and whose one object leaves a background."""


@pytest.fixture(scope="module")
def batch():
    return normalise(np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8))


@pytest.fixture(scope="module", params=EVIDENT)
def evident(request, trained):
    """A picture's batch and the class that is right for it."""
    sample = next(sample for sample in load_samples() if sample.path.name == request.param)
    inputs = preprocess(decode(sample.path))
    with torch.inference_mode():
        best = int(trained(torch.from_numpy(inputs)).argmax())
    assert sample.verdict(best) == "right"
    return inputs, best


def with_head(network, weight):
    """The network with other weights in its last layer, the same for all classes, and no bias."""
    changed = copy.deepcopy(network)
    nn.init.constant_(changed.fc.weight, weight)
    nn.init.zeros_(changed.fc.bias)
    return changed


def cam_by_hand(module, batch, class_index):
    """Grad-CAM without autograd: behind layer4 stand only the mean over 7×7 and the linear layer.

    So d logit / d map is the class's weight / 49 everywhere, and its mean too.
    """
    maps = saliency.feature_maps(module, batch, ["layer4"])["layer4"]
    weights = module.fc.weight[class_index].detach().numpy()
    heat = np.maximum(np.tensordot(weights, maps, axes=1), 0)
    large = nn.functional.interpolate(torch.from_numpy(heat)[None, None], (224, 224), mode="bilinear")[0, 0].numpy()
    return large / large.max()


def test_the_first_filters_are_each_stretched_from_0_to_1(network):
    filters = saliency.first_filters(network)
    assert (filters.shape, filters.dtype) == ((64, 7, 7, 3), np.float32)
    np.testing.assert_allclose(filters.min(axis=(1, 2, 3)), 0)
    np.testing.assert_allclose(filters.max(axis=(1, 2, 3)), 1)


def test_a_first_filter_keeps_its_place_its_colours_and_its_order(network):
    stored = network.conv1.weight.detach().numpy()
    filters = saliency.first_filters(network)
    for number in (0, 17, 63):
        for channel in range(3):
            shown, own = filters[number, :, :, channel], stored[number, channel]
            expected = (own - stored[number].min()) / (stored[number].max() - stored[number].min())
            np.testing.assert_allclose(shown, expected, atol=1e-6)


def test_a_filter_without_contrast_is_black_and_no_division_by_zero(network):
    flat = copy.deepcopy(network)
    nn.init.constant_(flat.conv1.weight, 0.5)
    assert (saliency.first_filters(flat) == 0).all()


def test_the_feature_maps_are_what_the_named_layers_put_out(network, batch):
    maps = saliency.feature_maps(network, batch, list(STAGES))
    assert {name: each.shape for name, each in maps.items()} == STAGES
    with torch.inference_mode():
        signal = network.maxpool(network.relu(network.bn1(network.conv1(torch.from_numpy(batch)))))
        for name in STAGES:
            signal = network.get_submodule(name)(signal)
            np.testing.assert_allclose(maps[name], signal[0].numpy(), rtol=1e-4, atol=1e-4)


def test_nothing_stays_hooked_on_the_network(network, batch):
    heat = saliency.grad_cam(network, batch, 0)
    saliency.feature_maps(network, batch, ["layer1"])
    saliency.occlusion(network, batch, 0, heat)
    assert not any(layer._forward_hooks for layer in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_layer_that_is_none_is_refused(network, batch):
    with pytest.raises(AttributeError, match="layer9"):
        saliency.feature_maps(network, batch, ["layer9"])


@pytest.mark.parametrize(
    ("weights", "sides"),
    [("resnet50:untrained", [56, 28, 14, 7]), ("efficientnet-lite0:untrained", [56, 28, 14, 7]),
     ("efficientnet-lite1:untrained", [60, 30, 15, 8]), ("efficientnet-lite2:untrained", [65, 33, 17, 9])],
)  # fmt: skip
def test_the_stages_of_any_network_are_found(weights, sides):
    if "lite" in weights:
        pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra: networks")
    loaded = load_model(weights)
    picture = np.zeros((1, *loaded.weights.network.shape), np.float32)
    names = saliency.stages_of(loaded.module, picture)
    maps = saliency.feature_maps(loaded.module, picture, names)
    assert list(maps) == names
    assert [stage.shape[-1] for stage in maps.values()] == sides
    tiles = saliency.strongest(maps, 3)
    assert tiles.shape == (12, sides[0], sides[0])
    assert tiles.min() >= 0
    assert tiles.max() <= 1
    assert saliency.grad_cam(loaded.module, picture, 0).shape == picture.shape[2:]


def test_the_stages_of_a_resnet_are_its_layers(network, batch):
    assert saliency.stages_of(network, batch) == list(STAGES)


def test_the_strongest_maps_come_first_and_are_enlarged_without_new_values():
    weak, strong = np.eye(4, dtype=np.float32), np.full((4, 4), 3, np.float32)
    strong[0, 0] = 0
    small = np.float32([[[0, 2], [1, 4]]])
    tiles = saliency.strongest({"large": np.stack([weak, strong]), "small": small}, 2)
    np.testing.assert_array_equal(tiles[0], strong / 3)
    np.testing.assert_array_equal(tiles[1], weak)
    np.testing.assert_array_equal(tiles[2], np.kron(small[0], np.ones((2, 2))) / 4)


@pytest.mark.parametrize("class_index", [0, 504, 999])
def test_grad_cam_is_the_weighted_sum_of_the_last_maps(network, batch, class_index):
    head = copy.deepcopy(network)
    head.fc.weight.data += 0.05  # so that there is evidence for every class
    np.testing.assert_allclose(
        saliency.grad_cam(head, batch, class_index), cam_by_hand(head, batch, class_index), atol=1e-5
    )


def test_grad_cam_of_trained_weights_agrees_with_the_one_by_hand(trained, evident):
    inputs, best = evident
    np.testing.assert_allclose(saliency.grad_cam(trained, inputs, best), cam_by_hand(trained, inputs, best), atol=1e-4)


def test_grad_cam_has_the_side_of_the_crop_and_reaches_from_0_to_1(trained, evident):
    heat = saliency.grad_cam(trained, *evident)
    assert (heat.shape, heat.dtype) == ((224, 224), np.float32)
    assert 0 <= heat.min() < 0.5
    assert heat.max() == pytest.approx(1)


def test_grad_cam_looks_at_the_first_picture_of_the_batch_alone(network, batch):
    both = saliency.grad_cam(with_head(network, 1.0), batch, 3)
    np.testing.assert_allclose(both, saliency.grad_cam(with_head(network, 1.0), batch[:1], 3), atol=1e-6)


def test_where_nothing_speaks_for_the_class_grad_cam_is_all_zeros(network, batch):
    assert (saliency.grad_cam(with_head(network, -1.0), batch, 7) == 0).all()


def test_all_that_speaks_for_a_class_is_hot(network, batch):
    """The last maps are outputs of a ReLU: a head of ones takes everything in them for evidence."""
    maps = saliency.feature_maps(network, batch, ["layer4"])["layer4"].sum(axis=0)
    heat = saliency.grad_cam(with_head(network, 1.0), batch, 7)
    row, column = np.unravel_index(maps.argmax(), maps.shape)
    assert heat[row * 32 + 16, column * 32 + 16] == pytest.approx(1, abs=0.05)


def test_hiding_what_is_hot_costs_the_class_more_than_hiding_what_is_cold(trained, evident):
    inputs, best = evident
    fall = saliency.occlusion(trained, inputs, best, saliency.grad_cam(trained, inputs, best))
    assert fall["hot"] > max(fall["cold"], 0) + 1


def test_a_map_turned_over_changes_the_two_falls_about(trained, evident):
    inputs, best = evident
    heat = saliency.grad_cam(trained, inputs, best)
    fall, turned = (saliency.occlusion(trained, inputs, best, each) for each in (heat, 1 - heat))
    assert turned["cold"] == pytest.approx(fall["hot"], abs=0.5)
    assert turned["hot"] < turned["cold"]


def test_a_map_that_is_the_same_everywhere_has_no_hot_side(network, batch):
    fall = saliency.occlusion(network, batch, 0, np.zeros((224, 224), np.float32))
    assert fall["hot"] == pytest.approx(fall["cold"], abs=1e-5)


def test_hiding_leaves_the_batch_as_it_was(network, batch):
    before = batch.copy()
    saliency.occlusion(network, batch, 0, np.random.default_rng(1).random((224, 224), dtype=np.float32))
    assert np.array_equal(batch, before)


def test_the_falls_are_those_of_pictures_greyed_by_hand(network, batch):
    heat = np.tile(np.arange(224, dtype=np.float32), (224, 1))  # from left to right: quarters are stripes of 56
    fall = saliency.occlusion(network, batch, 5, heat)
    left, right = batch[:1].copy(), batch[:1].copy()
    left[..., :56] = 0
    right[..., 168:] = 0
    with torch.inference_mode():
        whole, cold, hot = (float(network(torch.from_numpy(each))[0, 5]) for each in (batch[:1], left, right))
    assert fall == pytest.approx({"hot": whole - hot, "cold": whole - cold}, abs=1e-4)
