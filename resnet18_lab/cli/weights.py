"""``resnet18-lab weights list | fetch | verify | path``."""

from typing import Annotated

import typer

app = typer.Typer(
    help="The trained weights: which there are, where they lie, fetching and checking them.",
    epilog="Examples:  resnet18-lab weights list  ·  resnet18-lab weights fetch compact  ·  "
    "resnet18-lab weights verify  ·  resnet18-lab weights path auto",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="official, compact, compact-large, distilled, auto, or a path.")]


@app.command(name="list", epilog="Example:  resnet18-lab weights list")
def list_weights() -> None:
    """Show which weights there are, and which of them lie where on this machine."""
    from rich.console import Console
    from rich.table import Table

    from resnet18_lab.weights.catalogue import catalogue
    from resnet18_lab.weights.status import weights_status

    accuracy = {entry.name: f"{entry.top1:.2f}" if entry.top1 else "not measured" for entry in catalogue()}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "MB", "top-1 %", "licence", "here"):
        table.add_column(heading, justify="right" if heading in ("MB", "top-1 %") else "left", overflow="fold")
    for row in weights_status():
        here = f"{row.path} (verified; {row.where})" if row.verified else "no"
        if row.problem:
            here = f"PROBLEM: {row.problem}"
        table.add_row(row.name, f"{row.bytes / 1e6:.2f}", accuracy.get(row.name, "?"), row.licence, here)
    Console().print(table)
    typer.echo("untrained: always there (seeded; for shapes, sizes and speed only)")


@app.command(epilog="Examples:  resnet18-lab weights fetch  ·  resnet18-lab weights fetch compact")
def fetch(
    name: Annotated[str, typer.Argument(help="official, compact, or compact-large.")] = "official",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there but wrong.")] = False,
) -> None:
    """Download weights into the project's weights folder; an interrupted download is resumed."""
    from resnet18_lab.weights.fetch import fetch_weights

    typer.echo(fetch_weights(name, force=force))


@app.command(epilog="Example:  resnet18-lab weights verify compact")
def verify(name: Name = "auto") -> None:
    """Read the whole file and compare its SHA-256 with the published one."""
    from resnet18_lab.weights.find import verify_weights

    found = verify_weights(name)
    typer.echo(f"{found.path}: {found.sha256} ({found.name}, as published)")


@app.command(epilog='Example:  cp "$(resnet18-lab weights path compact)" /media/stick')
def path(name: Name = "auto") -> None:
    """Print where the weights lie."""
    from resnet18_lab.weights.find import find_weights
    from resnet18_lab.weights.names import UNTRAINED

    found = find_weights(name)
    typer.echo(found.path or UNTRAINED)
