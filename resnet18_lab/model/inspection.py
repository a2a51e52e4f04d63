"""What the network is made of, as pandas frames: shapes, parameters, work, memory and time of its parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import nn

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.networks import RESNET18, Network
from resnet18_lab.model.network import load_model
from resnet18_lab.model.receptive_field import SKIP, receptive_fields
from resnet18_lab.model.stage_times import STAGES, StageTimes, stage_times
from resnet18_lab.preprocessing.reference import reference_batch
from resnet18_lab.weights.find import WeightsFile
from resnet18_lab.weights.names import split_name

_MEGABYTES = {"resnet18": 46.8, "resnet34": 87.3, "resnet50": 102.5}
"""What torchvision publishes of the files, whose "MB" are MiB (44.7, 83.3, 97.8); here 1 MB is 10⁶ bytes."""

_HALF = 0.5
_AGREED = 0.95
"""Share of single passes that must agree on which stage takes longest."""


def _stage_of(layer: str) -> str:
    """The stage a layer belongs to: ``layer2`` for ``layer2.0.conv1``."""
    first = layer.split(".", 1)[0]
    return next(stage for stage, parts in STAGES.items() if first in parts)


def _macs(layer: nn.Module, output: torch.Tensor) -> int:
    """Multiply-accumulate operations of a convolution or linear layer; 0 for all others, as is customary."""
    if isinstance(layer, nn.Conv2d):
        return output.numel() * layer.weight[0].numel()
    return output.numel() * layer.in_features if isinstance(layer, nn.Linear) else 0


def _both(value: Any) -> int:  # noqa: ANN401 - torch gives an int or a pair, the same in both directions here
    return int(value[0] if isinstance(value, tuple) else value)


def _row(name: str, layer: nn.Module, inputs: torch.Tensor, output: torch.Tensor, *, again: bool) -> dict[str, Any]:
    own = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
    in_place = output.data_ptr() == inputs.data_ptr()
    return {
        "layer": name,
        "stage": _stage_of(name),
        "kind": type(layer).__name__,
        "kernel": _both(getattr(layer, "kernel_size", 1)),
        "stride": _both(getattr(layer, "stride", 1)),
        "padding": _both(getattr(layer, "padding", 0)),
        "output": tuple(output.shape[1:]),
        "parameters": 0 if again else own,
        "macs": _macs(layer, output),
        "activation_bytes": 0 if in_place else output.numel() * output.element_size(),
    }


def layer_table(module: nn.Module) -> pd.DataFrame:
    """A row for each call of a layer on one 3×224×224 picture, in the order they run.

    ``output`` is C×H×W; ``macs`` counts convolutions and the linear layer; ``activation_bytes`` is what
    the layer writes anew, float32 (a ReLU in place writes over its input and counts 0).
    """
    rows: list[dict[str, Any]] = []
    names = {layer: name for name, layer in module.named_modules() if not list(layer.children())}

    def hook(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        again = any(row["layer"] == names[layer] for row in rows)  # a block calls its one ReLU twice
        rows.append(_row(names[layer], layer, inputs[0], output, again=again))

    handles = [layer.register_forward_hook(hook) for layer in names]
    try:
        with torch.inference_mode():
            module(torch.zeros(1, 3, RESNET18.crop, RESNET18.crop))
    finally:
        for handle in handles:
            handle.remove()
    return pd.DataFrame(rows)


def stage_table(layers: pd.DataFrame, milliseconds: Mapping[Any, float] | None = None) -> pd.DataFrame:
    """One row for each stage: output, parameters, MACs, bytes of activations, and its share of each sum.

    ``layers`` comes from ``layer_table``; ``milliseconds`` by stage from ``stage_times`` adds ``ms``
    and ``time_share``.
    """
    groups = layers.groupby("stage", sort=False)
    table = groups[["parameters", "macs", "activation_bytes"]].sum().reindex(list(STAGES))
    table.insert(0, "output", groups["output"].last())
    if milliseconds is not None:
        table["ms"] = pd.Series({stage: float(milliseconds[stage]) for stage in STAGES})
        table["time_share"] = table["ms"] / table["ms"].sum()
    table["macs_share"] = table["macs"] / table["macs"].sum()
    table["parameter_share"] = table["parameters"] / table["parameters"].sum()
    return table


def _weights_bytes(module: nn.Module) -> int:
    """Bytes of all the numbers a weights file holds: parameters, and the batch norms' statistics."""
    return sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())


def totals(module: nn.Module, layers: pd.DataFrame, network: Network = RESNET18) -> pd.DataFrame:
    """Parameters, GMACs and megabytes: counted here, published (both rounded alike), and whether they are equal."""
    counted = {
        "parameters": int(layers["parameters"].sum()),
        "GMACs": round(int(layers["macs"].sum()) / 1e9, 3),
        "MB": round(_weights_bytes(module) / 1e6, 1),
    }
    published = {"parameters": network.parameters, "GMACs": network.gmacs, "MB": _MEGABYTES[network.name]}
    rows = {name: (counted[name], published[name], counted[name] == published[name]) for name in published}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["counted", "published", "equal"], dtype=object)


def counted_layers(layers: pd.DataFrame) -> dict[str, int]:
    """What the 18 in the name counts, and what it leaves out."""
    on_skip = layers["layer"].str.contains(SKIP)
    main = int((~on_skip & (layers["kind"] == "Conv2d")).sum())
    skip = int((on_skip & (layers["kind"] == "Conv2d")).sum())
    linear = int((layers["kind"] == "Linear").sum())
    return {
        "convolutions": main + skip,
        "of them on the main way": main,
        "of them 1×1 on skip connections": skip,
        "linear layers": linear,
        "in the name": main + linear,
    }


def readable(stages: pd.DataFrame) -> pd.DataFrame:
    """The stage table as text, with a line for the sum; the time only where it was measured."""
    sums = stages.drop(columns="output").sum().to_frame("sum").T
    table = pd.concat([stages, sums.assign(output="")])
    columns = {
        "output": table["output"].map(lambda shape: "×".join(map(str, shape))),
        "parameters": table["parameters"].map("{:,.0f}".format),
        "MACs": (table["macs"] / 1e6).map("{:,.1f} M".format),
        "of MACs": table["macs_share"].map("{:.1%}".format),
        "activations": (table["activation_bytes"] / 1e6).map("{:.2f} MB".format),
    }
    if "ms" in table:
        columns |= {"time": table["ms"].map("{:.1f} ms".format), "of time": table["time_share"].map("{:.1%}".format)}
    return pd.DataFrame(columns)


def conclusions(stages: pd.DataFrame, times: StageTimes | None = None) -> list[Conclusion]:
    """What the shares of MACs and time say about the 7×7 stem, which tutorials call the dominating part.

    ``times`` are those that the table was made with; noisy ones support no sentence about time.
    """
    work, time, size = stages["macs_share"], stages["time_share"], stages["parameter_share"]
    early_work, early_time = (float(share["stem"] + share["layer1"]) for share in (work, time))
    counted = (
        f"The stem does {work['stem']:.1%} of the MACs; the largest part is {work.idxmax()} ({work.max():.1%}). Stem "
        f"and layer1 together do {early_work:.0%} of them. {size.idxmax()} holds {size.max():.0%} of the parameters."
    )
    verb = "dominates" if time["stem"] > _HALF else "does not dominate"
    timed = (
        f"The stem {verb} the time: it takes {time['stem']:.0%} of what was measured here. {_longest(stages, times)} "
        f"Stem and layer1 together take {early_time:.0%}, {'more' if early_time > _HALF else 'not more'} than half. "
        f"A MAC of the stem takes {time['stem'] / work['stem']:.1f} times as long as the network's mean one."
    )
    noise = "" if times is None else times.noise
    return [Conclusion("counted shares", counted), Conclusion("shares of time", timed, noise)]


def _longest(stages: pd.DataFrame, times: StageTimes | None) -> str:
    """Which stage takes longest; two, where single passes do not agree which."""
    time = stages["time_share"]
    first, second = time.nlargest(2).index
    agreed = 1.0 if times is None else float((times.passes[first] > times.passes[second]).mean())
    if agreed < _AGREED:
        return f"{first} and {second} take longest ({time[first]:.0%} and {time[second]:.0%}: too near to say which)."
    return f"{first} takes longest ({time[first]:.0%})."


@dataclass(frozen=True)
class Inspection:
    """The tables of the network's parts, and the weights it was timed with."""

    weights: WeightsFile
    layers: pd.DataFrame
    stages: pd.DataFrame
    totals: pd.DataFrame
    times: StageTimes

    @property
    def table(self) -> pd.DataFrame:
        """The stage table as text, with a line for the sum."""
        return readable(self.stages)

    @property
    def conclusions(self) -> list[Conclusion]:
        """What the shares say, and what is too noisy to say."""
        return conclusions(self.stages, self.times)

    def as_json(self) -> dict[str, Any]:
        """Everything as plain numbers and texts."""
        stages = self.stages.round(6).assign(output=self.stages["output"].map(list)).reset_index(names="stage")
        return {
            "weights": self.weights.name,
            "sha256": self.weights.sha256,
            "threads": self.times.threads,
            "passes": len(self.times.passes),
            "spread": round(self.times.spread, 4),
            "cpu_share": round(self.times.cpu_share, 4),
            "totals": self.totals.to_dict(orient="index"),
            "layers_counted": counted_layers(self.layers),
            "receptive_field": {str(name): int(size) for name, size in receptive_fields(self.layers)["size"].items()},
            "stages": stages.to_dict(orient="records"),
            "conclusion": " ".join(map(str, self.conclusions)),
        }


def inspect_network(weights: str = "auto", repeats: int = 5) -> Inspection:
    """The tables of the network's parts; its stages are timed on a real picture with those weights.

    Raises ParameterError for a network that is no ResNet: its stages have other names.
    """
    network = split_name(weights)[0]
    if not network.stages:
        raise ParameterError(
            f"The tables of stages are of ResNets, and {network.title} is none; it can be built, run, evaluated and "
            "measured (`resnet18-lab networks`)."
        )
    loaded = load_model(weights)
    layers = layer_table(loaded.module)
    times = stage_times(loaded.module, reference_batch()[0][:1], repeats)
    stages = stage_table(layers, times.milliseconds)
    return Inspection(loaded.weights, layers, stages, totals(loaded.module, layers, network), times)
