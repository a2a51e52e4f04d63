"""Make the pictures of README from real runs: docs/images/gallery.jpg."""

from pathlib import Path

from resnet18_lab.base.samples import load_samples
from resnet18_lab.course.classification import figures
from resnet18_lab.inference.classify import classify_files
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode

OUT = Path(__file__).resolve().parents[2] / "docs" / "images"


def main() -> None:
    """Write the gallery of all samples with the answers of the default engine."""
    photographs = load_samples()
    with open_engine("onnxruntime-fp32") as engine:
        results = list(classify_files([photo.path for photo in photographs], engine))
        name = engine.engine.weights
    crops = [transform.crop(decode(photo.path)) for photo in photographs]
    figure = figures.gallery(photographs, crops, results, name)
    OUT.mkdir(parents=True, exist_ok=True)
    figure.savefig(OUT / "gallery.jpg", dpi=80, pil_kwargs={"quality": 80, "optimize": True})


if __name__ == "__main__":
    main()
