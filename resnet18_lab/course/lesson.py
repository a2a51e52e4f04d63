"""One run of a notebook: what it was run with and where, what it concludes, and its results file."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from resnet18_lab.base.conclusion import Conclusion, lines
from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.base.machine import cpu_model, usable_cores
from resnet18_lab.base.networks import RESNET18, Network
from resnet18_lab.base.proc import machine_time, taken_by_others
from resnet18_lab.benchmark.kept_records import Measuring
from resnet18_lab.benchmark.results.conclusions import noise_by
from resnet18_lab.course.own_time import OwnTime
from resnet18_lab.course.report.kernels import PROFILE_VARIABLE
from resnet18_lab.inference.artifacts import INT8, formats_of
from resnet18_lab.weights.find import find_weights
from resnet18_lab.weights.names import AUTO, split_name

OF_ANY_NETWORK = ("02_classification", "06_preprocessing")
"""Lessons that take another network than ResNet-18; the others look into its layers."""


OF_ANY_CLASSES = ("03_conversion", "05_thread_benchmark", "07_bulk", "08_serving")
"""Lessons that take ResNet-18 with classes of one's own; what the others show is about ImageNet's."""

_IN_INT8 = ("06_preprocessing",)
"""Of the lessons of any network, the ones that look into the INT8 file."""


def lessons_of(network: Network) -> list[str] | None:
    """The lessons that this CPU can run on such a network; None is all of them."""
    if network is RESNET18:
        return None
    if network.classes != RESNET18.classes:
        return list(OF_ANY_CLASSES) if network.name == RESNET18.name else []
    has_int8 = INT8 in formats_of(network)
    return [name for name in OF_ANY_NETWORK if has_int8 or name not in _IN_INT8]


def network_for(lesson: str, weights: str) -> Network:
    """The network of these weights; ParameterError where the lesson is about others, or ImageNet's classes."""
    network, rest = split_name(weights)
    if os.sep in rest or Path(rest).suffix:  # a known file says by its hash what it is
        network = find_weights(weights).network
    lessons = lessons_of(network)
    if lessons is None or lesson in lessons:
        return network
    if network.classes != RESNET18.classes:
        about = f"{lesson} is about {RESNET18.title} and ImageNet's classes, and {weights} has classes of its own"
        raise ParameterError(f"{about}; on such networks run {', '.join(lessons)}." if lessons else f"{about}.")
    if lesson in OF_ANY_NETWORK:
        raise ParameterError(f"{lesson} looks into the INT8 file, which {network.title} has on CPUs with VNNI alone.")
    raise ParameterError(
        f"{lesson} looks into {RESNET18.title}, and {weights} are weights of {network.title}; of any network are "
        f"{' and '.join(OF_ANY_NETWORK)}."
    )


@dataclass
class Part:
    """A measured part of a lesson; at its end ``noise`` says why its times support no sentence, or is empty."""

    noise: str = ""


class Lesson:
    """One run of the notebook ``name``; ``variables`` are the notebook's own, of which the annotated are parameters."""

    def __init__(self, name: str, variables: Mapping[str, Any]) -> None:
        self.name = name
        self.parameters = {each: variables[each] for each in variables.get("__annotations__", {})}
        if "results_dir" not in self.parameters:
            raise ParameterError(f"{name} begins before its parameters are set; run it from the top.")
        self.network = network_for(name, str(self.parameters.get("weights", AUTO)))
        profile = self.parameters.get("profile") or os.environ.get(PROFILE_VARIABLE, "fast")
        others = {each: value for each, value in self.parameters.items() if each != "profile"}
        self._measuring = Measuring(profile=str(profile), **others)
        self.conclusions: list[Conclusion] = []

    def where(self, weights: str, *, trained: bool) -> str:
        """Which weights the figures below come from, and which machine."""
        kind = "trained" if trained else "UNTRAINED: answers mean nothing"
        of = "" if self.network is RESNET18 else f" of {self.network.title}"
        return f"weights {weights}{of} ({kind}), {usable_cores()} usable cores of {cpu_model()}"

    @contextmanager
    def measured(self) -> Iterator[Part]:
        """A part whose times need the machine for themselves: what others did meanwhile is noted."""
        part, before, began = Part(), machine_time(), time.perf_counter()
        with OwnTime() as own:
            yield part
        taken = taken_by_others(before, machine_time(), own.seconds, time.perf_counter() - began)
        part.noise = noise_by(sum(taken.values())) if taken else ""  # no /proc: the intervals have to do

    def say(self, *conclusions: Conclusion) -> str:
        """The conclusions, or why they are withheld, a line each; they are kept for the results."""
        self.conclusions += conclusions
        return lines(conclusions)

    @staticmethod
    def answers(*answers: str | Conclusion) -> str:
        """The answers to the questions that the lesson began with, a line each, numbered as they were."""
        return "\n".join(f"{number}. {answer}" for number, answer in enumerate(answers, start=1))

    def write(self, content: dict[str, Any]) -> str:
        """Write the results and the conclusions as a record; their names, sorted, for the notebook to show."""
        path = self.folder / f"{self.name}.json"
        self._measuring.write(path, {**content, "conclusions": [asdict(each) for each in self.conclusions]})
        return ", ".join(sorted(content))

    @property
    def folder(self) -> Path:
        """Where results go: ``results_dir``, else ``results`` in $RESNET18_LAB_HOME, else beside the notebook.

        One installation may be for many: what this user may not write is passed over. LabError when nothing is left.
        """
        if self.parameters["results_dir"]:
            return Path(self.parameters["results_dir"])
        places = [Path(place) for place in (os.environ.get("RESNET18_LAB_HOME"), Path.cwd()) if place]
        for place in places:
            if os.access(place / "results" if (place / "results").exists() else place, os.W_OK):
                return place / "results"
        looked = " and ".join(map(str, places))
        raise LabError(
            f"No results can be written into {looked}; copy the notebooks to your own folder, or set results_dir."
        )
