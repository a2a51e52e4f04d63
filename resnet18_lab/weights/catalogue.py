"""The trained weights that are published: names, sizes, hashes, addresses and licences."""

from dataclasses import dataclass

from resnet18_lab.base.errors import ParameterError, unknown_name

PARAMETERS = 11_689_512
"""Of torchvision's ResNet-18 (``ResNet18_Weights.IMAGENET1K_V1.meta["num_params"]``)."""

_COMPACT_URL = (
    "https://raw.githubusercontent.com/facebookresearch/kill-the-bits/"
    "9ea70f1aef44f4ffb14d89fb304dcbcb93a31ec7/src/models/compressed/"
)


@dataclass(frozen=True)
class CatalogueEntry:
    """A published weights file; ``top1`` is its authors' ImageNet-1K validation accuracy in percent."""

    name: str
    filename: str
    bytes: int
    sha256: str
    url: str
    licence: str
    top1: float
    parameters: int = PARAMETERS


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
