"""The networks in torch, with weights from any of the known files."""

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resnet18_lab.base.errors import EngineError, WeightsError
from resnet18_lab.base.networks import Network
from resnet18_lab.model import state_files
from resnet18_lab.model.codes import is_codes, read_codes
from resnet18_lab.model.compact import decode_compact, is_compact
from resnet18_lab.model.torchvision import torchvision
from resnet18_lab.weights.find import WeightsFile, find_weights

_UNTRAINED_SEED = 0


@dataclass(frozen=True)
class LoadedModel:
    """A network in eval mode together with the weights it was made from."""

    module: nn.Module
    weights: WeightsFile


def load_model(weights: str | WeightsFile = "auto") -> LoadedModel:
    """A network in eval mode (float32 N×3×H×W -> float32 N×1000 logits; ResNet-18: H = W = 224) with its provenance.

    ``weights`` is a catalogue name, ``untrained``, a path (``NETWORK:`` before it for another network than ResNet-18),
    or a file already found. Nothing is downloaded. Raises WeightsNotFoundError, WeightsError, or EngineError where the
    network's package is missing.
    """
    file = weights if isinstance(weights, WeightsFile) else find_weights(weights)
    if file.path is None:
        return LoadedModel(_untrained(file.network), file)
    if file.labels_path is not None:
        return LoadedModel(_own(file), file)
    module = new_module(file.network)
    try:
        module.load_state_dict(_state_in(file.path, module, _maker(file.network)))
    except (RuntimeError, KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(
            f"{file.path} holds no {file.network.title} weights ({reason[:500]}); give a state dict of "
            f"{_maker(file.network)} or one of `resnet18-lab weights list`."
        ) from error
    return LoadedModel(module.eval(), file)


def _own(file: WeightsFile) -> nn.Module:
    """A model of one's own: its weights, in the parent's body where they are of the last layer alone.

    WeightsError where the parent found is not the one it was made of.
    """
    try:
        from resnet18_lab.model.own import HEAD_ONLY, own_weights
    except ImportError as error:
        raise EngineError(
            "A model of your own needs safetensors here: pip install 'resnet18-lab[training]'."
        ) from error
    assert file.path is not None  # noqa: S101 - a model of one's own has a file
    own = own_weights(file.path)
    if own.depth != HEAD_ONLY:
        return own.put_into(new_module(file.network), file.network)
    parent = find_weights(own.parent)
    if parent.sha256 != own.parent_sha256 or parent.labels_path is not None:
        raise WeightsError(
            f"{file.name} was made of {own.parent} with SHA-256 {own.parent_sha256[:16]}…, and found here is "
            f"{parent.sha256[:16]}…; take an engine of its ONNX files, or bring those weights."
        )
    return own.put_into(load_model(parent).module, file.network)


def _state_in(path: Path, module: nn.Module, whose: str) -> dict[str, Any]:
    """The state dict in a file of any known form."""
    if is_codes(path):
        return read_codes(path, module.state_dict())
    content = state_files.read(path)
    if is_compact(content):
        return decode_compact(dict(content), module)
    state = state_files.unwrapped(content)
    state_files.refuse_another(path, state, module.state_dict(), whose)
    return state


def new_module(network: Network) -> nn.Module:
    """The network with random values, by its builder; EngineError names the extra where its package is missing."""
    package, name = network.builder
    if package == "torchvision":
        module: nn.Module = torchvision.models.get_model(name, weights=None)
        return module
    if importlib.util.find_spec(package) is None:
        raise EngineError(f"{network.title} needs the package {package}: pip install 'resnet18-lab[networks]'.")
    built: nn.Module = importlib.import_module(package).EfficientNet.from_name(name)
    return built


def _maker(network: Network) -> str:
    package, name = network.builder
    return f"{package}'s {name}"


def _untrained(network: Network) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(_UNTRAINED_SEED)
        return new_module(network).eval()
