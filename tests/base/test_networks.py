"""Networks as data: what stands there is what the networks are, and a manifest gives it back."""

import json
import subprocess
import sys

import pytest
import torch

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.networks import NETWORKS, RESNET18, Network, check_top_k, network_named
from resnet18_lab.model.network import new_module
from resnet18_lab.model.torchvision import torchvision

LITES = [name for name in NETWORKS if "lite" in name]
TORCHVISIONS = [name for name in NETWORKS if name not in LITES]


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_manifest_gives_the_network_back(network):
    assert Network.from_json(json.loads(json.dumps(network.as_json()))) == network


def test_a_network_that_is_unknown_here_is_known_from_its_manifest():
    content = {**RESNET18.as_json(), "name": "mine", "classes": 3}
    mine = Network.from_json(content)
    assert (mine.name, mine.classes, mine.preprocessing) == ("mine", 3, RESNET18.preprocessing)


@pytest.mark.parametrize("content", [{}, {"name": "x"}, {**RESNET18.as_json(), "preprocessing": {}}])
def test_what_is_no_network_is_refused(content):
    with pytest.raises((KeyError, TypeError)):
        Network.from_json(content)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match="Did you mean resnet50"):
        network_named("resnet05")
    with pytest.raises(ParameterError, match="1 to 3"):
        check_top_k(4, 3)


def test_neither_torch_nor_numpy_is_needed():
    code = "import sys, resnet18_lab.base.networks, resnet18_lab.weights.names; print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_the_numbers_of_torchvisions_networks_are_those_of_its_weights(name):
    network = NETWORKS[name]
    weights = torchvision.models.get_model_weights(name).IMAGENET1K_V1
    steps, transforms = network.preprocessing, weights.transforms()
    assert (network.parameters, network.gmacs) == (weights.meta["num_params"], weights.meta["_ops"])
    assert len(weights.meta["categories"]) == network.classes
    assert (steps.resize, steps.crop) == (*transforms.resize_size, *transforms.crop_size)
    assert (list(steps.mean), list(steps.std)) == (transforms.mean, transforms.std)
    assert transforms.interpolation.value == steps.interpolation


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_that_is_built_has_those_numbers(name):
    network = NETWORKS[name]
    pytest.importorskip(network.builder[0] if name in LITES else "torchvision")
    module = new_module(network).eval()
    assert sum(parameter.numel() for parameter in module.parameters()) == network.parameters
    head = getattr(module, network.head)
    assert (head.in_features, head.out_features) == (network.features, network.classes)
    assert round(macs(module, network.shape) / 1e9, 3) == network.gmacs


def macs(module, shape):
    """Multiplications of convolutions and linear layers for one picture."""
    counts = []

    def count(layer, _inputs, output):
        if isinstance(layer, torch.nn.Conv2d):
            counts.append(output.numel() * layer.weight[0].numel())
        elif isinstance(layer, torch.nn.Linear):
            counts.append(layer.weight.numel())

    for layer in module.modules():
        layer.register_forward_hook(count)
    with torch.inference_mode():
        module(torch.zeros(1, *shape))
    return sum(counts)
