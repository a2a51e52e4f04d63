"""The answers of /api/v1 as the OpenAPI document describes them; what clients are generated from.

Answers are not validated against these when they are sent: the tests do that, for every route.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_ENGINE = {
    "backend": "onnxruntime-int8", "precision": "int8", "threads": 1, "weights": "distilled",
    "artifact": "resnet18-int8-static.onnx", "sha256": "0" * 64,
}  # fmt: skip
_CAT = {"rank": 1, "index": 285, "wnid": "n02124075", "en": "Egyptian cat", "zh": "埃及猫", "score": 0.62}
_TIMES = {"decode": 3.1, "prepare": 0.8, "queue": 0.1, "model": 6.2, "total": 10.9}
_PICTURE: dict[str, Any] = {
    "file": "cat.jpg", "predictions": [_CAT], "warnings": [], "engine": _ENGINE, "size": [451, 300],
    "timing_ms": _TIMES, "request_id": "6d0c9f0b7a1e4c55",
}  # fmt: skip
_WORDS = {
    "code": "truncated", "message": "The file ends too early.", "message_zh": "文件不完整。", "filename": "cat.jpg",
}  # fmt: skip


def _like(example: object) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": example})  # type: ignore[dict-item]


class PredictionAnswer(BaseModel):
    """One class and its share of the softmax; rank 1 is the best."""

    rank: int = Field(ge=1)
    index: int = Field(ge=0)
    wnid: str | None = Field(description="The class in WordNet; null for a class of one's own.")
    en: str | None = Field(None, description="English name; missing with lang=zh.")
    zh: str | None = Field(None, description="Chinese name; missing with lang=en.")
    score: float = Field(ge=0, le=1)


class EngineAnswer(BaseModel):
    """Which engine answered, and from which file."""

    backend: str
    precision: str
    threads: int
    weights: str
    artifact: str
    sha256: str


class TimesAnswer(BaseModel):
    """Milliseconds of each step; 0 for what was remembered."""

    decode: float
    prepare: float
    queue: float
    model: float
    total: float


class PictureOfBatch(BaseModel):
    """The answer to one picture of a batch."""

    file: str = Field(description="The name that came with the picture, cut at 100 characters; empty when none did.")
    predictions: list[PredictionAnswer]
    unknown: bool | None = Field(
        None, description="With a model that knows its training pictures: whether this is of none of its classes."
    )
    distance: float | None = Field(None, description="How far the picture is from those, 0 to 2; what unknown goes by.")
    rejected: str | None = Field(None, description="Why a rule of the service does not let the answer stand.")
    warnings: list[str]
    engine: EngineAnswer
    size: list[int] = Field(min_length=2, max_length=2, description="Width and height of the picture, upright.")
    timing_ms: TimesAnswer
    animated: bool | None = Field(None, description="True for a picture of several frames, of which the first counts.")
    crop: str | None = Field(None, description="With crop=1: the pixels the network saw, as a data: address.")
    cached: bool | None = Field(None, description="With cached=1: whether the answer was remembered.")


class PictureAnswer(PictureOfBatch):
    """The answer to a picture."""

    model_config = _like(_PICTURE)
    request_id: str


class ErrorWords(BaseModel):
    """Why: a stable code, and a sentence in two languages."""

    code: str
    message: str
    message_zh: str
    filename: str


class ErrorOfBatch(BaseModel):
    """A picture of a batch that has no answer."""

    file: str
    error: ErrorWords


class ErrorAnswer(ErrorOfBatch):
    """A refusal. ``file`` and ``error.filename`` are the name that came with the picture, cut; empty when none did."""

    model_config = _like({"file": "cat.jpg", "error": _WORDS, "request_id": "6d0c9f0b7a1e4c55"})
    request_id: str


class BatchAnswer(BaseModel):
    """Results in the order of the pictures."""

    results: list[PictureOfBatch | ErrorOfBatch]
    request_id: str


class LabelAnswer(BaseModel):
    """A class."""

    index: int
    wnid: str | None
    en: str | None = None
    zh: str | None = None


class WeightsAnswer(BaseModel):
    """The weights behind the answers."""

    name: str
    sha256: str


class LimitsAnswer(BaseModel):
    """What is refused: above these."""

    max_bytes: int
    max_pixels: int
    max_files: int
    queue: int


class VersionsAnswer(BaseModel):
    """What a client may want to know."""

    resnet18_lab: str


class NetworkAnswer(BaseModel):
    """What the network takes: a square of ``crop`` pixels, cut from the middle of a picture whose short side is
    ``resize`` pixels then; by colour ``mean`` is taken off and ``std`` divided by, of values 0..1.
    """  # noqa: D205 - one sentence

    title: str
    classes: int
    tells_unknown: bool
    rules_sha256: str | None = Field(description="Of the file of rules that answers follow; null where there is none.")
    resize: int
    crop: int
    interpolation: str
    mean: list[float]
    std: list[float]


class ModelAnswer(BaseModel):
    """The model that answers."""

    name: str
    network: NetworkAnswer
    engine: EngineAnswer
    weights: WeightsAnswer
    preprocess_id: str
    limits: LimitsAnswer
    versions: VersionsAnswer


class SampleAnswer(BaseModel):
    """A photograph to try the service with; ``url`` is its path below the service's address."""

    name: str
    url: str
    en: str
    zh: str


class StatusAnswer(BaseModel):
    """Whether all is well."""

    status: str


MODELS: tuple[type[BaseModel], ...] = (
    PredictionAnswer,
    EngineAnswer,
    TimesAnswer,
    PictureOfBatch,
    PictureAnswer,
    ErrorWords,
    ErrorOfBatch,
    ErrorAnswer,
    BatchAnswer,
    LabelAnswer,
    WeightsAnswer,
    LimitsAnswer,
    VersionsAnswer,
    ModelAnswer,
    SampleAnswer,
    StatusAnswer,
)
"""All of them."""
