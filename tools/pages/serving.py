"""Write docs/serving.md and its figure from docs/records/serving.json, which ``make load`` measures."""

import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from resnet18_lab.base import paths
from resnet18_lab.base.files import replacing, write_text
from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.benchmark.results.tables import markdown
from resnet18_lab.benchmark.results.targets import Target, table
from resnet18_lab.benchmark.style import chart

RECORD = paths.records_dir() / "serving.json"
PAGE = paths.records_dir().parent / "serving.md"
FIGURE = paths.records_dir().parent / "images" / "serving-soak.png"


def targets(record: dict) -> list[Target]:
    """What was aimed at."""
    ours, tutorial, overload, soak = (record[name] for name in ("ours", "tutorial", "overload", "soak"))
    attack, bad = record["attack"], record["bad_inputs"]
    quiet, attacked = attack["quiet"], attack["attacked"]
    two_workers = record["workers"]["2"]["rate"]
    hostile, replaced, ended = record["hostile"], record["replaced"], record["ended"]
    other = record["other"]
    with_other = [
        Target(f"the same with `{record['other_engine']}`", other["rate"] / tutorial["rate"], 4.7, at_least=True)
    ] if other else []  # fmt: skip
    return [
        Target("requests a second / the tutorials' service", ours["rate"] / tutorial["rate"], 4.7, at_least=True),
        *with_other,
        Target("p99 / p50", ours["p99"] / ours["p50"], 3),
        Target("failed requests", ours["failed"] + ours["refused"], 0, ""),
        Target("answers from the cache / the tutorials' service", record["cached"]["rate"] / tutorial["rate"], 20,
               at_least=True),
        Target("two workers on two cores / one worker on one core", two_workers / ours["rate"], 1.6, at_least=True),
        Target("at twice the capacity, goodput / peak", overload["rate"] / overload["peak"], 0.9, at_least=True),
        Target("at twice the capacity, neither answered nor refused with 503", overload["failed"], 0, ""),
        Target("at twice the capacity, /healthz p99", overload["health_p99"], 100, "ms"),
        Target(f"soak, memory at the end - at {soak['settled_after']:.0f} s", soak["growth_mb"], 10, "MB"),
        Target("soak, failed or refused", soak["failed"] + soak["refused"], 0, ""),
        Target(f"{slow(attack)}, p99 / without them", attacked["p99"] / quiet["p99"], 1.5),
        Target(f"{slow(attack)}, others' requests failed", attacked["failed"] + attacked["refused"], 0, ""),
        Target(f"{slow(attack)}, /healthz p99", attack["health_p99"], 100, "ms"),
        Target(f"{bad['requests']} bad inputs, memory grown", bad["growth_mb"], 20, "MB"),
        Target(f"{bad['requests']} bad inputs, not refused with 4xx", bad["not_refused"], 0, ""),
        Target("a killed worker is replaced within", record["killed"]["seconds"], 2, "s"),
        Target(f"{dear(hostile)}, ordinary requests failed", hostile["failed"], 0, ""),
        Target(f"{dear(hostile)}, /healthz p99", hostile["health_p99"], 100, "ms"),
        Target(f"SIGHUP to two workers at work, of {replaced['requests']} requests lost", replaced["lost"], 0, ""),
        Target(f"SIGTERM at work, of {ended['requests']} requests lost", ended["lost"], 0, ""),
        Target("start until ready", ours["ready_seconds"], 1, "s"),
    ]  # fmt: skip


def slow(attack: dict) -> str:
    """The clients of the attack, in words."""
    return f"{attack['clients']} half-open and {attack['clients']} trickling clients"


def dear(hostile: dict) -> str:
    """The clients that send what is made to cost, in words."""
    return f"{hostile['clients']} clients sending dear pictures"


def loads(record: dict) -> pd.DataFrame:
    """A line a load."""
    parts = {
        "the tutorials' service": record["tutorial"], "ours": record["ours"],
        **({f"ours, `{record['other_engine']}`": record["other"]} if record["other"] else {}),
        "ours, answers from the cache": record["cached"],
        "ours, one worker, generator on the same cores": record["workers"]["1"],
        "ours, two workers, generator on the same cores": record["workers"]["2"],
        f"ours, with {slow(record['attack'])}": record["attack"]["attacked"],
        f"ours, with {dear(record['hostile'])}": record["hostile"],
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


def commit(text: str | None) -> str:
    """A commit as it is shown, and whether files differed from it."""
    sha, _, changed = (text or "unknown").partition("+")
    return f"`{sha[:10]}`" + (" with changes" if changed else "")


def introduction(record: dict) -> str:
    """What was measured, on what, and how."""
    facts, pictures, engine = record["environment"], record["pictures"], record["model"]["engine"]
    return (
        f"Measured on {facts['cpu']} with `{engine['backend']}` on one thread (weights `{engine['weights']}`), at "
        f"commit {commit(facts.get('git_commit'))}: {record['at_once']} requests at once, "
        f"{pictures['photographs']} photographs of `{pictures['folder']}`, each encoded at JPEG qualities "
        f"{', '.join(map(str, pictures['re_encodings']))}. Each service had one core and the load generator another, "
        "except where the table says otherwise; the first rows, of several services, were measured in turn, "
        f"{len(record['ours']['rates'])} rounds of each. The tutorials' service is `tools/records/tutorial_service.py`: Flask's "
        "development server, the upload saved under its name, torchvision's transforms, torch eager. The re-encodings "
        "of a photograph share a file name, as uploads of phones do. Written by `tools/pages/serving.py` from "
        "[serving.json](records/serving.json); `make load` measures anew."
    )


def about_workers(record: dict) -> str:
    """Both ways to compare two workers with one."""
    ours, one, two = record["ours"]["rate"], record["workers"]["1"], record["workers"]["2"]
    return (
        f"Two workers answer {two['rate'] / ours:.2f} × what one worker answers that is held to one core, and "
        f"{two['rate'] / one['rate']:.2f} × what one answers that may use both. The target is the first: it says what "
        "another worker and another core bring. In the second comparison no core is added: one worker decodes while it "
        f"runs, so alone it kept {one['cores_in_use']:.2f} cores busy, and two workers kept {two['cores_in_use']:.2f} of the "
        "same two, the generator beside them: what one worker already uses, a second one cannot add."
    )


def about_events(record: dict) -> str:
    """What was sent to be dear, and how long signals took."""
    hostile, replaced, ended = (record[name] for name in ("hostile", "replaced", "ended"))
    outcomes = ", ".join(f"{count} × {status}" for status, count in sorted(hostile["hostile"].items()))
    return (
        "The dear pictures are those of `tests/support/dear_pictures.py`, up to 49 megapixels in the form that costs most; "
        f"their own answers were {outcomes}. SIGHUP had replaced both workers after {replaced['seconds']:.1f} s, "
        f"{replaced['callers']} callers asking all the while on connections that are kept; after SIGTERM the service said "
        f"for 2 s that it is no longer ready, and had ended after {ended['seconds']:.1f} s."
    )


def page(record: dict) -> str:
    """docs/serving.md."""
    attack, soak = record["attack"], record["soak"]
    lines = [
        "# The service under load",
        "",
        introduction(record),
        "",
        markdown(loads(record)),
        "",
        "## Targets",
        "",
        markdown(table(targets(record))),
        "",
        about_workers(record),
        "",
        f"The slow clients had each sent half a head or half a body; {attack['clients']} then said nothing and "
        f"{attack['clients']} sent one byte a second. The service dropped them {attack['dropped']} times meanwhile, and "
        "they came again. The bad inputs are the pictures of the tests, each as a form and as a raw body. `make fuzz` "
        "sends 20,000 damaged pictures and forms and fails at the first status 500 and at growing memory.",
        "",
        about_events(record),
        "",
        f"The soak was measured at commit {commit(soak.get('git_commit'))}. After `kill -9` of the only "
        f"worker another one answered, and /metrics counted {record['killed']['counted']:.0f} restart. Memory of the "
        f"worker under the table's one-worker load: {record['ours']['memory_mb']:.0f} MB.",
        "",
        "![Memory of the worker while it is kept at 80 % of its capacity](images/serving-soak.png)",
    ]
    return "\n".join(lines) + "\n"


def figure(record: dict) -> Figure:
    """Memory of the worker over the soak."""
    plot, axes = chart(
        "Memory at 80 % of capacity", "seconds", "MB resident", record["model"]["engine"]["weights"], (8, 3)
    )
    seconds, megabytes = zip(*record["soak"]["memory"], strict=True)
    axes.plot(seconds, megabytes, color="#0b6e99")
    axes.axvline(record["soak"]["settled_after"], color="#9aa5b1", linestyle="--", label="growth counts from here on")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return plot


def main() -> int:
    """Exit status 0 when both are written."""
    record = read_record(RECORD)
    write_text(PAGE, page(record))
    with replacing(Path(FIGURE)) as part:
        figure(record).savefig(part, format="png", dpi=100)
    return 0


if __name__ == "__main__":
    sys.exit(main())
