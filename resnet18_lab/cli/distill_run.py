"""What a run of ``resnet18-lab distill`` keeps in its folder: its settings, and the record beside its weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resnet18_lab.training.distillation import Distillation, Outcome
    from resnet18_lab.training.pictures import PackedPictures
    from resnet18_lab.training.targets import Targets

RANDOM = "random values"
_SETTINGS = "settings.json"


@dataclass(frozen=True)
class Settings:
    """What a run was started with; what is not given when it is resumed stays as it was."""

    started: str
    teacher: str = "efficientnet-lite2"
    targets: str | None = None
    start: str = RANDOM
    minutes: float = 30.0
    seed: int = 0


def folder_of(name: str, resume: bool) -> Path:
    """The run's folder, made; ParameterError for a name that cannot be one, is taken, or has no run to resume."""
    import re

    from resnet18_lab.base import paths
    from resnet18_lab.base.errors import ParameterError
    from resnet18_lab.training.material import CHECKPOINT

    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,59}", name):
        raise ParameterError(f"--name {name!r} is not allowed; give small letters, digits and hyphens.")
    folder = paths.home() / "runs" / name
    exists = (folder / CHECKPOINT).is_file()
    if resume and not exists:
        raise ParameterError(f"There is no run {name!r} to resume in {folder}; leave --resume out to start it.")
    if exists and not resume:
        raise ParameterError(f"There is a run {name!r} already; add --resume, give another --name, or delete {folder}.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def settings_of(folder: Path, resume: bool, **given: Any) -> Settings:  # noqa: ANN401 - options of several types
    """The settings of the run: those given, else on resuming those it was started with, else the defaults."""
    from resnet18_lab.base.files import write_text
    from resnet18_lab.benchmark.kept_records import now

    path = folder / _SETTINGS
    before = json.loads(path.read_text(encoding="utf-8")) if resume and path.is_file() else {}
    given = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    settings = Settings(
        **{"started": now(), **before, **{name: value for name, value in given.items() if value is not None}}
    )
    write_text(path, json.dumps(asdict(settings), indent=1) + "\n")
    return settings


def _facts(settings: Settings, targets: "Targets") -> dict[str, Any]:
    """What the record says of where the weights come from; no path of this machine."""
    start = Path(settings.start).name if settings.start != RANDOM else RANDOM
    teacher = "as in the file of the targets" if settings.targets else settings.teacher
    return {"start": start, "teacher": teacher, "views": int(targets.boxes.shape[1])}


def write_down(
    outcome: "Outcome", run: "Distillation", pictures: "PackedPictures", folder: Path,
    settings: Settings, targets: "Targets",
) -> None:  # fmt: skip
    """The run's record and curve, beside its weights."""
    from resnet18_lab.base import hashing
    from resnet18_lab.base.machine import snapshot
    from resnet18_lab.benchmark.kept_records import write_record
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
        started=settings.started, seconds=round(progress.seconds, 1),
    )  # fmt: skip
    figure = learning_curve(curve, folder.name)
    figure.savefig(folder / "curve.png", dpi=110)
