"""Fine-tuning with torch: the last stage on stored outputs of the others, or the whole network on the pictures."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.base.networks import Network
from resnet18_lab.inference.classify import outputs_of
from resnet18_lab.inference.engine import EngineInfo
from resnet18_lab.model.batch_norms import are_folded, restore_statistics
from resnet18_lab.model.engine import TorchEngine
from resnet18_lab.model.network import load_model
from resnet18_lab.training import head
from resnet18_lab.training.checkpoint import read_checkpoint
from resnet18_lab.training.inputs import Inputs, Squares, StoredStage
from resnet18_lab.training.material import ALL, LAYER4, Material, Recipe, runs_folder
from resnet18_lab.training.tuning import Schedule, Tuning
from resnet18_lab.weights.find import WeightsFile

_EPOCHS = {LAYER4: 8, ALL: 4}
_STATISTICS_PICTURES = 256
_JUDGED_AT_ONCE = 8
Notify = Callable[[str], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Deep:
    """What a run ended with: the whole network's state dict, its features of all pictures, and its last layer.

    ``fit`` and ``chosen`` are the positions learned from and chosen by; ``curve`` has a dictionary a round;
    ``won`` and ``lost`` count the chosen pictures that the last layer alone gets wrong or right, and this the reverse.
    """

    state: dict[str, NDArray[Any]]
    features: NDArray[np.float32]
    head: head.Head
    fit: list[int]
    chosen: list[int]
    curve: list[dict[str, Any]]
    won: int
    lost: int
    finished: bool


def tune(
    recipe: Recipe, depth: str, parent: WeightsFile, material: Material, fit: Sequence[int], chosen: Sequence[int],
    begun: head.Head, *, resume: bool, notify: Notify, progress: Progress,
) -> Deep:  # fmt: skip
    """The parent learned further to that depth, beginning with the last layer ``begun`` that was fitted to ``fit``."""
    torch.set_num_threads(usable_cores())
    torch.manual_seed(recipe.seed)
    folder = runs_folder(recipe.name)
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for abandoned in folder.glob(".*.tmp*"):
        abandoned.unlink()  # left by a kill
    labels = material.labels(range(len(material.examples)))
    weights = _class_weights(labels[list(fit)], recipe.balance)
    identity = {
        "parent": parent.sha256, "depth": depth, "pictures": material.sha256, "side": recipe.size or 0,
        "class weights": repr(weights.tolist()), "schedule": repr(_schedule(recipe, depth)),
        "fit": repr(list(fit)), "chosen": repr(list(chosen)),
    }  # fmt: skip
    if resume:
        read_checkpoint(folder, identity)  # before anything is prepared: it says if the run is another one
    module = load_model(parent).module
    setattr(module, parent.network.head, _linear(begun))
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learned, inputs = _parts(depth, recipe, parent, module, material, folder, progress)
    if are_folded(learned):
        notify("the weights' batch norms are folded; their statistics are measured again")
        spread = list(fit)[:: max(1, len(fit) // _STATISTICS_PICTURES)]  # of all classes: they lie one after the other
        restore_statistics(learned, _plain(inputs, spread))
    run = Tuning(
        learned, inputs, labels, fit, chosen, schedule=_schedule(recipe, depth), folder=folder,
        weights=weights, identity=identity,
    )  # fmt: skip
    if resume:
        run.resume()
    before = begun.logits(material.features[list(chosen)]).argmax(axis=1)
    finished = run.run(
        lambda one: notify(f"round {one.epoch}: {one.hits} of {len(chosen)} right, {one.seconds:.0f} s"),
        lambda share: progress(round(100 * share), 100),
    )
    if not run.best:  # ended before anything was seen: there is nothing to keep
        raise KeyboardInterrupt
    run.module.load_state_dict(run.best)
    run.average.load_state_dict(run.best)
    truth = labels[list(chosen)]
    was, now = before == truth, run.answers() == truth
    return Deep(
        _as_arrays(module), _features(module, parent, material, progress), _last(module, parent.network), list(fit),
        list(chosen), [asdict(one) for one in run.curve], int((now & ~was).sum()), int((was & ~now).sum()), finished,
    )  # fmt: skip


def _schedule(recipe: Recipe, depth: str) -> Schedule:
    return Schedule(recipe.epochs or _EPOCHS[depth], recipe.minutes, seed=recipe.seed)


def _parts(
    depth: str, recipe: Recipe, parent: WeightsFile, module: nn.Module, material: Material, folder: Path,
    progress: Progress,
) -> tuple[nn.Module, Inputs]:  # fmt: skip
    """What is learned, and what it takes."""
    steps, key = parent.network.preprocessing, f"{material.sha256[:12]}-{parent.sha256[:12]}"
    if depth != LAYER4:
        if recipe.size:
            steps = replace(steps, crop=recipe.size, resize=round(recipe.size * steps.resize / steps.crop))
        return module, Squares(folder / f"squares-{steps.resize}-{key}.npy", material.paths, steps, progress)
    trunk, tail = _cut(module)
    return tail, StoredStage(folder / f"layer3-{key}.npy", material.paths, trunk.eval(), steps, progress)


def _cut(module: Any) -> tuple[nn.Module, nn.Module]:  # noqa: ANN401 - torchvision's ResNet, by its modules' names
    """A ResNet before its last stage, and from there on; both share its parameters."""
    trunk = nn.Sequential(
        module.conv1, module.bn1, module.relu, module.maxpool, module.layer1, module.layer2, module.layer3
    )
    return trunk, nn.Sequential(module.layer4, module.avgpool, nn.Flatten(1), module.fc)


def _plain(inputs: Inputs, positions: list[int]) -> Iterator[torch.Tensor]:
    for start in range(0, len(positions), _JUDGED_AT_ONCE):
        yield inputs.plain(positions[start : start + _JUDGED_AT_ONCE])


def _class_weights(labels: NDArray[np.int64], balance: bool) -> NDArray[np.float32]:
    """Each class's weight in the loss: 1, or the inverse of its frequency."""
    counts = np.bincount(labels)
    return (len(labels) / (len(counts) * counts) if balance else np.ones(len(counts))).astype(np.float32)


def _linear(layer: head.Head) -> nn.Linear:
    made = nn.Linear(layer.weight.shape[1], layer.weight.shape[0])
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(layer.weight))
        made.bias.copy_(torch.from_numpy(layer.bias))
    return made


def _last(module: nn.Module, network: Network) -> head.Head:
    layer = getattr(module, network.head)
    return head.Head(layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy(), 0.0, {})


def _as_arrays(module: nn.Module) -> dict[str, NDArray[Any]]:
    return {name: value.detach().contiguous().numpy().copy() for name, value in module.state_dict().items()}


def _features(module: nn.Module, parent: WeightsFile, material: Material, progress: Progress) -> NDArray[np.float32]:
    """What stands before the last layer, float32 N×D, for all pictures by the service's own crop."""
    network, layer = parent.network, getattr(module, parent.network.head)
    setattr(module, network.head, nn.Identity())
    told = EngineInfo("eager", "float32", usable_cores(), parent.name, "", "")
    try:
        with TorchEngine(module.eval(), told, usable_cores()) as engine:
            engine.network = network
            rows = []
            for one in outputs_of(material.paths, engine, batch_size=_JUDGED_AT_ONCE):
                if one.row is None:
                    raise ParameterError(f"{one.file} can be read no more; mend it, and --resume.")
                rows.append(one.row)
                progress(len(rows), len(material.paths))
        return np.stack(rows)
    finally:
        setattr(module, network.head, layer)
