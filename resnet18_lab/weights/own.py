"""Networks with classes of one's own: what ``finetune`` made, by name, in ``models/`` under the project's home.

A folder holds the weights, the class names, the card that describes both, and the features of the training pictures.
"""

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.errors import WeightsError
from resnet18_lab.base.networks import NETWORKS, Network

WEIGHTS, LABELS, CARD, FEATURES = "weights.safetensors", "labels.csv", "card.json", "features.npz"
SPLIT, CARD_TEXT = "split.csv", "card.md"
HASHED = (WEIGHTS, LABELS, FEATURES)
"""The files whose SHA-256 the card holds."""
FORMAT = 1
TOLD = "resnet18_lab"
"""The entry of the weights file's metadata: JSON of how deep was learned, and of which parent."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_LARGEST_CARD = 32_000_000
"""Bytes: the confusion of some thousand classes."""
_MOST_CLASSES = 100_000


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
    """The model of that name; None where there is none. WeightsError for one whose card is damaged."""
    folder = paths.models_dir() / name
    if not is_own_name(name) or not (folder / CARD).is_file():
        return None
    return read_model(name, folder)


def own_models() -> list[OwnModel]:
    """All whose card can be read, by name."""
    found = []
    for name in own_names():
        with contextlib.suppress(WeightsError):
            found.append(read_model(name, paths.models_dir() / name))
    return found


def own_names() -> list[str]:
    """Names of the folders in ``models/`` that hold a card, whatever it says."""
    return [path.parent.name for path in sorted(paths.models_dir().glob(f"*/{CARD}")) if is_own_name(path.parent.name)]


def read_model(name: str, folder: Path) -> OwnModel:
    """The model in any folder; WeightsError where the card is damaged, of another version, or of an unknown network."""
    path = folder / CARD
    try:
        if path.stat().st_size > _LARGEST_CARD:
            raise ValueError("it is too large")
        card = json.loads(path.read_text(encoding="utf-8"))
        _refuse_unlike(card)
        return OwnModel(name, folder, card, _network_in(card["network"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path} is damaged ({error}); make {name} anew or import it.") from error


def _refuse_unlike(card: dict[str, Any]) -> None:
    """Raise ValueError for a card without what every reader relies on."""
    if card["format"] != FORMAT:
        raise ValueError("it is of another version")
    files, classes, top1 = card["files"], card["data"]["classes"], card["results"]["top1"]
    texts = [card["parent"]["licence"], card["parent"]["weights"], card["made"], *(files[name] for name in HASHED)]
    numbers = [top1["hits"], top1["of"], top1["share"]]
    if not all(isinstance(text, str) and text.isprintable() for text in [*texts, *classes]):
        raise ValueError("it has something else where texts are expected")
    if not all(isinstance(number, int | float) for number in numbers):
        raise ValueError("it has something else where numbers are expected")


def _network_in(told: dict[str, Any]) -> Network:
    """The network of a card, made of the one of that name here: nothing else of a card is believed.

    Raises ValueError or KeyError for a card that describes another.
    """
    base, classes, resize = NETWORKS[told["name"]], told["classes"], told["preprocessing"]["resize"]
    if type(classes) is not int or type(resize) is not int or not 2 <= classes <= _MOST_CLASSES:
        raise ValueError("it has an impossible number of classes")
    steps = replace(base.preprocessing, resize=resize)
    network = with_classes(replace(base, preprocessing=steps), classes)
    if json.loads(json.dumps(network.as_json())) != told or not base.crop <= resize <= 2 * base.crop:
        raise ValueError(f"it describes no {base.title}")
    return network


def with_classes(network: Network, classes: int) -> Network:
    """The description with as many classes; its parameters are fewer or more by the last layer's rows."""
    more = (classes - network.classes) * (network.features + 1)
    return replace(network, classes=classes, parameters=network.parameters + more)


def identity(weights_sha256: str, labels_sha256: str) -> str:
    """SHA-256 that stands for weights and class names together: other names are another model."""
    return hashlib.sha256(f"{weights_sha256} {labels_sha256}".encode()).hexdigest()
