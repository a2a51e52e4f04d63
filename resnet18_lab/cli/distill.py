"""``resnet18-lab distill``."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resnet18_lab.cli.console import note

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
_RANDOM = "random values"
_SETTINGS = "settings.json"


@dataclass(frozen=True)
class Settings:
    """What a run was started with; what is not given when it is resumed stays as it was."""

    teacher: str = "efficientnet-lite2"
    targets: str | None = None
    start: str = _RANDOM
    minutes: float = 30.0
    seed: int = 0


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

    folder = _folder_of(name, resume)
    _check(photographs, device, paths.home())
    settings = _settings(folder, resume, teacher=teacher, targets=targets, start=start, minutes=minutes, seed=seed)
    pictures, soft_targets = _pictures_and_targets(photographs, settings.targets, settings.teacher, folder)
    run = _opened(settings, pictures, soft_targets, folder, device, threads)
    _take_up(run, resume, folder)
    outcome = _with_progress(run)
    _write_down(outcome, run, pictures, folder, settings, soft_targets)
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
    make = Recipe if settings.start == _RANDOM else going_on
    start = "untrained" if settings.start == _RANDOM else settings.start
    recipe = make(minutes=settings.minutes, seed=settings.seed)
    return Distillation(pictures, targets, folder, recipe, start=start, device=device, name=folder.name)


def _take_up(run: "Distillation", resume: bool, folder: Path) -> None:
    """Resume the run where there is something to resume; ParameterError where that was asked for and there is not."""
    from resnet18_lab.base.errors import ParameterError

    if run.resume():
        note(f"resumed after {run.progress.seconds / 60:.1f} minutes and {run.progress.pictures:,} views")
    elif resume:
        raise ParameterError(f"There is no run {folder.name!r} to resume in {folder}; leave --resume out to start it.")


def _folder_of(name: str, resume: bool) -> Path:
    """The run's folder, made; ParameterError for a name that cannot be one, or is taken by a run to be resumed."""
    import re

    from resnet18_lab.base import paths
    from resnet18_lab.base.errors import ParameterError
    from resnet18_lab.training.checkpoint import CHECKPOINT

    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,59}", name):
        raise ParameterError(f"--name {name!r} is not allowed; give small letters, digits and hyphens.")
    folder = paths.home() / "runs" / name
    if (folder / CHECKPOINT).is_file() and not resume:
        raise ParameterError(f"There is a run {name!r} already; add --resume, give another --name, or delete {folder}.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _settings(folder: Path, resume: bool, **given: Any) -> Settings:  # noqa: ANN401 - options of several types
    """The settings of the run: those given, else on resuming those it was started with, else the defaults."""
    from resnet18_lab.base.files import write_text

    path = folder / _SETTINGS
    before = json.loads(path.read_text(encoding="utf-8")) if resume and path.is_file() else {}
    given = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    settings = Settings(**{**before, **{name: value for name, value in given.items() if value is not None}})
    write_text(path, json.dumps(asdict(settings), indent=1) + "\n")
    return settings


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


_LEAST_DISK = 500_000_000


def _pictures_and_targets(
    photographs: Path, targets: str | None, teacher: str, folder: Path
) -> "tuple[PackedPictures, Targets]":
    """Packed pictures with their soft targets, both made first where they are not there yet."""
    from tqdm import tqdm

    from resnet18_lab.training import packing
    from resnet18_lab.training.pictures import is_packed, open_packed
    from resnet18_lab.training.targets import read_targets
    from resnet18_lab.training.teachers import open_teacher

    if is_packed(photographs):
        pictures = open_packed(photographs)
        return pictures, read_targets(Path(targets or photographs / packing.TARGETS), pictures)
    packed = folder / "pictures"
    if not is_packed(packed):
        with tqdm(unit="picture", desc="soft targets", disable=None) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            left_out = packing.pack(photographs, packed, open_teacher(teacher), progress=progress)
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


def _facts(settings: Settings, targets: "Targets") -> dict[str, Any]:
    """What the record says of where the weights come from; no path of this machine."""
    start = Path(settings.start).name if settings.start != _RANDOM else _RANDOM
    teacher = "as in the file of the targets" if settings.targets else settings.teacher
    return {"start": start, "teacher": teacher, "views": int(targets.boxes.shape[1])}


def _write_down(
    outcome: "Outcome", run: "Distillation", pictures: "PackedPictures", folder: Path,
    settings: Settings, targets: "Targets",
) -> None:  # fmt: skip
    """The run's record and curve, beside its weights."""
    from resnet18_lab.base import hashing
    from resnet18_lab.base.machine import snapshot
    from resnet18_lab.benchmark.kept_records import now, write_record
    from resnet18_lab.course.distillation.figures import learning_curve

    progress = outcome.progress
    curve = [{**asdict(look), "loss": None if look.loss != look.loss else look.loss} for look in progress.curve]
    content = {
        "weights_sha256": hashing.sha256(outcome.weights, remember=False), "finished": outcome.finished,
        "views_seen": progress.pictures, "steps": progress.step, "best_agreement": progress.best,
        "pictures": len(pictures), "pictures_sha256": pictures.sha256, "bf16": run.bf16, "rows": curve,
    }  # fmt: skip
    parameters = {**_facts(settings, targets), "recipe": run.recipe.as_json(), "device": run.device.type}
    write_record(
        folder / "record.json", content, environment=snapshot(), parameters=parameters, profile="full",
        started=now(), seconds=round(progress.seconds, 1),
    )  # fmt: skip
    figure = learning_curve(curve, folder.name)
    figure.savefig(folder / "curve.png", dpi=110)


COMMANDS = {"distill": (distill, EXAMPLES)}
