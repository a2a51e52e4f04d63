"""Where the time of one picture goes, by stage and by size of the picture."""

from collections.abc import Callable
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

from PIL import Image

from resnet18_lab.base import proc
from resnet18_lab.base.networks import RESNET18, Preprocessing
from resnet18_lab.base.samples import load_samples
from resnet18_lab.benchmark.configuration import Effort
from resnet18_lab.benchmark.measure.loops import repeated, sample, timed
from resnet18_lab.inference.classify import STEPS, Clock, answers, prepare
from resnet18_lab.inference.engine import Engine
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.prepare import InProcess

_JPEG_QUALITY = 90
_DRAFT = 256


def measure_stages(open_one: Callable[[], Engine], effort: Effort) -> dict[str, Any]:
    """Seconds of each stage, picture by picture, over the project's photographs again and again."""
    paths = cycle(sample.path for sample in load_samples())
    with open_one() as engine:
        first, rows, _ = repeated(lambda: _stage_times(next(paths), engine), effort)
        facts = engine.engine.as_json()
    return {
        "first": sum(first.values()),
        "samples": [sum(row.values()) for row in rows],
        "parts": {stage: [row[stage] for row in rows] for stage in STEPS},
        "peak": proc.peak_rss(),
        "engine": facts,
    }


def _stage_times(path: Path, engine: Engine) -> dict[str, float]:
    clock = Clock()
    answers([(path.name, path)], engine, clock=clock)
    return clock.seconds


def filename_of(size: str) -> str:
    """Name of the JPEG of that ``width×height``."""
    return f"{size.replace('×', 'x')}.jpg"


def make_picture(size: str, folder: Path) -> Path:
    """A JPEG of ``width×height`` made of one of the project's photographs."""
    width, height = map(int, size.split("×"))
    source = next(sample.path for sample in load_samples() if sample.path.name == "china.jpg")
    path = folder / filename_of(size)
    with Image.open(source) as picture:
        picture.resize((width, height), Image.Resampling.BICUBIC).save(path, "JPEG", quality=_JPEG_QUALITY)
    return path


def measure_size(open_one: Callable[[], Engine], path: Path, how: str, effort: Effort) -> dict[str, Any]:
    """Seconds to prepare a picture in one way, first and steady answer, and peak memory.

    The picture is made by the parent: making one of 12 megapixels here would be part of the peak.
    """
    prepare = _preparation(how, path)
    with open_one() as engine:
        first = timed(lambda: engine.run(prepare()))
        preparation = sample(prepare, effort)
        steady = sample(lambda: engine.run(prepare()), effort)
        facts = engine.engine.as_json()
    return {
        "samples": preparation["samples"],
        "first": first,
        "answer_samples": steady["samples"],
        "peak": proc.peak_rss(),
        "engine": facts,
    }


def _preparation(how: str, path: Path) -> Callable[[], Any]:
    if how != "torchvision":
        draft = _DRAFT if how == "ours with draft" else None
        return lambda: transform.normalise(prepare(path, preparer=InProcess(draft_for=draft)).crop)
    return torchvision_preparation(path)


@cache
def _transforms(preprocessing: Preprocessing) -> Callable[[Image.Image], Any]:
    from resnet18_lab.model.torchvision import torchvision

    recipe: Callable[[Image.Image], Any] = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms(
        crop_size=preprocessing.crop,
        resize_size=preprocessing.resize,
        interpolation=torchvision.transforms.InterpolationMode(preprocessing.interpolation),
        mean=preprocessing.mean,
        std=preprocessing.std,
    )
    return recipe


def torchvision_preparation(path: Path, preprocessing: Preprocessing = RESNET18.preprocessing) -> Callable[[], Any]:
    """The way of the tutorials: open, convert, torchvision's ``transforms()`` of the weights, with those numbers."""
    transforms = _transforms(preprocessing)

    def prepare() -> Any:  # noqa: ANN401 - a float32 array
        with Image.open(path) as picture:
            return transforms(picture.convert("RGB"))[None].numpy()

    return prepare
