"""Understand, run, convert, shrink and time torchvision's ResNet-18 on a CPU, offline."""

__version__ = "0.1.0"
