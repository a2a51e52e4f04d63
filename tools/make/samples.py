"""Make data/samples from the photographs that scikit-image 0.26 and scikit-learn 1.9 carry.

Needs: pip install scikit-image==0.26.0 scikit-learn==1.9.1 (not part of the project's set-up).
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

OUT = Path(__file__).resolve().parents[2] / "data" / "samples"
MAX_BYTES = 60_000
SKIMAGE = "scikit-image 0.26.0, skimage/data"
SKLEARN = "scikit-learn 1.9.1, sklearn/datasets/images"
CC0 = "CC0 1.0"
CC_BY = "CC BY 2.0"
ORIENTATION = 0x0112  # EXIF tag; 6 means: turn a quarter clockwise to see it upright


@dataclass(frozen=True)
class Original:
    """A photograph and what is known of it; ``acceptable`` are class indexes, () is none of the 1,000."""

    target: str
    source: str
    package: str
    author: str
    licence: str
    acceptable: tuple[int, ...]
    note: str


ORIGINALS = [
    Original("astronaut.jpg", "astronaut.png", SKIMAGE, "NASA", "public domain", (), "a person is no class"),
    Original("camera.jpg", "camera.png", SKIMAGE, "Lav Varshney", CC0, (872,), "grey; a camera on its tripod"),
    Original("cat.jpg", "chelsea.png", SKIMAGE, "Stéfan van der Walt", CC0, (281, 282, 285), "a cat's face"),
    Original(
        "china.jpg",
        "china.jpg",
        SKLEARN,
        "danielbuechele (flickr)",
        CC_BY,
        (663, 698),
        "a pavilion of the Summer Palace",
    ),
    Original(
        "clock_motion.jpg",
        "clock_motion.png",
        SKIMAGE,
        "Stéfan van der Walt",
        "public domain",
        (409, 892),
        "grey; a clock blurred by motion",
    ),
    Original("coffee.jpg", "coffee.png", SKIMAGE, "Rachel Michetti", CC0, (504, 967), "a cup of espresso"),
    Original(
        "coffee_portrait.jpg",
        "coffee.png",
        SKIMAGE,
        "Rachel Michetti",
        CC0,
        (504, 967),
        "cut to a portrait, stored lying with EXIF orientation 6",
    ),
    Original(
        "coins.jpg",
        "coins.png",
        SKIMAGE,
        "Brooklyn Museum",
        "no known copyright restrictions",
        (),
        "grey; coins are no class",
    ),
    Original("flower.jpg", "flower.jpg", SKLEARN, "vultilion (flickr)", CC_BY, (), "a dahlia is no class"),
    Original(
        "horse.png",
        "horse.png",
        SKIMAGE,
        "Andreas Preuss",
        CC0,
        (339,),
        "a drawing with an alpha channel; sorrel is the only class of a horse",
    ),
    Original(
        "retina.jpg",
        "retina.jpg",
        SKIMAGE,
        "Häggström, Mikael",
        CC0,
        (),
        "the back of an eye, far from the training data",
    ),
]


def original_path(package: str, source: str) -> Path:
    """Where the installed package keeps the file."""
    name = "skimage/data" if "skimage" in package else "sklearn/datasets/images"
    spec = find_spec(name.split("/", maxsplit=1)[0])
    assert spec and spec.origin, f"install {package} first"
    return Path(spec.origin).parent.joinpath(*name.split("/")[1:], source)


def encode(item: Original) -> bytes:
    """The bytes to commit: PNG for the drawing, else the best JPEG that fits."""
    picture = Image.open(original_path(item.package, item.source))
    if item.target.endswith(".png"):
        out = io.BytesIO()
        picture.save(out, "PNG", optimize=True)
        return out.getvalue()
    picture = picture.convert("L" if picture.mode == "L" else "RGB")
    exif = Image.Exif()
    if "portrait" in item.target:
        picture = picture.crop((150, 0, 450, 400)).transpose(Image.Transpose.ROTATE_90)
        exif[ORIENTATION] = 6
    picture.thumbnail((640, 640), Image.Resampling.LANCZOS)
    return best_jpeg(picture, MAX_BYTES, exif=exif)


def best_jpeg(picture: Image.Image, most_bytes: int, **settings: Any) -> bytes:  # noqa: ANN401 - whatever Pillow takes
    """The picture as the best JPEG of so many bytes at most."""
    for quality in range(92, 40, -2):
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality, optimize=True, **settings)
        if out.tell() <= most_bytes:
            break
    return out.getvalue()


def write_labels(folder: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write labels.csv: a row a picture, its acceptable classes and what it shows."""
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "acceptable", "note"])
        writer.writerows(rows)


def main() -> None:
    """Write the pictures, labels.csv and ATTRIBUTION.md."""
    rows = []
    lines = [
        "# Photographs: authors and licences\n",
        "Re-encoded (and where they were larger, scaled to 640 px) by `tools/make/samples.py`; nothing here is from ImageNet.\n",
        "| file | original | author | package and version | licence | SHA-256 of the original |",
        "|---|---|---|---|---|---|",
    ]
    for item in ORIGINALS:
        (OUT / item.target).write_bytes(encode(item))
        rows.append([item.target, ";".join(map(str, item.acceptable)) or "none", item.note])
        digest = hashlib.sha256(original_path(item.package, item.source).read_bytes()).hexdigest()
        lines.append(
            f"| {item.target} | {item.source} | {item.author} | {item.package} | {item.licence} | `{digest}` |"
        )
    lines.append(
        "\nCC0: https://creativecommons.org/publicdomain/zero/1.0/ · CC BY 2.0: https://creativecommons.org/licenses/by/2.0/\n\n"
        "china.jpg: https://www.flickr.com/photos/danielbuechele/6061409035/ · flower.jpg: "
        "https://www.flickr.com/photos/vultilion/6056698931/ (the package's README prints another name beside this "
        "address; the page's owner is given here). Both were re-encoded.\n"
    )
    (OUT / "ATTRIBUTION.md").write_text("\n".join(lines), encoding="utf-8")
    write_labels(OUT, rows)


if __name__ == "__main__":
    main()
