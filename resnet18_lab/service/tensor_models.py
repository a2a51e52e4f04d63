"""The answers and refusals of /v2 as the OpenAPI document describes them (Open Inference Protocol, version 2)."""

from typing import Any

from pydantic import BaseModel, Field


class TensorError(BaseModel):
    """A refusal: under /v2 ``error`` is the sentence itself, as the protocol requires."""

    error: str
    code: str
    request_id: str


class ServerMetadata(BaseModel):
    """Name, version and extensions."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """The process answers."""

    live: bool


class Ready(BaseModel):
    """The engine works."""

    ready: bool


class TensorMetadata(BaseModel):
    """Name, type and shape of a tensor; -1 for any number of pictures."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What goes in and comes out."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class TensorConfig(BaseModel):
    """Name, type and dimensions of a tensor, without the batch's."""

    name: str
    data_type: str
    dims: list[int]


class ModelConfig(BaseModel):
    """The configuration."""

    name: str
    platform: str
    backend: str
    version_policy: dict[str, Any]
    max_batch_size: int
    input: list[TensorConfig]
    output: list[TensorConfig]
    instance_group: list[dict[str, Any]]
    parameters: dict[str, Any]


class Duration(BaseModel):
    """How often, and how long together."""

    count: int
    ns: int


class InferenceStatistics(BaseModel):
    """Where the time went."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStatistics(BaseModel):
    """Pictures and runs of the engines since the service started."""

    name: str
    version: str
    inference_count: int
    execution_count: int
    inference_stats: InferenceStatistics
    batch_stats: list[Any]


class Statistics(BaseModel):
    """Of every model, which is one."""

    model_stats: list[ModelStatistics]


class ModelState(BaseModel):
    """A model of the repository."""

    name: str
    version: str
    state: str
    reason: str


class OutputTensor(BaseModel):
    """Logits (FP32), or classes (BYTES: ``score:index:label``); without data when they follow the JSON."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float] | list[str] | None = None
    parameters: dict[str, Any] | None = None


class InferAnswer(BaseModel):
    """The outputs."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None


class InputTensor(BaseModel):
    """The pictures, normalised: FP32 [N,3,H,W], as numbers or (with ``binary_data_size``) after the JSON."""

    name: str = Field(pattern="^input$")
    datatype: str = Field(pattern="^FP32$")
    shape: list[int] = Field(min_length=4, max_length=4)
    data: list[float] | None = None
    parameters: dict[str, Any] | None = None


MODELS: tuple[type[BaseModel], ...] = (
    TensorError,
    ServerMetadata,
    Live,
    Ready,
    TensorMetadata,
    ModelMetadata,
    TensorConfig,
    ModelConfig,
    Duration,
    InferenceStatistics,
    ModelStatistics,
    Statistics,
    ModelState,
    OutputTensor,
    InferAnswer,
    InputTensor,
)
"""All of them."""
