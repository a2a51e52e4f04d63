"""Networks with classes of one's own: what ``finetune`` made, by name, in ``models/`` under the project's home.

A folder holds the weights, the class names, the card that describes both, and the features of the training pictures.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.errors import WeightsError
from resnet18_lab.base.networks import Network

WEIGHTS, LABELS, CARD, FEATURES = "weights.safetensors", "labels.csv", "card.json", "features.npz"
HASHED = (WEIGHTS, LABELS, FEATURES)
"""The files whose SHA-256 the card holds."""
FORMAT = 1
TOLD = "resnet18_lab"
"""The entry of the weights file's metadata: JSON of how deep was learned, and of which parent."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_LARGEST_CARD = 4_000_000


@dataclass(frozen=True)
class OwnModel:
    """A folder of ``models/`` whose card was read; its files are verified when they are used."""

    name: str
    folder: Path
    card: dict[str, Any]
    network: Network

    @property
    def labels_path(self) -> Path:
        """The class names, in the order of the logits."""
        return self.folder / LABELS

    @property
    def licence(self) -> str:
        """What may be done with it: the licence of the weights that it was made from."""
        return str(self.card["parent"]["licence"])

    def verified(self, filename: str, *, remember: bool = True) -> tuple[Path, str]:
        """Path and SHA-256 of one of its files; WeightsError for one that is missing or not what the card says."""
        path = self.folder / filename
        try:
            digest = hashing.sha256(path, remember=remember)
        except OSError as error:
            raise WeightsError(
                f"{path} cannot be read: {error.strerror}; make {self.name} anew or import it."
            ) from error
        if digest != self.card["files"].get(filename):
            raise WeightsError(
                f"{path} is not the file that {CARD} beside it describes; make {self.name} anew or import it."
            )
        return path, digest


def is_own_name(name: str) -> bool:
    """True for a text that may be the name of a folder in ``models/``."""
    return _NAME.fullmatch(name) is not None


def own_model(name: str) -> OwnModel | None:
    """The network of that name; None where there is none. WeightsError for one whose card is damaged."""
    folder = paths.models_dir() / name
    if not is_own_name(name) or not (folder / CARD).is_file():
        return None
    return read_model(name, folder)


def own_models() -> list[OwnModel]:
    """All of them, by name; WeightsError for one whose card is damaged."""
    found = (own_model(folder.name) for folder in sorted(paths.models_dir().glob("*/")))
    return [model for model in found if model is not None]


def read_model(name: str, folder: Path) -> OwnModel:
    """The model in any folder; WeightsError where the card is damaged or of another version."""
    path = folder / CARD
    try:
        if path.stat().st_size > _LARGEST_CARD:
            raise ValueError("it is too large")
        card = json.loads(path.read_text(encoding="utf-8"))
        network = Network.from_json(card["network"])
        if (
            card["format"] != FORMAT
            or not set(HASHED) <= set(card["files"])
            or not isinstance(card["parent"]["licence"], str)
        ):
            raise ValueError("it is of another version")
        return OwnModel(name, folder, card, network)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path} is damaged ({error}); make {name} anew or import it.") from error


def identity(weights_sha256: str, labels_sha256: str) -> str:
    """SHA-256 that stands for weights and class names together: other names are another model."""
    return hashlib.sha256(f"{weights_sha256} {labels_sha256}".encode()).hexdigest()
