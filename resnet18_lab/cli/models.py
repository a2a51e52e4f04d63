"""``resnet18-lab models list / show / index / remove / export / import``."""

import json
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
    from resnet18_lab.weights.own import OwnModel

_EXAMPLES = (
    "Examples:  resnet18-lab models list  ·  resnet18-lab models show garbage  ·  "
    "resnet18-lab models export garbage -o garbage.zip  ·  resnet18-lab models import garbage.zip  ·  "
    "resnet18-lab models index photos --weights compact"
)
app = typer.Typer(
    help="Networks with your own classes: those that `finetune` made.", epilog=_EXAMPLES, no_args_is_help=True
)

_Name = Annotated[str, typer.Argument(help="The model.")]


def _model(name: str) -> "OwnModel":
    from resnet18_lab.weights.own import own_model, own_names

    found = own_model(name)
    if found is None:
        raise ParameterError(unknown_name("model", name, own_names()))
    return found


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="A JSON array on stdout.")] = False) -> None:
    """List the models: classes, pictures, how often each is right, licence."""
    from resnet18_lab.weights.own import own_models, own_names

    found = own_models()
    for name in set(own_names()) - {model.name for model in found}:
        note(f"{name}: its card is damaged; make it anew, import it, or `models remove {name}`")
    rows = [
        {
            "name": model.name, "network": model.network.name, "classes": list(model.card["data"]["classes"]),
            "top1": model.card["results"]["top1"], "licence": model.licence, "made": model.card["made"],
        }
        for model in found
    ]  # fmt: skip
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
        return
    if not rows:
        note("no models yet; `resnet18-lab finetune PHOTOS --name NAME` makes one")
    for row in rows:
        top1 = row["top1"]
        typer.echo(
            f"{row['name']}: {row['network']}, {len(row['classes'])} classes, right on {top1['hits']} of {top1['of']} "
            f"({top1['share']:.1%}), {row['licence']}, {row['made']}"
        )


@app.command()
def show(name: _Name, as_json: Annotated[bool, typer.Option("--json", help="The card as JSON.")] = False) -> None:
    """Show a model's card."""
    model = _model(name)
    sys.stdout.write((model.folder / ("card.json" if as_json else "card.md")).read_text(encoding="utf-8"))


@app.command()
def index(
    photos: Annotated[Path, typer.Argument(help="A folder of pictures, with sub-folders or without.")],
    weights: options.Weights = "auto",
    network: options.NetworkName = RESNET18.name,
) -> None:
    """Let ImageNet's classes tell what is unknown: keep the features of these pictures beside the built ONNX files.

    From then on answers of these weights carry `unknown` and `distance`; `build --force` undoes it.
    """
    if find_spec("onnx") is None:
        raise EngineError("An index needs onnx: pip install 'resnet18-lab[training]'.")
    from tqdm import tqdm

    from resnet18_lab.training.index import index as keep

    with tqdm(unit="picture", disable=None) as bar:
        made = keep(photos, with_network(network, weights), progress=counting(bar))
    for name in made.broken[:20]:
        note(f"left out, cannot be read: {name}")
    typer.echo(made.folder)
    note(f"{made.pictures} pictures; farther than {made.threshold:.3f} from all of them is unknown")


@app.command()
def remove(name: _Name) -> None:
    """Delete a model and the files built of it."""
    from resnet18_lab.training import travel
    from resnet18_lab.weights.own import own_names

    if name not in own_names():
        raise ParameterError(unknown_name("model", name, own_names()))
    note(f"removed {travel.remove(name)}")


@app.command()
def export(
    name: _Name, output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.zip", help="The archive.")]
) -> None:
    """Pack a model with its built ONNX files: weights, class names, card, training features; no pictures."""
    from resnet18_lab.training import travel

    model = _model(name)
    size = travel.export(model, output)
    typer.echo(output)
    note(f"{size / 1e6:.1f} MB; licence: {model.licence}")


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE.zip", help="An archive that `models export` wrote.")],
    name: Annotated[str | None, typer.Option(help="Another name for it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a model of that name.")] = False,
) -> None:
    """Unpack a model; nothing in the archive is executed, and what does not fit its card is refused."""
    from resnet18_lab.training import travel

    model = travel.import_model(source, name, force=force)
    typer.echo(model.folder)
    note(f"licence: {model.licence}; now: resnet18-lab classify PICTURE --weights {model.name}")
