"""Write docs/benchmarks.md, its figures and README's part from docs/records/benchmark.json.

``make bench`` makes a record and calls this with it: a whole run takes the place of the kept record, an
interrupted one does not.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import benchmark_page
import matplotlib

from resnet18_lab.base import paths
from resnet18_lab.base.files import replacing, write_text
from resnet18_lab.benchmark import record as records
from resnet18_lab.benchmark.configuration import EFFORTS, SUITES

ROOT = Path(__file__).resolve().parents[2]
RECORD = paths.records_dir() / "benchmark.json"
PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
IMAGES = ROOT / "docs" / "images"
BEGIN, END = "<!-- benchmark: begin -->", "<!-- benchmark: end -->"
_DPI = 100


def image_name(name: str) -> str:
    """File name of a figure."""
    return f"benchmark-{name}.png"


def readme(record: records.Record) -> str:
    """README with its part written anew; what stands outside the two marks is left alone."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"{README.name} has lost its marks {BEGIN} and {END}.")
    part = benchmark_page.readme_part(record, f"docs/images/{image_name('latency')}", "docs/benchmarks.md")
    return f"{before}{BEGIN}\n{part}\n{END}{after}"


def whole_page(record: records.Record) -> str:
    """docs/benchmarks.md."""
    return benchmark_page.markdown_page(record, lambda name: f"images/{image_name(name)}")


def drawn(record: records.Record) -> dict[str, bytes]:
    """PNG bytes of the figures by file name, of the suites that the record has.

    In matplotlib's own style, whatever other modules of the process have set.
    """
    images = {}
    with matplotlib.rc_context(matplotlib.rcParamsDefault):  # type: ignore[arg-type]
        for name, draw in benchmark_page.FIGURES.items():
            if (figure := draw(record)) is not None:
                content = io.BytesIO()
                figure.savefig(content, format="png", dpi=_DPI)
                images[image_name(name)] = content.getvalue()
    return images


def adopt(new: Path) -> None:
    """Keep a new record; SystemExit when it is not a whole run of the full profile, with every suite."""
    record = records.read(new)
    if reasons := list(why_not(record)):
        raise SystemExit(
            f"{new} is not a whole run of the full profile, so the kept record stays: {'; '.join(reasons)}."
        )
    record.save(RECORD)


def why_not(record: records.Record) -> Iterator[str]:
    """What a record lacks that all pages need, one reason each."""
    if record.interrupted:
        yield "it was interrupted"
    if record.profile != "full" or record.effort != EFFORTS["full"]:
        yield f"its profile is {record.profile}, or not as the full one is now"
    if missing_suites := [suite for suite in (*SUITES, "peak") if not record.of(suite)]:
        yield f"suites missing: {', '.join(missing_suites)}"
    if empty_rows := [row.configuration.key() for row in record.rows if not row.results]:
        yield f"rows without results: {', '.join(empty_rows)}"


def main() -> int:
    """Exit status 0 when everything is written."""
    if len(sys.argv) > 1:
        adopt(Path(sys.argv[1]))
    record = records.read(RECORD)
    for name, content in drawn(record).items():
        with replacing(IMAGES / name) as part:
            part.write_bytes(content)
    write_text(PAGE, whole_page(record))
    write_text(README, readme(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
