from resnet18_lab.base.errors import LabError as LabError
from resnet18_lab.base.samples import load_samples as samples
from resnet18_lab.bulk.pipeline import stream as stream
from resnet18_lab.export.build import build as build
from resnet18_lab.inference.classify import classify as classify
from resnet18_lab.inference.evaluate import evaluate as evaluate
from resnet18_lab.inference.labels import all_labels as labels
from resnet18_lab.inference.predictions import Result as Result
from resnet18_lab.inference.registry import open_engine as open_engine
from resnet18_lab.model.network import load_model as load_model
from resnet18_lab.preprocessing.transform import preprocess as preprocess
from resnet18_lab.weights.fetch import fetch_weights as fetch_weights

__version__: str
__all__ = [
    "LabError",
    "Result",
    "__version__",
    "build",
    "classify",
    "evaluate",
    "fetch_weights",
    "labels",
    "load_model",
    "open_engine",
    "preprocess",
    "samples",
    "stream",
]
