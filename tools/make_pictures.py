"""Make the pictures of README from real runs: docs/images/gallery.jpg."""

from pathlib import Path

from resnet18_lab import classify, images, plots, preprocess, samples
from resnet18_lab.backends.registry import open_backend

OUT = Path(__file__).resolve().parent.parent / "docs" / "images"


def main() -> None:
    """Write the gallery of all samples with the answers of the default engine."""
    photographs = samples.load()
    with open_backend("onnxruntime-fp32") as engine:
        results = list(classify.classify_files([photo.path for photo in photographs], engine))
        name = engine.engine.weights
    crops = [preprocess.crop(images.decode(photo.path)) for photo in photographs]
    figure = plots.gallery(photographs, crops, results, name)
    OUT.mkdir(parents=True, exist_ok=True)
    figure.savefig(OUT / "gallery.jpg", dpi=80, pil_kwargs={"quality": 80, "optimize": True})


if __name__ == "__main__":
    main()
