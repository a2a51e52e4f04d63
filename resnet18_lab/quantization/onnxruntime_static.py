"""ONNX Runtime's own static quantizer, quiet."""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from resnet18_lab.preprocessing.transform import Batch


def quantize_static(source: Path, target: Path, batch: Batch, **settings: Any) -> None:  # noqa: ANN401 - passed on
    """Write the float ONNX file in INT8, calibrated on a preprocessed batch, picture by picture.

    ``settings`` are those of ``onnxruntime.quantization.quantize_static``; without any, the library's own defaults
    (S8S8, per tensor).
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with quietly(), tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared))
        name = onnx.load(prepared, load_external_data=False).graph.input[0].name
        quantization.quantize_static(str(prepared), str(target), _reader(name, batch), **settings)


def u8s8(**extra: Any) -> dict[str, Any]:  # noqa: ANN401 - options of the library
    """Settings for what x86 CPUs multiply fastest: uint8 by int8 per channel, float logits."""
    from onnxruntime.quantization import QuantType

    options = {"OpTypesToExcludeOutputQuantization": ["Gemm"], **extra}
    return {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "per_channel": True,
            "extra_options": options}  # fmt: skip


def _reader(name: str, batch: Batch) -> Any:  # noqa: ANN401 - a class of onnxruntime, imported late
    from onnxruntime.quantization import CalibrationDataReader

    class Pictures(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._rest = iter(batch)

        def get_next(self) -> dict[str, Any] | None:
            picture = next(self._rest, None)
            return None if picture is None else {name: picture[None]}

    return Pictures()


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without what quantizers say on stdout, stderr and the root logger: none of it is needed here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
