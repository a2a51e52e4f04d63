"""What this CPU can do at most, measured: matrix products in float32 and INT8, and memory traffic."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIDE = 512  # small enough for the second-level cache, large enough to keep every unit busy
_REPEATS = 300  # some fall between the moments in which others use the cores
_COPIES = 6
_COPY_BYTES = 256_000_000  # larger than any cache
_OPERATIONS = 2 * _SIDE**3  # a multiplication and an addition for each of side³ products


def measure_peak(threads: int) -> dict[str, Any]:
    """GFLOP/s of a 512×512 float32 MatMul, GOP/s of the same in INT8, and GB/s of copying a large array.

    The best of several runs in ONNX Runtime: a peak is a bound, not a typical value. The INT8 product takes
    unsigned by signed numbers, as this project's INT8 file does. The copy counts bytes read and written.
    """
    random = np.random.default_rng(0)
    floats = random.normal(size=(_SIDE, _SIDE)).astype(np.float32)
    left = random.integers(0, 256, (_SIDE, _SIDE), dtype=np.uint8)
    right = random.integers(-128, 128, (_SIDE, _SIDE), dtype=np.int8)
    seconds = _products("MatMul", floats, floats, threads)
    int8_seconds = _products("MatMulInteger", left, right, threads)
    source = np.ones(_COPY_BYTES // 8)
    target = np.empty_like(source)
    copies = [_timed(lambda: np.copyto(target, source)) for _ in range(_COPIES)]
    return {
        "samples": seconds,
        "int8_samples": int8_seconds,
        "gflops": _OPERATIONS / min(seconds) / 1e9,
        "int8_gops": _OPERATIONS / min(int8_seconds) / 1e9,
        "gbytes_per_second": 2 * _COPY_BYTES / min(copies) / 1e9,
    }


def _products(operator: str, left: NDArray[Any], right: NDArray[Any], threads: int) -> list[float]:
    """Seconds of each product of the matrices by that operator of ONNX."""
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    output_type = TensorProto.FLOAT if left.dtype == np.float32 else TensorProto.INT32
    a = helper.make_tensor_value_info("a", helper.np_dtype_to_tensor_dtype(left.dtype), left.shape)
    c = helper.make_tensor_value_info("c", output_type, [_SIDE, _SIDE])
    factor = numpy_helper.from_array(right, "b")  # a constant, so that it is laid out for the kernel once
    graph = helper.make_graph([helper.make_node(operator, ["a", "b"], ["c"])], "peak", [a], [c], [factor])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=onnx.IR_VERSION_2023_5_5)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [_timed(lambda: session.run(None, {"a": left})) for _ in range(_REPEATS)]


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
