"""Write docs/decoding.md from docs/records/decoding.json, which tools/records/decoding.py measures.

Usage: python tools/pages/decoding.py
"""

from resnet18_lab.base import paths
from resnet18_lab.base.files import write_text
from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.preprocessing import decoder, decoders, jpeg, structure
from resnet18_lab.preprocessing.cost import TABLE, most_memory
from resnet18_lab.preprocessing.source import DEFAULT_LIMITS
from resnet18_lab.service.memory import decoding_mb, worker_mb
from resnet18_lab.service.settings import Settings

RECORD = paths.records_dir() / "decoding.json"
PAGE = RECORD.parent.parent / "decoding.md"
MEGA = 1_000_000
NAMES = {"folder": "folder, one worker a core", "service": "service, one worker"}


def page(record: dict) -> str:
    """The page as Markdown; every figure comes from the record or from the code."""
    return "\n\n".join([introduction(record), order(), costs(record), bound(), price(record)]) + "\n"


def introduction(record: dict) -> str:
    """What was measured, on what."""
    machine = record["environment"]
    return f"""# What a picture may cost

Made by `tools/pages/decoding.py` from `docs/records/decoding.json` ({machine["cpu"]}, {machine["usable_cores"]} cores); no figure
here is typed by hand."""


def order() -> str:
    """The checks, in their order."""
    megapixels = DEFAULT_LIMITS.max_pixels // MEGA
    return f"""## In this order

1. **Bytes**: {DEFAULT_LIMITS.max_bytes // MEGA} MB a file.
2. **Structure**, read on the bytes before any library opens them: width and height ({megapixels} megapixels,
   {DEFAULT_LIMITS.max_side:,} pixels a side, {DEFAULT_LIMITS.max_ratio:g}:1), at most {structure.MOST_PARTS:,} segments or
   chunks, {jpeg.MOST_SCANS} scans. Texts, later frames and other metadata are left out of what the library gets.
3. **What it will cost**, foretold from its structure by the table below. Where many pictures of strangers are decoded (the
   service, runs with workers), decoding processes do it; dear pictures take turns in all of them but one, so that small
   ones never wait for them. Elsewhere a dear picture gets a process of its own.
4. **A deadline in CPU time** (`--decode-seconds`), which the kernel keeps: the process is ended and replaced, and the picture
   gets the error `image_too_costly`.
5. **A limit of memory**, which the kernel keeps as well: what was foretold, and {decoder.SPARE_MEMORY // MEGA} MB."""


def costs(record: dict) -> str:
    """The table of layouts."""
    rows = []
    for row in record["rows"]:
        pixels = row["pixels"]
        rows.append(
            f"| {row['picture']} | {row['memory'] / pixels:.1f} | {TABLE[row['layout']].bytes_a_pixel} | "
            f"{row['seconds'] / pixels * 1e9:.0f} | {row['seconds'] / pixels * DEFAULT_LIMITS.max_pixels:.1f} |"
        )
    return f"""## Bytes and time of each layout

The dearest picture of each: turned by EXIF, in a colour profile that is not sRGB, transparent where the format allows it. What
is granted has the file's own bytes on top, three times.

| layout | bytes a pixel, measured | granted | ns a pixel | seconds for {DEFAULT_LIMITS.max_pixels // MEGA} megapixels |
|---|---|---|---|---|
{chr(10).join(rows)}"""


def bound() -> str:
    """The bound of memory and how it comes about."""
    settings = Settings()
    count, limits = settings.decoders, settings.limits
    idle = (decoders.IDLE_MEMORY + decoder.SPARE_MEMORY) // MEGA
    most = most_memory(limits.max_pixels, limits.max_bytes) // MEGA
    cheap = decoders.CHEAP_MEMORY // MEGA
    return f"""## The bound of memory

{count} decoding processes take {count} × {idle} MB for themselves, {count - 1} × {cheap} MB for small pictures, and {most} MB
for the dearest picture there is ({max(one.bytes_a_pixel for one in TABLE.values())} bytes a pixel), which several dear ones share:
{decoding_mb(settings)} MB. With the rest of a worker that is {worker_mb(settings)} MB ([deploy.md](deploy.md)). A test sends the
dearest of each format from four clients at once and reads what the service takes; `make fuzz` does it for a minute."""


def price(record: dict) -> str:
    """What ordinary pictures pay."""
    rows = []
    for row in record["price"]:
        rates = {how: sorted(values) for how, values in row["rates"].items()}
        shown = " | ".join(
            f"{values[len(values) // 2]:.0f} ({values[0]:.0f}–{values[-1]:.0f})" for values in rates.values()
        )
        rows.append(f"| {NAMES[row['what']]} | {shown} | {row['ratio']:.3f} |")
    parameters = record["parameters"]
    return f"""## What ordinary pictures pay for it

Pictures a second of JPEGs made of the project's photographs (weights {parameters["weights"]}), with decoding processes and without, in
turns on one machine; the median and the extremes of {len(next(iter(record["price"][0]["rates"].values())))} rounds, and the median ratio.

| work | in processes | in the worker | ratio |
|---|---|---|---|
{chr(10).join(rows)}"""


if __name__ == "__main__":
    write_text(PAGE, page(read_record(RECORD)))
    print(PAGE)
