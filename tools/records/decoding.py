"""Measure what decoding costs, layout by layout, and write docs/records/decoding.json.

Usage: python tools/records/decoding.py [--side 5000] [--pictures 1200] [--rounds 7]     nothing else should run

Each picture is the dearest of its layout: turned by EXIF, in a colour profile, transparent where the format allows it.
A fresh process decodes it; its peak of memory and its CPU time are read from the system. Then ordinary pictures are
classified with decoding processes and without (tools/records/decoding_price.py).
"""

import argparse
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from decoding_price import price
from PIL import Image, ImageCms

from resnet18_lab.base import paths
from resnet18_lab.base.samples import samples_dir
from resnet18_lab.benchmark.kept_records import Measuring
from resnet18_lab.preprocessing import cost, png
from resnet18_lab.preprocessing.decode import structure_of

RECORD = paths.records_dir() / "decoding.json"
_TURN = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"  # EXIF: one tag, orientation 6
_CHILD = """
import json, sys, time
from pathlib import Path
from resnet18_lab.preprocessing.decode import structure_of
from resnet18_lab.preprocessing.prepare import prepare
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM:")).split()[1]) * 1024
prepare(structure_of(Path(sys.argv[1]).read_bytes()))
data, before, began = Path(sys.argv[2]).read_bytes(), peak(), time.process_time()
prepare(structure_of(data))
print(json.dumps({"memory": peak() - before, "seconds": time.process_time() - began}))
"""


def profile() -> bytes:
    """A colour profile that is not sRGB's: its red and blue are exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = data.index(b"rXYZ"), data.index(b"bXYZ")
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(data).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


def photograph(side: int) -> Image.Image:
    """A photograph, enlarged."""
    with Image.open(samples_dir() / "china.jpg") as picture:
        return picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)


def encoded(kind: str, mode: str, **options: object) -> Callable[[Image.Image], bytes]:
    """What encodes the photograph with Pillow."""

    def encode(picture: Image.Image) -> bytes:
        out = io.BytesIO()
        converted = picture.convert(mode)
        if mode == "RGBA":
            converted.putalpha(picture.convert("L"))
        own = {"exif": b"Exif\0\0" + _TURN, "icc_profile": profile()} if kind in ("JPEG", "WEBP") else {}
        converted.save(out, kind, **{**own, **options})
        return out.getvalue()

    return encode


def as_png(kind: int, bits: int) -> Callable[[Image.Image], bytes]:
    """What encodes the photograph as a PNG of any layout, with everything that costs."""
    mode = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}[kind]

    def encode(picture: Image.Image) -> bytes:
        converted = picture.convert(mode)
        samples = np.asarray(converted).reshape(picture.height, -1)
        samples = (samples.astype(">u2") * 257) if bits == 16 else samples
        rows = b"".join(b"\0" + row.tobytes() for row in samples)
        chunks = [(b"IHDR", struct.pack(">IIBBBBB", *picture.size, bits, kind, 0, 0, 0))]
        chunks.append((b"iCCP", b"a\0\0" + zlib.compress(profile())))
        if kind == 3:
            chunks += [(b"PLTE", bytes(converted.getpalette("RGB"))), (b"tRNS", bytes(range(256)))]
        if kind in (0, 2):
            chunks.append((b"tRNS", struct.pack(">H", 77) * (1 if kind == 0 else 3)))
        chunks += [(b"eXIf", _TURN), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
        return png.SIGNATURE + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in chunks
        )

    return encode


def gif(picture: Image.Image) -> bytes:
    """A GIF whose transparent first frame is a pixel smaller than its canvas."""
    frame = picture.resize((picture.width - 1, picture.height - 1)).convert("P")
    out = io.BytesIO()
    frame.save(out, "GIF", transparency=3, optimize=False)
    data = bytearray(out.getvalue())
    data[6:10] = struct.pack("<HH", *picture.size)
    return bytes(data)


def runs(picture: Image.Image) -> bytes:
    """A BMP of run lengths of one pixel for every 64 of a row, and of 63."""
    row = b"".join(b"\1" + bytes([number % 256]) + b"\x3f\7" for number in range(picture.width // 64))
    body = (row + b"\0\0") * picture.height + b"\0\1"
    colours = b"".join(bytes([level, 255 - level, level // 2, 0]) for level in range(256))
    head = b"BM" + struct.pack("<IHHI", 54 + len(colours) + len(body), 0, 0, 54 + len(colours))
    return head + struct.pack("<IiiHHIIiiII", 40, *picture.size, 1, 8, 1, len(body), 0, 0, 0, 0) + colours + body


MAKERS: dict[str, Callable[[Image.Image], bytes]] = {
    **{
        f"JPEG {name}{scans}": encoded("JPEG", mode, quality=90, subsampling=0, progressive=bool(scans))
        for name, mode in (("grey", "L"), ("colour", "RGB"), ("CMYK", "CMYK"))
        for scans in ("", " in scans")
    },
    **{
        f"PNG {name}{' 16-bit' if bits == 16 else ''}": as_png(kind, bits)
        for kind, name in ((0, "grey"), (2, "RGB"), (3, "palette"), (4, "grey alpha"), (6, "RGBA"))
        for bits in ((8,) if kind == 3 else (8, 16))
    },
    "GIF": gif,
    "WebP": encoded("WEBP", "RGBA", quality=80, method=0),
    "WebP lossless": encoded("WEBP", "RGBA", lossless=True, quality=0, method=0),
    "BMP": encoded("BMP", "RGBA"),
    "BMP RLE": runs,
}  # fmt: skip


def measured(name: str, data: bytes, folder: Path) -> dict[str, object]:
    """A row of the record."""
    told = structure_of(data)
    assert told.size is not None
    (folder / "picture").write_bytes(data)
    command = [sys.executable, "-c", _CHILD, str(samples_dir() / "cat.jpg"), str(folder / "picture")]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    foretold = cost.foretold(told)
    return {
        "picture": name, "layout": told.layout, "pixels": told.size[0] * told.size[1], "bytes": len(data),
        "passes": told.passes, "memory": found["memory"], "seconds": round(found["seconds"], 4),
        "foretold_memory": foretold.memory, "foretold_seconds": round(foretold.seconds, 4),
    }  # fmt: skip


def main() -> None:
    """Measure and write the record; nothing is written when anything fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=5000)
    parser.add_argument("--pictures", type=int, default=1200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    measuring = Measuring(side=options.side, weights=options.weights)
    picture, rows = photograph(options.side), []
    with tempfile.TemporaryDirectory(prefix="resnet18-lab-decoding-") as place:
        for name, make in MAKERS.items():
            rows.append(measured(name, make(picture), Path(place)))
            print(json.dumps(rows[-1]), flush=True)
    measuring.write(options.output, {"rows": rows, "price": price(options.weights, options.pictures, options.rounds)})
    print(options.output, "- now run: python tools/pages/decoding.py")


if __name__ == "__main__":
    main()
