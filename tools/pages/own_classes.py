"""Write docs/own_classes.md from docs/records/own_classes.json.

Usage: python tools/pages/own_classes.py     (tools/records/own_classes.py measures it)
"""

from typing import Any

from resnet18_lab.base import paths
from resnet18_lab.base.files import write_text
from resnet18_lab.benchmark.kept_records import read_record

RECORD = paths.records_dir() / "own_classes.json"
PAGE = paths.records_dir().parent / "own_classes.md"
BARS = {
    "head": ("head at least 78 %, in at most 60 s", lambda row: row["top1"]["share"] >= 0.78 and row["seconds"] <= 60),
    "head, Lite0": ("at least 85 %", lambda row: row["top1"]["share"] >= 0.85),
    "layer4": ("at least 87 %", lambda row: row["top1"]["share"] >= 0.87),
    "all": ("at least 89 %", lambda row: row["top1"]["share"] >= 0.89),
}
"""What was aimed at, by row."""


def page(record: dict[str, Any]) -> str:
    """The page: a row a run of `finetune`, what was aimed at, and whether it was reached."""
    facts, first = record["environment"], record["rows"][0]
    lines = [
        "# Your own classes: what each depth brings",
        "",
        f"Measured on {record['started'][:10]}, {facts['cpu']}, {facts['usable_cores']} cores, "
        f"{'with' if facts['cpu_flags'].get('avx512_bf16') else 'without'} bf16 instructions; written by "
        "`tools/pages/own_classes.py` from `docs/records/own_classes.json`, which `tools/records/own_classes.py` measures. "
        "Photographs of household waste in six classes (TrashNet, Yang and Thung, 2016; small copies), a split that was "
        f"given: {first['pictures']} are judged, once, by the service's own crop. *Refused*: labelled photographs of "
        "ImageNet's classes that the model called unknown. Intervals are 95 % (Wilson). Seconds are of the whole command; "
        "the parent's ONNX files were there.",
        "",
        "| run | parent | right | macro-F1 | INT8 | the same answer | refused | seconds | aimed at |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
        *map(_row, record["rows"]),
        "",
        *([record["remark"], ""] if record["remark"] else []),
        "Rounds, and the pictures of the training part that chose among them:",
        "",
        *(_curve(row) for row in record["rows"] if row["recipe"].get("curve")),
    ]
    return "\n".join(lines) + "\n"


def _row(row: dict[str, Any]) -> str:
    top1, int8, refused = row["top1"], row.get("int8"), row["refused"]
    as_int8 = f"{100 * int8['top1']['share']:.1f} % | {100 * int8['same_answer']:.1f} %" if int8 else "none here | –"
    words, reached = BARS.get(row["name"], ("", None))
    aimed = f"{words}: {'reached' if reached(row) else 'not reached'}" if reached else "–"
    return (
        f"| {row['name']} | {row['parent']} ({row['network']}) | {100 * top1['share']:.1f} % "
        f"({100 * top1['low']:.1f}–{100 * top1['high']:.1f}) | {row['macro_f1']:.3f} | {as_int8} | "
        f"{refused['hits']} of {refused['of']} | {row['seconds']:.0f} | {aimed} |"
    )


def _curve(row: dict[str, Any]) -> str:
    recipe = row["recipe"]
    hits = ", ".join(str(one["hits"]) for one in recipe["curve"])
    return f"- {row['name']}: right of {recipe['chosen_by']} after each round, from the last layer alone on: {hits}."


def main() -> None:
    """Write the page."""
    write_text(PAGE, page(read_record(RECORD)))


if __name__ == "__main__":
    main()
