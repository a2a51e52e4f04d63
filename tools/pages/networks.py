"""Write docs/networks.md from docs/records/networks.json.

Usage: python tools/pages/networks.py     (tools/records/networks.py measures it)
"""

from typing import Any

from resnet18_lab.base import paths
from resnet18_lab.base.files import write_text
from resnet18_lab.base.networks import NETWORKS
from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.benchmark.results.formatting import shown
from resnet18_lab.benchmark.statistics import interval, paired_ratio
from resnet18_lab.weights.catalogue import entry_named

RECORD = paths.records_dir() / "networks.json"
PAGE = paths.records_dir().parent / "networks.md"


def page(record: dict[str, Any]) -> str:
    """The table of networks, and what one may and may not conclude from it."""
    rows, facts = record["rows"], record["environment"]
    (reference,) = (row for row in rows if (row["network"], row["precision"]) == ("resnet18", "INT8"))
    lines = [
        "# Networks beside each other",
        "",
        f"Right answers of {record['pictures']} labelled photographs ({record['folder']}), and the time of one picture with "
        f"one thread of ONNX Runtime, on {facts['cpu']}. All networks took turns, {len(reference['seconds'])} times, each in "
        "a process of its own; ± is a 95 % interval over these.",
        "",
        "| network | weights | | right | published top-1 | MB | ms a picture | rate beside ResNet-18's INT8 |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        share, published = row["top1"], entry_named(row["weights"]).top1
        ratio = paired_ratio(reference["seconds"], row["seconds"])
        told = f"{published:.1f} %" if published else "–"
        beside = "1" if row is reference else f"{ratio.value:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"
        lines.append(
            f"| {NETWORKS[row['network']].title} | {row['weights']} | {row['precision']} | {share['hits']} "
            f"({100 * share['low']:.1f}–{100 * share['high']:.1f} %) | {told} | "
            f"{row['bytes'] / 1e6:.1f} | {shown(interval([[seconds] for seconds in row['seconds']]), 1e3)} | {beside} |"
        )
    lines += [
        "",
        "These photographs are from ImageNet's training set, which every network here was trained on, or on answers about "
        "it: they flatter all of them. The published figures are their authors', on the 50,000 validation pictures.",
        "",
        *[_loss(float_row, int8_row) for float_row, int8_row in zip(rows[::2], rows[1::2], strict=True)],
        "",
        "Written by `tools/pages/networks.py` from `docs/records/networks.json`.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _loss(float_row: dict[str, Any], int8_row: dict[str, Any]) -> str:
    """What INT8 costs a network, picture by picture."""
    pair = int8_row["paired"]
    told = "no difference shown" if pair["p"] >= 0.05 else "a difference beyond chance"
    return (
        f"- {NETWORKS[float_row['network']].title}: INT8 gives the float network's answer on {100 * pair['agreement']:.1f} % "
        f"of them; {pair['lost']} right ones lost, {pair['won']} won (p = {pair['p']:.2f}: {told})."
    )


if __name__ == "__main__":
    write_text(PAGE, page(read_record(RECORD)))
