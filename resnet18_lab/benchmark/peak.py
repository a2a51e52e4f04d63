"""What this CPU can do at most, measured: float32 matrix products and memory traffic."""

import time
from typing import Any

import numpy as np

_SIDE = 512  # small enough for the second-level cache, large enough to keep every unit busy
_REPEATS = 100
_COPIES = 6
_COPY_BYTES = 256_000_000  # larger than any cache


def measure_peak(threads: int) -> dict[str, Any]:
    """GFLOP/s of a 512×512 float32 MatMul in ONNX Runtime, and GB/s of copying a large array.

    The best of several runs: a peak is a bound, not a typical value. The copy counts bytes read and written.
    """
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    values = np.random.default_rng(0).normal(size=(_SIDE, _SIDE)).astype(np.float32)
    factor = numpy_helper.from_array(values, "b")  # a constant, so that it is laid out for the kernel once
    a, c = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [_SIDE, _SIDE]) for name in "ac")
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "peak", [a], [c], [factor])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=onnx.IR_VERSION_2023_5_5)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    seconds = [_timed(lambda: session.run(None, {"a": values})) for _ in range(_REPEATS)]
    source = np.ones(_COPY_BYTES // 8)
    target = np.empty_like(source)
    copies = [_timed(lambda: np.copyto(target, source)) for _ in range(_COPIES)]
    return {
        "samples": seconds,
        "gflops": 2 * _SIDE**3 / min(seconds) / 1e9,
        "gbytes_per_second": 2 * _COPY_BYTES / min(copies) / 1e9,
    }


def _timed(action: Any) -> float:  # noqa: ANN401 - any callable
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
