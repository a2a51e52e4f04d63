"""The tables of the quantization notebook."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

_MB = 1e6


def methods_table(record: Mapping[str, Any]) -> pd.DataFrame:
    """All methods tried: the scores they were chosen by, and what each gives on pictures it never saw."""
    rows = {}
    for row in record["rows"]:
        evaluation = row["evaluation"]
        rows[row["method"]] = {
            "KL, within halves": f"{row['kl'] * 1e3:.2f}e-3",
            "cosine, within halves": f"{row['cosine']:.5f}",
            "same answer, crossed over": f"{evaluation['same']} of {evaluation['of']}",
            "95 %": f"{evaluation['same_low']:.1%}-{evaluation['same_high']:.1%}",
            "cosine": f"{evaluation['cosine']:.5f}",
            "lost/won": f"{evaluation['lost']}/{evaluation['won']}",
            "p": f"{evaluation['p']:.2f}",
        }
    return pd.DataFrame(rows).T


def variants_table(record: Mapping[str, Any], times: "pd.Series | None" = None) -> pd.DataFrame:
    """Size, time and accuracy of every variant from the kept record, with times measured here where there are any.

    ``ms there``: one thread, in the process that made the record; all rows are of one run.
    """
    rows = {}
    for name, row in record["variants"].items():
        rows[name] = {
            "MB": f"{row['bytes'] / _MB:.1f}" if row["bytes"] else "in memory",
            "ms there": f"{row['ms']:.1f}",
            "top-1": f"{row['top1']} of {row['of']}",
            "same answer as float": f"{row['same']} of {row['of']}",
            "cosine": f"{row['cosine']:.4f}",
            "lost/won": f"{row['lost']}/{row['won']}",
            "p": f"{row['p']:.2f}",
        }
    table = pd.DataFrame(rows).T
    if times is not None:
        table.insert(1, times.name, times.reindex(table.index).fillna("not as a file"))
    return table


def scales_by_hand(matrix: "np.ndarray[Any, np.dtype[np.float32]]") -> pd.DataFrame:
    """Error of INT8 weights (signal to noise in dB) with one scale for all channels, and with one for each."""
    rows = {}
    for name, peak in (
        ("one scale for the tensor", np.abs(matrix).max()),
        ("one scale for each channel", np.abs(matrix).max(axis=1, keepdims=True)),
    ):
        scale = np.where(peak > 0, peak, 1.0) / 127
        error = np.round(matrix / scale) * scale - matrix
        noise = 10 * np.log10(np.square(matrix).sum() / np.square(error).sum())
        rows[name] = {"signal to noise, dB": round(float(noise), 1), "scales": int(np.size(scale))}
    return pd.DataFrame(rows).T
