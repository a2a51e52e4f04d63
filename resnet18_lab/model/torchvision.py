"""The one place that imports torchvision, with or without its compiled operators.

A torchvision wheel built for CUDA cannot load its compiled operators beside a CPU build of torch, and
its import then fails because the schema of ``torchvision::nms`` is missing. ResNet-18 needs none of
those operators, so in that one case their schemas are declared and the import is tried again.
"""

import sys
from types import ModuleType

import torch

_MISSING_OPERATOR = "operator torchvision::nms does not exist"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library: torch.library.Library | None = None  # kept alive: the schemas vanish when it is garbage-collected


def _import_torchvision() -> ModuleType:
    global _library  # noqa: PLW0603 - the library must outlive this call
    try:
        import torchvision
    except RuntimeError as error:
        if _MISSING_OPERATOR not in str(error):
            raise
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # half-imported modules would answer the second try
        _library = torch.library.Library("torchvision", "DEF")
        for schema in _SCHEMAS:
            _library.define(schema)
        import torchvision
    return torchvision  # type: ignore[no-any-return, unused-ignore]


def compiled_operators() -> bool:
    """True when torchvision's own compiled operators are loaded, False when only their schemas are."""
    return _library is None


torchvision = _import_torchvision()
