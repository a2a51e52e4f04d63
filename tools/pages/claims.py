"""Write docs/claims.md from kept records: what tutorials state, what was measured here, and a verdict.

Without arguments only the page is written. With ``--measure FOLDER`` (labelled photographs) the facts that no
benchmark holds are measured first: accuracy, the samples' scores, counts of the network, and the times of two ways
to prepare a picture. The benchmark's own record is made by ``make bench``.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import claim_checks
import pandas as pd

from resnet18_lab.base import paths
from resnet18_lab.base.files import write_text
from resnet18_lab.base.machine import snapshot
from resnet18_lab.base.samples import load_samples
from resnet18_lab.benchmark import record as records
from resnet18_lab.benchmark.results.tables import markdown
from resnet18_lab.course.preprocessing import ways
from resnet18_lab.inference import evaluate, labels
from resnet18_lab.inference.classify import classify_files
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.weights.find import find_weights

PAGE = paths.records_dir().parent / "claims.md"
ROUNDS = 15
"""Times each way to prepare a picture is timed, as in notebook 06."""


def measure(folder: Path) -> None:
    """Write docs/records/claims.json: where and when, accuracy, samples' scores, and counts of the network."""
    from resnet18_lab.model import inspection
    from resnet18_lab.model.network import load_model

    started, file = time.strftime("%Y-%m-%dT%H:%M:%S%z"), find_weights("auto")
    pictures = evaluate.labelled_pictures(folder)
    with open_engine("onnxruntime-fp32") as engine:
        found, _ = evaluate.on_pictures([engine], pictures)
        answers = list(classify_files([sample.path for sample in load_samples()], engine, k=3))
    layers = inspection.layer_table(load_model("auto").module)
    shares = inspection.stage_table(layers)["macs_share"]
    timed = preparation_times()
    by_hand = ways.WAYS["NumPy by hand"].prepare(load_samples()[0].path)
    content = {
        "environment": snapshot(),
        "started": started,
        "weights": {"name": file.name, "sha256": file.sha256},
        "evaluation": {"folder": folder.name, "engines": [row.as_json() for row in found]},
        "samples": [[prediction.score for prediction in answer.predictions] for answer in answers],
        "answers": {
            Path(answer.file).name: [[labels.by_index(one.index).en, one.score] for one in answer.predictions]
            for answer in answers
        },
        "network": {
            "parameters": int(layers["parameters"].sum()),
            "convolutions": inspection.counted_layers(layers)["convolutions"],
            "stem_share": float(shares.iloc[0]),
            "early_share": float(shares.iloc[:2].sum()),
            "streetlight": sum("streetlight" in label.en.lower().replace(" ", "") for label in labels.all_labels()),
            "numpy_dtype": str(by_hand.dtype),
            "preparation_ms": {name: row["ms"] for name, row in timed.items()},
            "preparation_quartiles_ms": {name: [row["from"], row["to"]] for name, row in timed.items()},
            "preparation_rounds": ROUNDS,
        },
    }
    write_text(paths.records_dir() / "claims.json", json.dumps(content, indent=1) + "\n")


def preparation_times() -> dict[str, dict[str, float]]:
    """Milliseconds a photograph by way, median and quartiles, as notebook 06 measures them."""
    photographs = [sample.path for sample in load_samples() if sample.path.suffix == ".jpg"]
    found = ways.times(photographs, ROUNDS, ["torchvision", "NumPy by hand"])
    return {str(name): {str(key): float(value) for key, value in row.items()} for name, row in found.iterrows()}


def evidence() -> claim_checks.Evidence:
    """Everything the kept records hold."""
    facts, variants, serving = (kept(name) for name in ("claims", "quantization_variants", "serving"))
    bench = records.load(paths.records_dir() / "benchmark.json")
    return claim_checks.Evidence(
        bench, facts["evaluation"], facts["samples"], variants, facts["network"], serving, facts.get("answers", {})
    )


def kept(name: str) -> dict[str, Any]:
    """A kept record."""
    content: dict[str, Any] = json.loads((paths.records_dir() / f"{name}.json").read_text(encoding="utf-8"))
    return content


def source(name: str, content: dict[str, Any]) -> str:
    """Where and when a record was measured, as far as it says."""
    facts = content.get("environment", {})
    told = [facts.get("cpu"), content.get("started", content.get("date", ""))[:10]]
    commit = facts.get("git_commit")
    told += [f"commit `{commit[:10]}`"] if commit else []
    return f"[{name}](records/{name}.json) ({', '.join(filter(None, told)) or 'machine and day not recorded'})"


def page() -> str:
    """The page as Markdown."""
    found = evidence()
    rows = claim_checks.table(found)
    bench = found.bench
    others = [source(name, kept(name)) for name in ("claims", "quantization_variants", "serving")]
    head = (
        "# What tutorials state, and what was measured\n\n"
        "Generated by `tools/pages/claims.py` from the records in `docs/records`; nothing here is typed by hand but the "
        "statements themselves. A, B, C and D are four tutorials about this model. Speeds and memory of engines are from "
        f"{source('benchmark', {'environment': bench.environment, 'started': bench.started})}, {bench.rows[0].cores} "
        f"cores, {bench.profile} profile, weights {bench.weights['name']}: a time is the geometric mean of the medians "
        f"of {bench.effort.starts} process starts. The rest is from {'; '.join(others)}. A statement *holds elsewhere* "
        "when it can be true of another machine, and *in part* when only some of its figures are. `make bench` makes "
        "the record of speeds, `tools/pages/claims.py --measure FOLDER` that of accuracy and preparation, `make load` "
        "that of the service.\n\n"
    )
    counts = ", ".join(
        f"{sum(row['verdict'] == verdict for row in rows)} {verdict}" for verdict in claim_checks.VERDICTS
    )
    return head + markdown(pd.DataFrame(rows)) + f"\n\nOf {len(rows)} statements: {counts}.\n"


def main() -> int:
    """Exit status 0 when the page is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=Path, metavar="FOLDER", help="labelled photographs, a sub-folder per wnid")
    chosen = parser.parse_args()
    if chosen.measure:
        measure(chosen.measure)
    write_text(PAGE, page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
