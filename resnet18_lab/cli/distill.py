"""``resnet18-lab distill``."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resnet18_lab.cli.console import counting, note
from resnet18_lab.cli.distill_run import RANDOM, Settings, folder_of, settings_of, write_down

if TYPE_CHECKING:
    from collections.abc import Callable

    from resnet18_lab.training.distillation import Distillation, Outcome, Progress
    from resnet18_lab.training.pictures import PackedPictures
    from resnet18_lab.training.targets import Targets

EXAMPLES = (
    "Examples:  resnet18-lab distill photos --name mine --minutes 60  ·  resnet18-lab distill photos --name mine "
    "--resume  ·  resnet18-lab distill packed --targets targets.npz --start distilled --name further"
)
INTERRUPTED = 130
_LEAST_DISK = 500_000_000  # bytes


_Photographs = Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of pictures, or a packed one.")]
_Name = Annotated[str, typer.Option(help="Name of what is learned: [a-z0-9-].")]
_Teacher = Annotated[
    str | None,
    typer.Option(
        help="efficientnet-lite0, -lite1, -lite2 (if not given), or ENGINE or ENGINE:WEIGHTS of this project.",
        show_default=False,
    ),
]
_Targets = Annotated[Path | None, typer.Option(help="Soft targets already computed for these pictures.")]
_Start = Annotated[
    str | None, typer.Option(help="Weights to begin with; random values if not given.", show_default=False)
]
_Minutes = Annotated[
    float | None, typer.Option(min=0.01, help="How long it learns; 30 if not given.", show_default=False)
]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run of that name.")]
_Seed = Annotated[
    int | None, typer.Option(help="Of random values and the order of pictures; 0 if not given.", show_default=False)
]
_Threads = Annotated[int | None, typer.Option(min=1, help="Threads of torch; all usable cores if not given.")]


def distill(
    photographs: _Photographs,
    name: _Name,
    teacher: _Teacher = None,
    targets: _Targets = None,
    start: _Start = None,
    minutes: _Minutes = None,
    resume: _Resume = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seed: _Seed = None,
    threads: _Threads = None,
) -> int:
    """Teach ResNet-18 what a better network says of pictures: no labels are needed.

    The teacher's answers to several views of each picture are computed once and kept; then the network learns for
    so many minutes. Ctrl-C keeps the best weights so far and a checkpoint that --resume takes up, also after a kill.
    """
    from resnet18_lab.base import paths

    folder = folder_of(name, resume)
    _check(photographs, device, paths.home())
    settings = settings_of(folder, resume, teacher=teacher, targets=targets, start=start, minutes=minutes, seed=seed)
    pictures, soft_targets = _pictures_and_targets(photographs, settings.targets, settings.teacher, folder)
    run = _opened(settings, pictures, soft_targets, folder, device, threads)
    if run.resume():
        note(f"resumed after {run.progress.seconds / 60:.1f} minutes and {run.progress.pictures:,} views")
    outcome = _with_progress(run)
    write_down(outcome, run, pictures, folder, settings, soft_targets)
    typer.echo(outcome.weights)
    if not outcome.finished:
        note(f"interrupted: the best weights so far are kept; go on with `--name {name} --resume`")
    return 0 if outcome.finished else INTERRUPTED


def _opened(
    settings: Settings, pictures: "PackedPictures", targets: "Targets", folder: Path, device: str, threads: int | None
) -> "Distillation":
    """The run, not begun."""
    import torch

    from resnet18_lab.base.machine import usable_cores
    from resnet18_lab.training.distillation import Distillation
    from resnet18_lab.training.recipe import Recipe, going_on

    torch.set_num_threads(threads or usable_cores())
    make = Recipe if settings.start == RANDOM else going_on
    start = "untrained" if settings.start == RANDOM else settings.start
    recipe = make(minutes=settings.minutes, seed=settings.seed)
    return Distillation(pictures, targets, folder, recipe, start=start, device=device, name=folder.name)


def _check(photographs: Path, device: str, home: Path) -> None:
    """Raise ParameterError for what can be seen to be wrong before anything is loaded."""
    import shutil

    from resnet18_lab.base.errors import ParameterError, unknown_name

    if device not in ("auto", "cpu", "cuda"):
        raise ParameterError(unknown_name("device", device, ["auto", "cpu", "cuda"]))
    if not photographs.is_dir():
        raise ParameterError(f"{photographs} is no folder; give one with pictures in it or below it.")
    if shutil.disk_usage(home).free < _LEAST_DISK:
        raise ParameterError(f"There is less than {_LEAST_DISK // 10**6} MB free in {home}: a checkpoint needs it.")


def _pictures_and_targets(
    photographs: Path, targets: str | None, teacher: str, folder: Path
) -> "tuple[PackedPictures, Targets]":
    """Packed pictures with their soft targets, both made first where they are not there yet."""
    from functools import partial

    from tqdm import tqdm

    from resnet18_lab.training import packing
    from resnet18_lab.training.pictures import is_packed, open_packed
    from resnet18_lab.training.targets import read_targets
    from resnet18_lab.training.teachers import open_teacher

    if is_packed(photographs):
        pictures = open_packed(photographs)
        return pictures, read_targets(Path(targets or photographs / packing.TARGETS), pictures)
    packed = folder / "pictures"
    if is_packed(packed):
        packing.refuse_others(packed, photographs)
    else:
        with tqdm(unit="picture", desc="soft targets", disable=None) as bar:
            left_out = packing.pack(photographs, packed, partial(open_teacher, teacher), progress=counting(bar))
        if left_out:
            note(f"{len(left_out)} pictures could not be read and are left out: see {packed / packing.LEFT_OUT}")
    pictures = open_packed(packed)
    return pictures, read_targets(Path(targets or packed / packing.TARGETS), pictures)


def _with_progress(run: "Distillation") -> "Outcome":
    from tqdm import tqdm

    total = int(run.recipe.minutes * 60)
    shape = "{l_bar}{bar}| {n_fmt}/{total_fmt} s, left {remaining}{postfix}"
    with tqdm(total=total, disable=None, desc="learning", bar_format=shape) as bar:
        return run.run(_shown_on(bar))


def _shown_on(bar: Any) -> "Callable[[Progress, float], None]":  # noqa: ANN401 - tqdm's class is generic in its stubs only
    marks = [(time.perf_counter(), 0)]

    def show(progress: "Progress", loss: float) -> None:
        now = time.perf_counter()
        began, first = marks[0] if marks[0][1] else (now, progress.pictures)
        marks[0] = began, first
        rate = (progress.pictures - first) / max(1e-9, now - began)
        agreement = progress.curve[-1].agreement if progress.curve else float("nan")
        words = f", {rate:.0f} views/s, loss {loss:.2f}, as the teacher {agreement:.1%}"
        bar.set_postfix_str(words, refresh=False)
        bar.update(min(bar.total, int(progress.seconds)) - bar.n)

    return show


COMMANDS = {"distill": (distill, EXAMPLES)}
