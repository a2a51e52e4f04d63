"""The web service that tutorials print, for comparison: never run it where strangers can reach it.

Flask's development server; the upload is saved under the name it came with, opened again, put through
torchvision's transforms and torch's eager network. Usage: python tools/records/tutorial_service.py PORT [WEIGHTS]
"""

import sys
import tempfile
from pathlib import Path

import torch
from flask import Flask, Response, jsonify, request
from PIL import Image

from resnet18_lab.benchmark.measure.folder_loops import tutorial_transforms
from resnet18_lab.inference import labels
from resnet18_lab.model.network import load_model

app = Flask(__name__)
uploads = Path(tempfile.mkdtemp(prefix="tutorial-uploads-"))
network = load_model(sys.argv[2] if len(sys.argv) > 2 else "auto").module
classes = [label.en for label in labels.all_labels()]
transform = tutorial_transforms()


@app.route("/predict", methods=["POST"])
def predict() -> Response:
    """The three best classes of the picture in the field ``file``."""
    file = request.files["file"]
    path = uploads / file.filename
    file.save(path)
    image = Image.open(path).convert("RGB")
    batch = transform(image).unsqueeze(0)
    with torch.no_grad():
        output = network(batch)
    scores = torch.nn.functional.softmax(output[0], dim=0)
    values, indexes = torch.topk(scores, 3)
    return jsonify([{"class": classes[i], "score": float(v)} for v, i in zip(values, indexes, strict=True)])


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
