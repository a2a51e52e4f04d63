"""What a run must not lose: written whole or not at all, read back only by the same run."""

import pickle
from pathlib import Path
from typing import Any

import torch

from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.base.files import replacing
from resnet18_lab.training.material import CHECKPOINT


def write_checkpoint(folder: Path, content: dict[str, Any]) -> None:
    """Replace the checkpoint of a run's folder; LabError where it cannot be written: the one before is still there."""
    try:
        with replacing(folder / CHECKPOINT) as target:
            torch.save(content, target)
    except (OSError, RuntimeError) as error:  # RuntimeError: torch's own words for a full disk
        reason = " ".join(str(error).split())[:200]
        raise LabError(
            f"{folder / CHECKPOINT} cannot be written ({reason}); make room there, and --resume goes on from the last."
        ) from error


def read_checkpoint(folder: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The checkpoint of a run's folder; None where there is none.

    Raises ParameterError for a file that cannot be read safely, and for one of another run: other pictures, targets,
    starting weights or another recipe.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = dict(content["identity"])
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{path} is no checkpoint that can be read safely; move it away, and the run starts anew."
        ) from error
    different = sorted(name for name in identity if found.get(name) != identity[name])
    if different:
        raise ParameterError(
            f"{path} is of another run (different: {', '.join(different)}); give another --name, or the same settings."
        )
    return dict(content)
