"""Fine-tuning with torch: the last stage on stored outputs of the others, or the whole network on the pictures."""

import shutil
from collections.abc import Iterator
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
from resnet18_lab.base.notify import Notify
from resnet18_lab.inference.classify import outputs_of
from resnet18_lab.inference.engine import EngineInfo
from resnet18_lab.model.batch_norms import are_folded, restore_statistics
from resnet18_lab.model.engine import TorchEngine
from resnet18_lab.model.network import load_model
from resnet18_lab.training import head
from resnet18_lab.training.checkpoint import read_checkpoint
from resnet18_lab.training.inputs import Inputs, Squares, StoredStage
from resnet18_lab.training.material import ALL, LAYER4, Material, Progress, Recipe, runs_folder
from resnet18_lab.training.tuning import Schedule, Tuning
from resnet18_lab.weights.find import WeightsFile

_EPOCHS = {LAYER4: 8, ALL: 4}
_STATISTICS_PICTURES = 256
_JUDGED_AT_ONCE = 8


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


@dataclass(frozen=True)
class Task:
    """What is learned: the ``parent`` to that ``depth``, from the positions ``fit``.

    It begins with the last layer ``begun`` that was fitted to them; rounds are chosen by the positions ``chosen``.
    """

    recipe: Recipe
    depth: str
    parent: WeightsFile
    material: Material
    fit: list[int]
    chosen: list[int]
    begun: head.Head

    @property
    def labels(self) -> NDArray[np.int64]:
        """Classes of all pictures."""
        return self.material.labels(range(len(self.material.examples)))

    @property
    def class_weights(self) -> NDArray[np.float32]:
        """Each class's weight in the loss: 1, or the inverse of its frequency."""
        counts = np.bincount(self.labels[self.fit])
        even = np.ones(len(counts))
        return (len(self.fit) / (len(counts) * counts) if self.recipe.balance else even).astype(np.float32)

    @property
    def schedule(self) -> Schedule:
        """How long and how fast is learned."""
        recipe = self.recipe
        return Schedule(recipe.epochs or _EPOCHS[self.depth], recipe.minutes, seed=recipe.seed)

    @property
    def identity(self) -> dict[str, Any]:
        """What a run must be asked for again to be the same run."""
        return {
            "parent": self.parent.sha256, "depth": self.depth, "pictures": self.material.sha256,
            "side": self.recipe.size or 0, "class weights": repr(self.class_weights.tolist()),
            "schedule": repr(self.schedule), "fit": repr(self.fit), "chosen": repr(self.chosen),
        }  # fmt: skip


def tune(task: Task, *, resume: bool, notify: Notify, progress: Progress) -> Deep:
    """The network learned further; Ctrl-C ends it with the best so far, or goes on up if there is nothing yet."""
    torch.set_num_threads(usable_cores())
    torch.manual_seed(task.recipe.seed)
    folder = _folder(task, resume)
    module = load_model(task.parent).module
    setattr(module, task.parent.network.head, _linear(task.begun))
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learned, inputs = _parts(task, module, folder, progress)
    if are_folded(learned):
        notify("the weights' batch norms are folded; their statistics are measured again")
        spread = task.fit[:: max(1, len(task.fit) // _STATISTICS_PICTURES)]  # of all classes: they lie one by one
        restore_statistics(learned, _plain(inputs, spread))
    run = Tuning(
        learned, inputs, task.labels, task.fit, task.chosen, schedule=task.schedule, folder=folder,
        weights=task.class_weights, identity=task.identity,
    )  # fmt: skip
    if resume:
        run.resume()
    finished = run.run(
        lambda one: notify(f"round {one.epoch}: {one.hits} of {len(task.chosen)} right, {one.seconds:.0f} s"),
        lambda share: progress(round(100 * share), 100),
    )
    if not run.best:
        raise KeyboardInterrupt
    return _ended(task, run, module, finished, progress)


def _folder(task: Task, resume: bool) -> Path:
    """The run's folder, emptied unless it is resumed; ParameterError for another run's before anything is prepared."""
    folder = runs_folder(task.recipe.name)
    if resume:
        read_checkpoint(folder, task.identity)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for abandoned in folder.glob(".*.tmp*"):
        abandoned.unlink()  # left by a kill
    return folder


def _ended(task: Task, run: Tuning, module: nn.Module, finished: bool, progress: Progress) -> Deep:
    """The best weights, and how they compare with the last layer alone on the pictures that were chosen by."""
    run.module.load_state_dict(run.best)
    run.average.load_state_dict(run.best)
    before = task.begun.logits(task.material.features[task.chosen]).argmax(axis=1)
    was, now = (answers == task.labels[task.chosen] for answers in (before, run.answers()))
    return Deep(
        _as_arrays(module), _features(module, task.parent, task.material, progress),
        _last(module, task.parent.network), task.fit, task.chosen, [asdict(one) for one in run.curve],
        int((now & ~was).sum()), int((was & ~now).sum()), finished,
    )  # fmt: skip


def _parts(task: Task, module: nn.Module, folder: Path, progress: Progress) -> tuple[nn.Module, Inputs]:
    """What is learned, and what it takes."""
    steps, files, side = task.parent.network.preprocessing, task.material.paths, task.recipe.size
    key = f"{task.material.sha256[:12]}-{task.parent.sha256[:12]}"
    if task.depth != LAYER4:
        if side:
            steps = replace(steps, crop=side, resize=round(side * steps.resize / steps.crop))
        return module, Squares(folder / f"squares-{steps.resize}-{key}.npy", files, steps, progress)
    trunk, tail = _cut(module)
    return tail, StoredStage(folder / f"layer3-{key}.npy", files, trunk.eval(), steps, progress)


def _cut(module: Any) -> tuple[nn.Module, nn.Module]:  # noqa: ANN401 - torchvision's ResNet, by its modules' names
    """A ResNet before its last stage, and from there on; both share its parameters."""
    trunk = nn.Sequential(
        module.conv1, module.bn1, module.relu, module.maxpool, module.layer1, module.layer2, module.layer3
    )
    return trunk, nn.Sequential(module.layer4, module.avgpool, nn.Flatten(1), module.fc)


def _plain(inputs: Inputs, positions: list[int]) -> Iterator[torch.Tensor]:
    for start in range(0, len(positions), _JUDGED_AT_ONCE):
        yield inputs.plain(positions[start : start + _JUDGED_AT_ONCE])


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
