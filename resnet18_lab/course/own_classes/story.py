"""What learning more than the last layer brought, from the kept record."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from resnet18_lab.base.conclusion import Conclusion

_HEAD, _DEEPER = "head", "layer4"


def said(record: Mapping[str, Any]) -> str:
    """Where and when the rows were measured."""
    environment = record["environment"]
    return f"measured on {record['started'][:10]}, {environment['cpu']}, {environment['usable_cores']} cores"


def table(record: Mapping[str, Any]) -> pd.DataFrame:
    """A row a run: what was learned of which network, what is right, what is refused, and the time."""
    return pd.DataFrame({row["name"]: _cells(row) for row in record["rows"]}).T


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    top1, int8, refused = row["top1"], row.get("int8"), row["refused"]
    return {
        "network": row["network"],
        "right": f"{top1['share']:.1%} ({top1['low']:.1%} to {top1['high']:.1%})",
        "macro-F1": f"{row['macro_f1']:.3f}",
        "INT8": f"{int8['top1']['share']:.1%}, {int8['same_answer']:.1%} the same" if int8 else "none on this CPU",
        "refused": f"{refused['hits']} of {refused['of']}",
        "minutes": f"{row['seconds'] / 60:.1f}",
    }


def worth(record: Mapping[str, Any]) -> Conclusion:
    """Whether the last stage, learned too, is right more often than the last layer alone, by their intervals."""
    rows = {row["name"]: row["top1"] for row in record["rows"]}
    head, deeper = rows[_HEAD], rows[_DEEPER]
    words = f"the last stage learned too: {deeper['share']:.1%} right, the last layer alone {head['share']:.1%}"
    if deeper["low"] <= head["high"] and head["low"] <= deeper["high"]:
        return Conclusion("depth", words, f"{words}; the intervals overlap")
    return Conclusion(
        "depth", f"{words}: {'more' if deeper['share'] > head['share'] else 'less'} than chance explains."
    )
