"""``resnet18-lab finetune``."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnet18_lab.base.errors import EngineError, ParameterError, unknown_name
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.cli import options
from resnet18_lab.cli.console import counting, note
from resnet18_lab.weights.names import with_network

if TYPE_CHECKING:
    from resnet18_lab.training.material import Recipe
    from resnet18_lab.weights.own import OwnModel

INTERRUPTED = 130
EXAMPLES = (
    "Examples:  resnet18-lab finetune photos --name garbage  ·  resnet18-lab finetune photos --name garbage "
    "--network efficientnet-lite0  ·  resnet18-lab finetune photos --name birds --group '^(.*)_[0-9]+' --balance  ·  "
    "resnet18-lab finetune photos --name garbage --depth layer4"
)


Photos = Annotated[Path, typer.Argument(help="A folder a class; or train and val folders; or a labels.csv.")]
Validation = Annotated[
    float, typer.Option(help="Share of each class that is judged, where no val or test folder is given.")
]
Group = Annotated[str, typer.Option(metavar="REGEX", help="Names with the same match are one series, on one side.")]
Depth = Annotated[
    str,
    typer.Option(
        metavar="head|layer4|all|auto",
        help="The last layer (without torch), the last stage too, everything, or the better of the first two.",
    ),
]
Size = Annotated[
    int | None, typer.Option(min=32, max=1024, help="Side in pixels of what `all` learns from.", show_default=False)
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Rounds of more than the head.", show_default=False)]
Minutes = Annotated[float | None, typer.Option(min=0.01, help="So long instead of rounds.", show_default=False)]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 2, help="Of the split, the folds and the order.")]


def finetune(
    photos: Photos,
    name: Annotated[str, typer.Option(help="What the model is called: 1 to 60 of a-z, 0-9 and -.")],
    weights: options.Weights = "auto",
    network: options.NetworkName = RESNET18.name,
    validation: Validation = 0.2,
    group: Group = "",
    balance: Annotated[bool, typer.Option("--balance", help="Rare classes count as much as common ones.")] = False,
    depth: Depth = "head",
    size: Size = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was ended.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a model of that name.")] = False,
) -> int:
    """Learn your own classes from labelled pictures, and judge the result on pictures it did not see.

    Ctrl-C while more than the head is learned keeps the best so far; --resume goes on, also after a kill. Afterwards
    `resnet18-lab classify --weights NAME` answers with them, and calls unknown what is like none of them.
    """
    if missing := [package for package in ("onnx", "safetensors", "sklearn") if find_spec(package) is None]:
        raise EngineError(f"Fine-tuning needs {' and '.join(missing)}: pip install 'resnet18-lab[training]'.")
    from resnet18_lab.training.material import DEPTHS, Recipe

    if depth not in DEPTHS:
        raise ParameterError(unknown_name("depth", depth, DEPTHS))
    base = with_network(network, weights)
    recipe = Recipe(name, base, validation, group, balance, seed, depth, size, epochs, minutes)
    return _told(_learned(photos, recipe, resume=resume, force=force))


def _learned(photos: Path, recipe: "Recipe", *, resume: bool, force: bool) -> "OwnModel":
    """The model, learned with a progress bar."""
    from tqdm import tqdm

    from resnet18_lab.training.finetune import finetune as learn

    with tqdm(disable=None) as bar:
        return learn(photos, recipe, force=force, resume=resume, notify=note, progress=counting(bar))


def _told(model: "OwnModel") -> int:
    """Exit status, once the card is printed."""
    for broken in list(model.card["data"]["broken"])[:20]:
        note(f"left out, cannot be read: {broken}")
    sys.stdout.write((model.folder / "card.md").read_text(encoding="utf-8"))
    note(f"in {model.folder}; now: resnet18-lab classify PICTURE --weights {model.name}")
    if model.card["recipe"].get("finished", True):
        return 0
    note("interrupted: the best so far is kept; the same command with --resume goes on")
    return INTERRUPTED


COMMANDS = {"finetune": (finetune, EXAMPLES)}
