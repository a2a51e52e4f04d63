"""INT8 as other tools make it, for comparison alone: each with its answers and what it computes in."""

import contextlib
import copy
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import rich
import torch

from resnet18_lab.base.errors import EngineError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.export import onnx_graph, torchscript
from resnet18_lab.export.onnx_graph import optimised_operators
from resnet18_lab.inference.engine import Logits
from resnet18_lab.model.network import LoadedModel
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.transform import Crop
from resnet18_lab.quantization.onnxruntime_static import quantize_static, quietly, u8s8

_CHUNK = 8
_OF_INTEREST = ("QLinearConv", "Conv", "FusedConv", "ConvInteger", "QLinearAdd", "Add")


@dataclass(frozen=True)
class Rival:
    """A variant: its size (None where it has no file), and what its graph computes in.

    ``operators`` counts the operators that matter in the optimised graph; ``run`` answers uint8 crops.
    """

    bytes: int | None
    operators: dict[str, int]
    run: Callable[[Crop], Logits]
    seconds: float
    file: Path | None = None


def onnxruntime_static(source: Path, target: Path, fit: Crop, **settings: Any) -> Rival:  # noqa: ANN401 - passed on
    """``quantize_static`` with the settings given; none of them: the library's own defaults (S8S8, per tensor)."""
    started = time.perf_counter()
    quantize_static(source, target, transform.normalise(fit), **settings)
    return of_file(target, time.perf_counter() - started)


def plain_u8s8(source: Path, target: Path, fit: Crop, **settings: Any) -> Rival:  # noqa: ANN401 - passed on
    """What the documentation leads to when read well: QDQ, uint8 by int8 per channel, MinMax, float logits."""
    return onnxruntime_static(source, target, fit, **u8s8(**settings))


def onnxruntime_dynamic(source: Path, target: Path) -> Rival:
    """``quantize_dynamic``: weights in INT8, ranges of activations found anew at every call."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    started = time.perf_counter()
    with _quiet():  # loaded here: given a path it writes a file beside it, where one may only read
        quantize_dynamic(onnx.load(source), str(target), weight_type=QuantType.QUInt8)
    return of_file(target, time.perf_counter() - started)


def nncf_static(source: Path, target: Path, fit: Crop) -> Rival:
    """NNCF's post-training quantization of the ONNX file; EngineError where it is not installed."""
    try:
        import nncf
    except ImportError as error:
        raise EngineError("This row needs nncf: pip install nncf.") from error
    started = time.perf_counter()
    with _quiet():
        proto = onnx.load(source)
        batches = [{proto.graph.input[0].name: transform.normalise(crop)} for crop in fit]
        model = nncf.quantize(proto, nncf.Dataset(batches), subset_size=len(batches))
        onnx.save(model, target)
    return of_file(target, time.perf_counter() - started)


def torch_dynamic(loaded: LoadedModel) -> Rival:
    """``torch.ao.quantization.quantize_dynamic``, as tutorials call it: only ``fc`` becomes INT8."""
    started = time.perf_counter()
    with _quiet():
        model = torch.ao.quantization.quantize_dynamic(loaded.module, {torch.nn.Linear}, dtype=torch.qint8)
    quantized = sum("quantized" in type(module).__module__ for module in model.modules() if not list(module.children()))
    floats = sum(isinstance(module, torch.nn.Conv2d) for module in model.modules())
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    counts = {"quantized Linear": quantized, "float Conv2d": floats}
    return Rival(file.tell(), counts, _calling(model), time.perf_counter() - started)


def torchao_pt2e(loaded: LoadedModel, fit: Crop) -> Rival:
    """Torchao's PT2E with the x86 quantizer, compiled with freezing; EngineError where torchao is not installed.

    ``operators`` counts the quantized convolutions that the compiler put in, which is the proof: without
    freezing the same program silently computes in float.
    """
    try:
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86
    except ImportError as error:
        raise EngineError("This row needs torchao: pip install torchao.") from error
    from torch._dynamo.utils import counters
    from torch._inductor import config

    started = time.perf_counter()
    example = (torch.from_numpy(transform.normalise(fit[:1])),)
    with _quiet():
        program = torch.export.export(loaded.module, example, strict=True).module()
        default_quantizer: Any = x86.X86InductorQuantizer()
        quantizer = default_quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
        prepared: Any = prepare_pt2e(program, quantizer)
        with torch.inference_mode():
            for crop in fit:
                prepared(torch.from_numpy(transform.normalise(crop)))
        converted = convert_pt2e(prepared)
        counters.clear()
        with torch.inference_mode(), config.patch(freezing=True):
            compiled = torch.compile(converted)
            compiled(*example)
    matches = dict(counters["inductor"])
    counts = {
        "quantized convolutions": int(matches.get("qconv_weight_prepack_matcher_count", 0)),
        "fused with what follows": int(matches.get("qconv_unary_matcher_count", 0))
        + int(matches.get("qconv2d_binary_matcher_count", matches.get("qconv_binary_matcher_count", 0))),
    }
    return Rival(None, counts, _calling(_frozen(compiled), chunk=1), time.perf_counter() - started)


def torch_optimized(loaded: LoadedModel) -> Rival:
    """TorchScript after ``optimize_for_inference``, float32; in memory only, since it cannot be saved reliably."""
    started = time.perf_counter()
    with torchscript.deprecation_known():
        program = torch.jit.optimize_for_inference(torchscript.traced(loaded.module, freeze=True))
    return Rival(None, {}, _calling(program, chunk=1), time.perf_counter() - started)


def torch_compiled(loaded: LoadedModel, dtype: torch.dtype) -> Rival:
    """``torch.compile`` with freezing; with ``torch.bfloat16`` the whole network in BF16."""
    from torch._inductor import config

    started = time.perf_counter()
    module = copy.deepcopy(loaded.module).to(dtype)
    torch._dynamo.reset()
    with _quiet(), torch.inference_mode(), config.patch(freezing=True):
        program = torch.compile(module)
        program(torch.zeros(1, *RESNET18.shape, dtype=dtype))

    def run(batch: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = program(batch.to(dtype)).float()
        return answer

    return Rival(None, {}, _calling(_frozen(run), chunk=1), time.perf_counter() - started)


def _frozen(program: Callable[..., Any]) -> Callable[..., Any]:
    """The program with freezing on at every call: another number of threads compiles anew, and then in float."""
    from torch._inductor import config

    def run(batch: torch.Tensor) -> Any:  # noqa: ANN401 - what the program gives
        with config.patch(freezing=True):
            return program(batch)

    return run


def of_file(path: Path, seconds: float) -> Rival:
    """An ONNX file that is there already, run by ONNX Runtime with one thread."""
    session = onnx_graph.runner(path, 1)

    def run(crops: Crop) -> Logits:
        return np.concatenate([session(transform.normalise(crop)) for crop in crops])

    counts = optimised_operators(path)
    operators = {name: count for name, count in counts.items() if name in _OF_INTEREST}
    return Rival(path.stat().st_size, operators, run, seconds, path)


def _calling(program: Callable[..., Any], chunk: int = _CHUNK) -> Callable[[Crop], Logits]:
    def run(crops: Crop) -> Logits:
        parts = []
        for start in range(0, len(crops), chunk):
            batch = torch.from_numpy(transform.normalise(crops[start : start + chunk]))
            with torch.inference_mode():
                parts.append(program(batch).numpy())
        return np.concatenate(parts)

    return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Quietly, and without what these tools say on rich's console."""
    console = rich.get_console()
    settings = dict(vars(console))
    rich.reconfigure(quiet=True, force_jupyter=False)  # progress bars that would be stored in a notebook
    try:
        with quietly():
            yield
    finally:
        vars(console).update(settings)
