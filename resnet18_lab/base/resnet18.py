"""The network's own numbers, each stated here alone (``ResNet18_Weights.IMAGENET1K_V1`` and He et al., CVPR 2016)."""

from resnet18_lab.base.errors import ParameterError

RESIZE, CROP = 256, 224
"""Short side in pixels before the crop, and side of the crop that the network sees."""
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of ImageNet's training pictures by colour, values 0..1: what is taken off, and what is divided by."""
SHAPE = (3, CROP, CROP)
"""One picture as the network takes it: colours, rows, columns."""
CLASSES = 1000
FEATURES = 512
"""Numbers of a picture before the last layer."""
PARAMETERS = 11_689_512
GMACS = 1.814
"""10⁹ multiplications with addition for one picture."""


def check_top_k(count: int) -> None:
    """Raise ParameterError unless so many best classes may be asked for."""
    if not 1 <= count <= CLASSES:
        raise ParameterError(f"top_k={count} is not allowed; give 1 to {CLASSES}.")
