"""Make data/labelled, photographs to count right answers on, from packages of Debian 12.

Usage: python tools/make/labelled.py FOLDER, where the packages that labelled.csv names are unpacked
(apt-get download PACKAGE && dpkg-deb -x PACKAGE_*.deb FOLDER). Nothing here is from ImageNet.
"""

import csv
import hashlib
import io
import struct
import sys
import zlib
from functools import cache
from pathlib import Path

from PIL import Image
from samples import best_jpeg, write_labels

OUT = Path(__file__).resolve().parents[2] / "data" / "labelled"
TABLE = Path(__file__).with_suffix(".csv")
MAX_BYTES = 46_000
LONGEST_SIDE = 480
IN_ARCHIVE = "!"
"""Between the path of a Qt resource file and the path inside it."""
_NODE = struct.Struct(">IHII8x")  # of format 2 on: name, flags, first child or the locale, data; when it was changed
_FOLDER, _COMPRESSED = 2, 1


class ResourceFile:
    """The files in a Qt resource file (``.rcc``, its format versions 2 and 3), by path."""

    def __init__(self, path: Path) -> None:
        self._bytes = path.read_bytes()
        magic, version, self._tree, self._data, self._names = struct.unpack(">4s4I", self._bytes[:20])
        assert magic == b"qres", path
        assert version > 1, path
        self.files: dict[str, bytes] = {}
        self._walk(0, "")

    def _walk(self, node: int, place: str) -> None:
        name, flags, first, second = _NODE.unpack_from(self._bytes, self._tree + node * _NODE.size)
        path = f"{place}/{self._name(name)}" if node else place
        if flags & _FOLDER:
            for child in range(second, second + first):
                self._walk(child, path)
            return
        at = self._data + second
        (length,) = struct.unpack_from(">I", self._bytes, at)
        content = self._bytes[at + 4 : at + 4 + length]
        self.files[path] = zlib.decompress(content[4:]) if flags & _COMPRESSED else content

    def _name(self, offset: int) -> str:
        at = self._names + offset
        (length,) = struct.unpack_from(">H", self._bytes, at)
        return self._bytes[at + 6 : at + 6 + 2 * length].decode("utf-16-be")


@cache
def archive(path: Path) -> ResourceFile:
    """The resource file, read once."""
    return ResourceFile(path)


def original(folder: Path, path: str) -> bytes:
    """The bytes of a picture in the unpacked packages."""
    file, inside, name = path.partition(IN_ARCHIVE)
    return archive(folder / file).files[name] if inside else (folder / file).read_bytes()


def encode(data: bytes) -> bytes:
    """The bytes to commit: the best JPEG that fits, upright and without metadata."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return best_jpeg(picture, MAX_BYTES)


def main() -> None:
    """Write the pictures, labels.csv and ATTRIBUTION.md."""
    folder = Path(sys.argv[1])
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["file"])
    lines = [
        "# Photographs: authors and licences\n",
        "Re-encoded as JPEG, and where they were larger scaled down, by `tools/make/labelled.py`, which names the path of each in "
        "its package. The licence and the author are those that the package states beside the picture; *source* is the "
        "address that it gives. Nothing here is from ImageNet.\n",
        "| file | author | licence | source | package | SHA-256 of the original |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        data = original(folder, row["path"])
        (OUT / row["file"]).write_bytes(encode(data))
        digest = hashlib.sha256(data).hexdigest()
        told = [row["file"], row["author"], row["licence"], row["source"], row["package"], f"`{digest}`"]
        lines.append(f"| {' | '.join(told)} |")
    licences = ["CC0: https://creativecommons.org/publicdomain/zero/1.0/"]
    licences += [f"CC BY {v}: https://creativecommons.org/licenses/by/{v}/" for v in ("2.0", "3.0", "4.0")]
    (OUT / "ATTRIBUTION.md").write_text("\n".join([*lines, "", " · ".join(licences), ""]), encoding="utf-8")
    write_labels(OUT, ([row["file"], row["acceptable"], row["note"]] for row in rows))


if __name__ == "__main__":
    main()
