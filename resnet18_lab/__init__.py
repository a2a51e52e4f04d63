"""Understand, run, convert, shrink and time torchvision's ResNet-18 on a CPU, offline."""

__version__ = "0.1.0"

import os as _os

# ONNX Runtime reports its use to its makers and writes an id to the temporary folder unless this is set before it is
# imported; a user who wants that can set it to 0.
_os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
