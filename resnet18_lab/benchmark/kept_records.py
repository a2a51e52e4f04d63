"""The measurements that the project keeps: what a notebook shows without measuring it again."""

import json
from typing import Any

from resnet18_lab.base import paths
from resnet18_lab.base.errors import ParameterError


def kept_record(name: str) -> dict[str, Any]:
    """A record of docs/records; ParameterError where the project is installed without it."""
    path = paths.records_dir() / f"{name}.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ParameterError(f"{path} cannot be read; it is part of a clone.") from error
    return content
