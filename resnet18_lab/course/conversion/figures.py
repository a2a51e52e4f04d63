"""A residual block of an ONNX file as a drawing, before and after ONNX Runtime's optimisation."""

from collections.abc import Mapping, Sequence

import onnx
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.benchmark.style import (
    ACCENT,
    CHART,
    Figure,
    new_figure,
    styled,
)

_FIRST, _NEXT = 1, 3
"""Convolutions before the first residual block, and before the one after it: stem, and two in the block.

Counted, not looked up by name: of a network without biases the optimised graph keeps no names of layers.
"""
_FLOAT, _INTEGER, _CONVERSION = "#dcebf2", "#d5ecd8", "#f1e3cf"


def block_nodes(proto: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Nodes of the first residual block, in their order; those that unpack constants are left out."""
    nodes = list(proto.graph.node)
    begin, end = (_position(nodes, count) for count in (_FIRST, _NEXT))
    constants = {tensor.name for tensor in proto.graph.initializer}
    # what stands between the two convolutions and reads something that was computed
    return [node for node in nodes[begin:end] if any(name and name not in constants for name in node.input)]


def _position(nodes: Sequence[onnx.NodeProto], count: int) -> int:
    """Position of the convolution that has ``count`` others before it."""
    convolutions = [position for position, node in enumerate(nodes) if node.op_type.endswith("Conv")]
    if len(convolutions) <= count:
        raise ParameterError(f"The graph has {len(convolutions)} convolutions; the first residual block needs more.")
    return convolutions[count]


@styled
def draw_blocks(graphs: Mapping[str, onnx.ModelProto], weights: str) -> Figure:
    """The block of each graph side by side; long arrows at the right are the skip connection."""
    blocks = {title: block_nodes(proto) for title, proto in graphs.items()}
    tallest = max(len(nodes) for nodes in blocks.values())
    figure = new_figure(3.1 * len(blocks), 0.62 * tallest + 1.2, weights, CHART)
    for axes, (title, nodes) in zip(figure.subplots(1, len(blocks)), blocks.items(), strict=True):
        _draw(axes, nodes, tallest)
        axes.set_title(f"{title}\n{len(nodes)} nodes")
    return figure


def _draw(axes: Axes, nodes: Sequence[onnx.NodeProto], tallest: int) -> None:
    axes.set_xlim(-1.2, 1.7)
    axes.set_ylim(-tallest - 0.4, 0.6)
    axes.set_axis_off()
    row_of = {name: row for row, node in enumerate(nodes) for name in node.output}
    axes.text(0, 0.3, "from the stem", ha="center", va="center", fontsize=10, style="italic")
    for row, node in enumerate(nodes):
        y = -row - 0.6
        axes.add_patch(
            FancyBboxPatch(
                (-0.95, y - 0.26), 1.9, 0.52, boxstyle="round,pad=0.02", facecolor=_colour(node), edgecolor="#33505e"
            )
        )
        axes.text(0, y, _label(node), ha="center", va="center", fontsize=10)
        for source in {row_of[name] for name in node.input if name in row_of}:
            _arrow(axes, source, row)
        if not any(name in row_of for name in node.input) or _joins(node, row_of):
            _arrow(axes, -1, row)


def _joins(node: onnx.NodeProto, row_of: Mapping[str, int]) -> bool:
    """True for a node that adds the block's own input: it reads something computed outside of the block."""
    adds = "Add" in node.op_type or (len(node.input) > 3 and node.domain == "com.microsoft.nchwc")
    own_inputs = [name for name in node.input if name in row_of]
    return adds and len(own_inputs) == 1


def _arrow(axes: Axes, source: int, target: int) -> None:
    near = target - source == 1
    start = (0, -source - 0.88) if near else (0.95, -source - 0.6)
    end = (0, -target - 0.32) if near else (0.95, -target - 0.6)
    if source < 0 and near:
        start = (0, 0.15)
    style = "arc3" if near else "arc3,rad=-0.45"
    colour = "#33505e" if near else ACCENT
    axes.annotate(
        "", xy=end, xytext=start,
        arrowprops={"arrowstyle": "-|>", "color": colour, "connectionstyle": style, "linewidth": 1.4},
    )  # fmt: skip


def _label(node: onnx.NodeProto) -> str:
    names = {"QuantizeLinear": "Quantize", "DequantizeLinear": "Dequantize"}
    extra = [a.s.decode() for a in node.attribute if a.name == "activation"]
    suffix = " + sum" if node.op_type == "Conv" and len(node.input) > 3 and node.domain else ""
    return names.get(node.op_type, node.op_type) + suffix + "".join(f" + {word}" for word in extra)


def _colour(node: onnx.NodeProto) -> str:
    if "uantizeLinear" in node.op_type:
        return _CONVERSION
    return _INTEGER if node.op_type.startswith("QLinear") else _FLOAT
