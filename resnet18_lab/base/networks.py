"""The networks as data: what each takes, gives and is made of. Adding one is one entry of ``NETWORKS``.

Nothing here needs torch: a machine that only runs artifacts reads the same description from their folder.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from resnet18_lab.base.errors import ParameterError, unknown_name

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of ImageNet's training pictures by colour, values 0..1: what is taken off, and what is divided by."""


@dataclass(frozen=True)
class Preprocessing:
    """From an upright RGB picture to a network's input.

    ``resize`` is the short side in pixels before the crop, ``crop`` the side of the square that the network sees,
    ``interpolation`` a name of Pillow's; ``mean`` and ``std`` are by colour, of values 0..1.
    """

    resize: int = 256
    crop: int = 224
    interpolation: str = "bilinear"
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD

    @property
    def shape(self) -> tuple[int, int, int]:
        """One picture as the network takes it: colours, rows, columns."""
        return 3, self.crop, self.crop

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """What ``dataclasses.asdict`` wrote, as JSON gives it back; KeyError or TypeError for anything else."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in content.items() if name in known}
        for name in ("mean", "std"):
            values[name] = tuple(values[name])
        return cls(**values)


@dataclass(frozen=True)
class Network:
    """A network and its numbers.

    ``builder`` names what makes it, a package and a name there. ``features`` is how many numbers of a picture stand
    before its last layer, which is the module ``head``. ``gmacs`` are 10⁹ multiplications with addition for one
    picture. ``stages`` are the modules that lessons look into; a network without any is run and measured only.
    ``int8`` says who quantizes it: ``ours`` or ``onnxruntime``; ``int8_default`` is False where that costs more than
    2 points of right answers (docs/networks.md), so that it answers only when asked for by name.
    """

    name: str
    title: str
    builder: tuple[str, str]
    features: int
    parameters: int
    gmacs: float
    preprocessing: Preprocessing = Preprocessing()
    head: str = "fc"
    stages: tuple[str, ...] = ()
    classes: int = 1000
    int8: str = "ours"
    int8_default: bool = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """One picture as the network takes it: colours, rows, columns."""
        return self.preprocessing.shape

    @property
    def crop(self) -> int:
        """Side in pixels of the square it sees."""
        return self.preprocessing.crop

    def as_json(self) -> dict[str, Any]:
        """What a manifest records: enough to run it, and to say what it is."""
        return {name: value for name, value in asdict(self).items() if name not in ("builder", "head", "stages")}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The network of a manifest, which need not be one of ``NETWORKS``; KeyError or TypeError for anything else."""
        known = {field.name for field in fields(cls)} - {"builder", "head", "stages"}
        values = {name: value for name, value in content.items() if name in known}
        values["preprocessing"] = Preprocessing.from_json(values["preprocessing"])
        if (same := NETWORKS.get(values["name"])) is not None:
            values |= {"head": same.head, "stages": same.stages, "builder": same.builder}
        return cls(**{"builder": ("", ""), **values})


_RESNET_STAGES = ("stem", "layer1", "layer2", "layer3", "layer4", "head")


def _lite(number: int, crop: int, resize: int, parameters: int, gmacs: float) -> Network:
    """An EfficientNet-Lite; its preprocessing, (pixel - 127) / 128 after bicubic resizing, is its authors'."""
    name = f"efficientnet-lite{number}"
    centre, scale = (127 / 255,) * 3, (128 / 255,) * 3
    return Network(
        name, f"EfficientNet-Lite{number}", ("efficientnet_lite_pytorch", name), 1280, parameters, gmacs,
        Preprocessing(resize, crop, "bicubic", centre, scale), head="_fc", int8="onnxruntime",
    )  # fmt: skip


RESNET18 = Network("resnet18", "ResNet-18", ("torchvision", "resnet18"), 512, 11_689_512, 1.814, stages=_RESNET_STAGES)
"""The default of everything (He et al., CVPR 2016; ``ResNet18_Weights.IMAGENET1K_V1``)."""

NETWORKS = {
    network.name: network
    for network in (
        RESNET18,
        Network("resnet34", "ResNet-34", ("torchvision", "resnet34"), 512, 21_797_672, 3.664, stages=_RESNET_STAGES),
        Network("resnet50", "ResNet-50", ("torchvision", "resnet50"), 2048, 25_557_032, 4.089, stages=_RESNET_STAGES),
        _lite(0, 224, 256, 4_652_008, 0.385),
        _lite(1, 240, 272, 5_416_680, 0.600),
        _lite(2, 260, 292, 6_092_072, 0.860),
    )
}
"""Parameters and multiplications of torchvision's are those of its weights' ``meta``; the others are counted."""


def network_named(name: str) -> Network:
    """The network of a name; ParameterError names the nearest one."""
    if name in NETWORKS:
        return NETWORKS[name]
    raise ParameterError(unknown_name("network", name, NETWORKS))


def check_top_k(count: int, classes: int = RESNET18.classes) -> None:
    """Raise ParameterError unless so many best classes may be asked for."""
    if not 1 <= count <= classes:
        raise ParameterError(f"top_k={count} is not allowed; give 1 to {classes}.")
