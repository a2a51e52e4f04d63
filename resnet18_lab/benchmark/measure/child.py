"""The process that measures: a task as JSON on stdin, its result as JSON on stdout, nothing else there."""

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resnet18_lab.benchmark.configuration import Configuration, Effort

_ENTERED = time.time()  # before the imports below are paid for


def _result(task: dict[str, Any]) -> dict[str, Any]:
    from resnet18_lab.benchmark.configuration import Configuration, Effort

    configuration = Configuration(**task["configuration"])
    effort = Effort(**task["effort"])
    if configuration.affinity and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, configuration.affinity)
    if configuration.suite == "peak":
        from resnet18_lab.benchmark.measure.peak import measure_peak

        return measure_peak(configuration.threads)
    if configuration.suite == "cold-start":
        return _cold_start(task, configuration.backend, configuration.threads)
    if configuration.suite == "end-to-end":
        from resnet18_lab.benchmark.measure.folder_loops import measure_folder

        return measure_folder(configuration, task["weights"], Path(task["picture"]), effort)
    return _with_engine(configuration, task, effort)


def _with_engine(configuration: "Configuration", task: dict[str, Any], effort: "Effort") -> dict[str, Any]:
    """The suites that measure an engine of this process, opened anew where a suite wants it."""
    from resnet18_lab.benchmark.measure import loops, stages

    def open_one() -> Any:  # noqa: ANN401 - an Engine, whose module is imported only by the suites that need it
        if configuration.file:
            from resnet18_lab.inference.onnxruntime import open_file

            return open_file(Path(configuration.file), configuration.threads, configuration.spinning)
        from resnet18_lab.inference.registry import open_engine

        return open_engine(
            configuration.backend,
            weights=task["weights"],
            threads=configuration.threads,
            spinning=configuration.spinning,
        )

    if configuration.suite == "stages":
        return stages.measure_stages(open_one, effort)
    if configuration.suite == "sizes":
        return stages.measure_size(open_one, Path(task["picture"]), configuration.preparation, effort)
    from importlib import import_module

    from resnet18_lab.inference.registry import spec_of

    module = "resnet18_lab.inference.onnxruntime" if configuration.file else spec_of(configuration.backend).module
    import_module(module)  # memory is compared with the engine's module imported and no weights loaded
    if (torch := sys.modules.get("torch")) is not None:  # ONNX Runtime has 1 in every session
        torch.set_num_interop_threads(configuration.interop_threads)
    return loops.run_engine(open_one, configuration, effort)


def _cold_start(task: dict[str, Any], backend: str, threads: int) -> dict[str, Any]:
    """Seconds from the start of the process (the parent's clock) to the first answer, and its parts."""
    from importlib import import_module

    from resnet18_lab.base import proc
    from resnet18_lab.inference.classify import classify_files
    from resnet18_lab.inference.registry import open_engine, spec_of

    import_module(spec_of(backend).module)
    imported = time.time()
    with open_engine(backend, weights=task["weights"], threads=threads) as engine:
        loaded = time.time()
        (answer,) = classify_files([task["picture"]], engine)
        answered = time.time()
        peak = proc.peak_rss()
    return {
        "samples": [answered - task["spawned"]],
        "parts": {
            "start": _ENTERED - task["spawned"],
            "import": imported - _ENTERED,
            "load": loaded - imported,
            "first call": answered - loaded,
        },
        "peak": peak,
        "answer": answer.predictions[0].index,
    }


def main() -> None:
    """Do the task; what libraries print goes to stderr."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    result = _result(json.load(sys.stdin))
    json.dump(result, answer)
    answer.close()


if __name__ == "__main__":
    main()
