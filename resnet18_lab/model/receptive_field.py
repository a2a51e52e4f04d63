"""How much of the picture one number of each stage sees, by formula."""

import pandas as pd

from resnet18_lab.base.networks import RESNET18

SKIP = "downsample"
"""Part of the names of the layers on a skip connection."""
STAGE_ENDS = ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4")


def receptive_fields(layers: pd.DataFrame) -> pd.DataFrame:
    """A row for each of STAGE_ENDS: ``size`` of the field and ``step`` between neighbours, in input pixels.

    Each layer on the main way with kernel k and stride s widens the field by (k - 1) steps and makes
    the step s times as long; ``before`` is how far the first field begins before the picture. ``units``
    is the side of the output. ``layers`` comes from ``inspection.layer_table``.
    """
    size = step = 1
    before = 0
    rows = {}
    for row in layers[~layers["layer"].str.contains(SKIP)].to_dict(orient="records"):
        if row["kind"] in ("Conv2d", "MaxPool2d"):
            size += (row["kernel"] - 1) * step
            before += row["padding"] * step
            step *= row["stride"]
        name = row["layer"].split(".", 1)[0]
        if name in STAGE_ENDS:
            rows[name] = (size, step, before, row["output"][-1])
    return pd.DataFrame.from_dict(rows, orient="index", columns=["size", "step", "before", "units"])


def field_of_centre(field: pd.Series) -> tuple[int, int]:
    """First and last pixel + 1 that the middle unit of a row of ``receptive_fields`` sees, cut at the edges."""
    start = int(field["units"] // 2 * field["step"] - field["before"])
    return max(start, 0), min(start + int(field["size"]), RESNET18.crop)
