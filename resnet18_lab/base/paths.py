"""Where things live: one place for every folder the project reads or writes."""

import os
from pathlib import Path

_SOURCE_ROOT = Path(__file__).resolve().parents[2]


def is_checkout() -> bool:
    """True when the package runs from a clone (an editable install)."""
    return (_SOURCE_ROOT / "pyproject.toml").is_file()


def home() -> Path:
    """The project's folder: ``$RESNET18_LAB_HOME``, else the clone, else the user's data folder."""
    if chosen := os.environ.get("RESNET18_LAB_HOME"):
        return Path(chosen).expanduser().resolve()
    if is_checkout():
        return _SOURCE_ROOT
    import platformdirs

    return platformdirs.user_data_path("resnet18_lab", appauthor=False)


def weights_dir() -> Path:
    """Folder that downloads of weights go to."""
    return home() / "weights"


def classroom_weights_dir() -> Path | None:
    """Folder a classroom shares beside the clone (``../shared/weights``); None without a clone."""
    return _SOURCE_ROOT.parent / "shared" / "weights" if is_checkout() else None


def artifacts_dir() -> Path:
    """Folder of what ``build`` makes."""
    return home() / "artifacts"


def reports_dir() -> Path:
    """Folder of what ``report`` makes."""
    return home() / "reports"


def notebooks_dir() -> Path:
    """Folder of the course's notebooks (part of a clone)."""
    return _SOURCE_ROOT / "notebooks"


def samples_dir() -> Path:
    """Folder of the photographs that come with the project (part of a clone)."""
    return _SOURCE_ROOT / "data" / "samples"


def records_dir() -> Path:
    """Folder of the measurements that the project's documents are made from (part of a clone)."""
    return _SOURCE_ROOT / "docs" / "records"


def package_data(name: str) -> Path:
    """A data file installed with the package."""
    return _SOURCE_ROOT / "resnet18_lab" / "data" / name
