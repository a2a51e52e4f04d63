"""The trained weights that are published: names, sizes, hashes, addresses and licences."""

from dataclasses import dataclass

from resnet18_lab.base.errors import ParameterError, unknown_name
from resnet18_lab.base.resnet18 import PARAMETERS

_COMPACT_URL = (
    "https://raw.githubusercontent.com/facebookresearch/kill-the-bits/"
    "9ea70f1aef44f4ffb14d89fb304dcbcb93a31ec7/src/models/compressed/"
)


@dataclass(frozen=True)
class CatalogueEntry:
    """A published weights file.

    ``top1`` is its authors' ImageNet-1K validation accuracy in percent, None where there is none; ``measured`` says
    instead what was measured here. A ``bundled`` file comes with the project and has no address.
    """

    name: str
    filename: str
    bytes: int
    sha256: str
    url: str
    licence: str
    top1: float | None
    parameters: int = PARAMETERS
    measured: str = ""
    bundled: bool = False


CATALOGUE = (
    CatalogueEntry(
        name="official",
        filename="resnet18-f37072fd.pth",
        bytes=46_830_571,
        sha256="f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        url="https://download.pytorch.org/models/resnet18-f37072fd.pth",
        licence="BSD-3-Clause (torchvision)",
        top1=69.758,
    ),
    CatalogueEntry(
        name="compact",
        filename="resnet18_small_blocks.pth",
        bytes=1_669_921,
        sha256="54e98666166baa8f5e6fd783b75fef3780e8c9069351ae146781b23f6a0f4729",
        url=_COMPACT_URL + "resnet18_small_blocks.pth",
        licence="CC BY-NC 4.0",
        top1=65.81,
    ),
    CatalogueEntry(
        name="compact-large",
        filename="resnet18_large_blocks.pth",
        bytes=1_133_329,
        sha256="16715ee4ba103002eef623f2d916def438009f155a8a470de1cf4467f0610c65",
        url=_COMPACT_URL + "resnet18_large_blocks.pth",
        licence="CC BY-NC 4.0",
        top1=61.18,
    ),
    CatalogueEntry(
        name="distilled",
        filename="resnet18-distilled.npz",
        bytes=11817296,
        sha256="4e973e7920b7c86bb375de9ebb5542c843e170c27bd582ca801bccfdcc2dc30f",
        url="",
        licence="MIT",
        top1=None,
        measured="173 of 250 labelled pictures (compact: 192); see weights/resnet18-distilled.md",
        bundled=True,
    ),
)


def catalogue() -> tuple[CatalogueEntry, ...]:
    """The published files, the one that ``auto`` prefers first."""
    return CATALOGUE


def entry_named(name: str) -> CatalogueEntry:
    """The catalogue's entry of that name; ParameterError names the nearest one."""
    for entry in CATALOGUE:
        if entry.name == name:
            return entry
    raise ParameterError(unknown_name("weights file of the name", name, [entry.name for entry in CATALOGUE]))
