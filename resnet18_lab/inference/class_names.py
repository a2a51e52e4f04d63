"""The class names that belong to weights, without opening an engine."""

from resnet18_lab.base.errors import LabError
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.labels import Label, all_labels, labels_in
from resnet18_lab.weights.find import find_weights


def class_names(weights: str = "auto") -> tuple[Label, ...]:
    """The classes of the logits that engines on these weights give, by index; ImageNet's where nothing is found."""
    try:
        path = artifacts.open_folder(weights).labels_path or find_weights(weights).labels_path
    except LabError:  # opening the engine will say it
        path = None
    return labels_in(path.read_bytes()) if path else all_labels()
