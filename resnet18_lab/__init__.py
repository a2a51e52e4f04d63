"""Understand, run, convert, shrink and time torchvision's ResNet-18 on a CPU, offline.

The public names; each is imported when it is first used, so that importing the package costs next to nothing:

- ``classify``: the answer for one picture (a path, bytes, a binary file or a Pillow picture).
- ``stream``: answers for any number of files, by worker processes, in order.
- ``evaluate``: how often engines are right on labelled pictures.
- ``open_engine``: an engine ready to run batches: float32 N×3×224×224 -> float32 N×1000.
- ``preprocess``: an RGB Pillow picture as float32 1×3×224×224.
- ``labels``: the 1,000 classes. ``samples``: the project's own photographs.
- ``load_model``: the torch module, with weights of any known file. ``build``: the files that engines run.
- ``fetch_weights``: a download, verified by its SHA-256.
- ``Result``: an answer. ``LabError``: the root of every error.
"""

import os as _os

__version__ = "0.1.0"

# ONNX Runtime reports its use to its makers and writes an id to the temporary folder unless this is set before it is
# imported; a user who wants that can set it to 0.
_os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_PUBLIC = {
    "classify": ("inference.classify", "classify"),
    "stream": ("bulk.pipeline", "stream"),
    "evaluate": ("inference.evaluate", "evaluate"),
    "open_engine": ("inference.registry", "open_engine"),
    "preprocess": ("preprocessing.transform", "preprocess"),
    "labels": ("inference.labels", "all_labels"),
    "samples": ("base.samples", "load_samples"),
    "load_model": ("model.network", "load_model"),
    "build": ("export.build", "build"),
    "fetch_weights": ("weights.fetch", "fetch_weights"),
    "Result": ("inference.predictions", "Result"),
    "LabError": ("base.errors", "LabError"),
}
"""Public name -> module below this package, and the name there. ``__init__.pyi`` says the same to editors."""

__all__ = [*_PUBLIC, "__version__"]  # noqa: PLE0604 - names of the table above


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, there = _PUBLIC[name]
    value = getattr(import_module(f"{__name__}.{module}"), there)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
