"""What an ONNX file says of itself; without torch."""

import hashlib
import json

import onnx

from resnet18_lab.inference import labels
from resnet18_lab.weights.find import WeightsFile


def stamp(proto: onnx.ModelProto, file: WeightsFile) -> None:
    """Write into the file what it is: network, preprocessing, weights, and the SHA-256 of the class names."""
    network = file.network.as_json()
    onnx.helper.set_model_props(proto, {
        "network": file.network.name,
        "preprocessing": json.dumps(network.pop("preprocessing"), sort_keys=True),
        "description": json.dumps(network, sort_keys=True),
        "weights": file.name,
        "weights_sha256": file.sha256,
        "labels_sha256": hashlib.sha256(labels.content_of(file)).hexdigest(),
    })  # fmt: skip
