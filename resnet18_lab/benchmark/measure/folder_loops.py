"""A folder of pictures to answers: the loop that tutorials print, and this project's pipeline."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from resnet18_lab.base import proc
from resnet18_lab.benchmark.configuration import OURS, Configuration, Effort
from resnet18_lab.benchmark.folder import stage_means
from resnet18_lab.bulk.batch import Job
from resnet18_lab.bulk.pipeline import stream
from resnet18_lab.inference.predictions import Result

_CHUNK = 40
"""Pictures of one sample, about: answers leave the pipeline in batches, so single ones would say nothing."""
_STAGED = 400
"""Pictures whose stages are timed one after the other for the bound."""


def measure_folder(configuration: Configuration, weights: str, folder: Path, effort: Effort) -> dict[str, Any]:
    """Seconds a picture by chunks of answers, pictures a second from the first answer to the last, and peak bytes.

    For this project's pipeline also the mean seconds of each stage, from which its bound follows. The peak is
    the sum over all processes.
    """
    files = sorted(folder.iterdir())[: effort.pictures]
    job = Job(backend=configuration.backend, weights=weights, threads=configuration.threads)
    start = time.perf_counter()
    if configuration.variant == OURS:
        answers: Iterable[int] = _pipeline(files, job, configuration)
    else:
        answers = _TUTORIALS[configuration.backend](files, weights)
    marks = []
    classes = []
    for answer in answers:
        marks.append(time.perf_counter())
        classes.append(answer)
    chunk = min(chunk_of(configuration), len(marks) - 1)
    result = {
        "samples": [(late - early) / chunk for early, late in zip(marks[::chunk], marks[chunk::chunk], strict=False)],
        "chunk": chunk,
        "pictures": len(files),
        "first": marks[0] - start,
        "rate": (len(marks) - 1) / (marks[-1] - marks[0]),
        "answers": classes,
        "peak": _peak_of_all(configuration.workers if configuration.variant == OURS else 0),
    }
    if configuration.variant == OURS:
        result["stages"] = stage_means(files[:_STAGED], job, configuration.batch)
    return result


def chunk_of(configuration: Configuration) -> int:
    """Pictures of one sample: whole rounds of all workers, or full and empty rounds would look like a spread."""
    round_of_all = configuration.workers * configuration.batch
    return round_of_all * max(1, round(_CHUNK / round_of_all))


def _peak_of_all(children: int) -> int | None:
    own = proc.peak_rss()
    if own is None or not children:
        return own
    if sys.platform != "linux":
        return None  # ru_maxrss has another unit elsewhere, or is missing
    import resource

    return own + children * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def _pipeline(files: list[Path], job: Job, configuration: Configuration) -> Iterator[int]:
    for answer in stream(files, job=job, workers=configuration.workers, batch=configuration.batch):
        if answer.error is not None:
            raise answer.error
        assert isinstance(answer, Result)  # noqa: S101 - a job that classifies gives nothing else
        yield answer.predictions[0].index


def _tutorial_eager(files: list[Path], weights: str) -> Iterator[int]:
    from resnet18_lab.model.network import load_model

    return _with_torch(load_model(weights).module, files)


def _tutorial_torchscript(files: list[Path], weights: str) -> Iterator[int]:
    from resnet18_lab.export import torchscript
    from resnet18_lab.model.network import load_model

    return _with_torch(torchscript.traced(load_model(weights).module, freeze=False), files)


def _with_torch(module: Callable[..., Any], files: list[Path]) -> Iterator[int]:
    import torch
    from PIL import Image

    transform = tutorial_transforms()
    for file in files:
        image = Image.open(file).convert("RGB")
        batch = transform(image).unsqueeze(0)
        with torch.no_grad():
            output = module(batch)
        scores = torch.nn.functional.softmax(output[0], dim=0)
        yield int(torch.topk(scores, 3).indices[0])


def _tutorial_onnxruntime(files: list[Path], weights: str) -> Iterator[int]:
    import numpy as np
    import onnxruntime as ort
    from PIL import Image

    from resnet18_lab.inference import artifacts

    path = artifacts.load("onnx-fp32", weights).path
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    transform = tutorial_transforms()
    for file in files:
        image = Image.open(file).convert("RGB")
        batch = transform(image).unsqueeze(0).numpy()
        (output,) = session.run(None, {name: batch})
        scores = np.exp(output[0]) / np.exp(output[0]).sum()
        yield int(scores.argsort()[-3:][::-1][0])


def tutorial_transforms() -> Callable[..., Any]:
    """The preparation as tutorials print it: a picture to float32 3×224×224."""
    from resnet18_lab.model.torchvision import torchvision

    of = torchvision.transforms
    recipe: Callable[..., Any] = of.Compose(
        [
            of.Resize(256),
            of.CenterCrop(224),
            of.ToTensor(),
            of.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    return recipe


_TUTORIALS: dict[str, Callable[[list[Path], str], Iterator[int]]] = {
    "eager": _tutorial_eager,
    "torchscript-traced": _tutorial_torchscript,
    "onnxruntime-fp32": _tutorial_onnxruntime,
}
