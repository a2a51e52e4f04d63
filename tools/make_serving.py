"""Write docs/serving.md and its figure from docs/records/serving.json, which ``make load`` measures."""

import json
import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from resnet18_lab import atomicfile, paths
from resnet18_lab.benchmark.figures import chart
from resnet18_lab.benchmark.tables import markdown
from resnet18_lab.benchmark.targets import Target, table

RECORD = paths.records_dir() / "serving.json"
PAGE = paths.records_dir().parent / "serving.md"
FIGURE = paths.records_dir().parent / "images" / "serving-soak.png"


def targets(record: dict) -> list[Target]:
    """What was aimed at."""
    ours, tutorial, beyond, soak = (record[name] for name in ("ours", "tutorial", "overload", "soak"))
    quiet, attacked = record["attack"]["quiet"], record["attack"]["attacked"]
    both = record["workers"]["2"]["rate"]
    return [
        Target("requests a second / the tutorials' service", ours["rate"] / tutorial["rate"], 4.2, at_least=True),
        Target("p99 / p50", ours["p99"] / ours["p50"], 3),
        Target("failed requests", ours["failed"] + ours["refused"], 0, ""),
        Target("answers from the cache / the tutorials' service", record["cached"]["rate"] / tutorial["rate"], 20,
               at_least=True),
        Target("two workers on both cores / one on one core", both / ours["rate"], 1.6, at_least=True),
        Target("at twice the capacity, goodput / peak", beyond["rate"] / beyond["peak"], 0.9, at_least=True),
        Target("at twice the capacity, neither answered nor refused with 503", beyond["failed"], 0, ""),
        Target("at twice the capacity, /healthz p99", beyond["health_p99"], 100, "ms"),
        Target("soak, growth after it has settled", soak["growth_mb"], 10, "MB"),
        Target("soak, failed or refused", soak["failed"] + soak["refused"], 0, ""),
        Target("50 half-open clients, p99 / without them", attacked["p99"] / quiet["p99"], 1.5),
        Target("a killed worker is replaced within", record["killed"]["seconds"], 2, "s"),
        Target("start until ready", ours["ready_seconds"], 1, "s"),
    ]  # fmt: skip


def loads(record: dict) -> pd.DataFrame:
    """A line a load."""
    parts = {
        "the tutorials' service": record["tutorial"], "ours": record["ours"],
        "ours, answers from the cache": record["cached"],
        "ours, one worker, generator on the same cores": record["workers"]["1"],
        "ours, two workers, generator on the same cores": record["workers"]["2"],
        "ours, with 50 half-open clients": record["attack"]["attacked"],
        "ours, twice the capacity offered": record["overload"],
        f"ours, 80 % of capacity for {record['soak']['seconds']:.0f} s": record["soak"],
    }  # fmt: skip
    return pd.DataFrame(
        {
            "": name, "requests/s": f"{part['rate']:.1f}", "p50 ms": f"{part['p50']:.0f}", "p99 ms": f"{part['p99']:.0f}",
            "requests": part["requests"], "failed": part["failed"], "503": part["refused"],
            "generator's core in use": f"{part['client_cpu_share']:.0%}",
        }
        for name, part in parts.items()
    )  # fmt: skip


def page(record: dict) -> str:
    """docs/serving.md."""
    facts, made, engine, soak = (record[name] for name in ("environment", "pictures", "model", "soak"))
    engine = engine["engine"]
    lines = [
        "# The service under load",
        "",
        f"Measured on {facts['cpu']} with `{engine['backend']}` on one thread (weights `{engine['weights']}`), at "
        f"commit `{(facts.get('git_commit') or 'unknown')[:10]}`: {record['at_once']} requests at once, "
        f"{made['photographs']} photographs of `{made['folder']}`, each encoded at JPEG qualities "
        f"{', '.join(map(str, made['re_encodings']))}. Each service had one core and the load generator another, "
        "except where the table says otherwise; the first two rows were measured in turn, "
        f"{len(record['ours']['rates'])} rounds of each. The tutorials' service is `tools/tutorial_service.py`: Flask's "
        "development server, the upload saved under its name, torchvision's transforms, torch eager. The re-encodings "
        "of a photograph share a file name, as uploads of phones do. Written by `tools/make_serving.py` from "
        "[serving.json](records/serving.json); `make load` measures anew.",
        "",
        markdown(loads(record)),
        "",
        "## Targets",
        "",
        markdown(table(targets(record))),
        "",
        "One worker alone keeps more than one core busy (it decodes while it runs), so a second one does not double what "
        "both cores do; the generator takes its share of them too.",
        "",
        f"The soak was measured at commit `{(soak.get('git_commit') or 'unknown')[:10]}`. After `kill -9` of the only "
        f"worker another one answered, and /metrics counted {record['killed']['counted']:.0f} restart. Memory of the "
        f"worker under the table's one-worker load: {record['ours']['memory_mb']:.0f} MB.",
        "",
        "![Memory of the worker while it is kept at 80 % of its capacity](images/serving-soak.png)",
    ]
    return "\n".join(lines) + "\n"


def figure(record: dict) -> Figure:
    """Memory of the worker over the soak."""
    drawn, axes = chart("Memory at 80 % of capacity", "seconds", "MB resident", (8, 3))
    seconds, megabytes = zip(*record["soak"]["memory"], strict=True)
    axes.plot(seconds, megabytes, color="#0b6e99")
    axes.axvline(record["soak"]["settled_after"], color="#9aa5b1", linestyle="--", label="settled from here on")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return drawn


def main() -> int:
    """Exit status 0 when both are written."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    atomicfile.write_text(PAGE, page(record))
    with atomicfile.replacing(Path(FIGURE)) as part:
        figure(record).savefig(part, format="png", dpi=100)
    return 0


if __name__ == "__main__":
    sys.exit(main())
