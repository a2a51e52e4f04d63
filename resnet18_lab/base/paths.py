"""Every folder that the project reads or writes."""

import os
from pathlib import Path

_SOURCE_ROOT = Path(__file__).resolve().parents[2]


def is_checkout() -> bool:
    """True when the package runs from a clone (an editable install)."""
    return (_SOURCE_ROOT / "pyproject.toml").is_file()


def home() -> Path:
    """The project's folder: ``$RESNET18_LAB_HOME``, else the clone, else the user's data folder."""
    if folder := os.environ.get("RESNET18_LAB_HOME"):
        return Path(folder).expanduser().resolve()
    if is_checkout():
        return _SOURCE_ROOT
    import platformdirs

    return platformdirs.user_data_path("resnet18_lab", appauthor=False)


def weights_dir() -> Path:
    """Folder into which weights are downloaded."""
    return home() / "weights"


def classroom_weights_dir() -> Path | None:
    """Folder of weights that a classroom shares, beside the clone (``../shared/weights``); None without a clone."""
    return _SOURCE_ROOT.parent / "shared" / "weights" if is_checkout() else None


def artifacts_dir() -> Path:
    """Folder of the files that ``build`` makes."""
    return home() / "artifacts"


def models_dir() -> Path:
    """Folder of the networks with classes of one's own that ``finetune`` makes."""
    return home() / "models"


def reports_dir() -> Path:
    """Folder of the files that ``report`` makes."""
    return home() / "reports"


def notebooks_dir() -> Path:
    """Folder of the course's notebooks."""
    return _SOURCE_ROOT / "notebooks" if is_checkout() else _installed_data() / "notebooks"


def samples_dir() -> Path:
    """Folder of the photographs that come with the project."""
    return _SOURCE_ROOT / "data" / "samples" if is_checkout() else _installed_data() / "samples"


def labelled_dir() -> Path:
    """Folder of the labelled photographs that come with the project, to count right answers on."""
    return _SOURCE_ROOT / "data" / "labelled" if is_checkout() else _installed_data() / "labelled"


def documents_dir() -> Path:
    """Folder of the documents that the lessons point to."""
    return _SOURCE_ROOT / "docs" if is_checkout() else _installed_data() / "docs"


def bundled_weights_dir() -> Path:
    """Folder of the weights that come with the project."""
    return _SOURCE_ROOT / "weights" if is_checkout() else _installed_data() / "weights"


def _installed_data() -> Path:
    """Where an installer puts a wheel's data files: below the environment, or beside the package (``--target``)."""
    import sysconfig

    beside = _SOURCE_ROOT / "share" / "resnet18_lab"
    return beside if beside.is_dir() else Path(sysconfig.get_path("data")) / "share" / "resnet18_lab"


def records_dir() -> Path:
    """Folder of the measurements from which the project's documents are generated."""
    return documents_dir() / "records"


def package_data(name: str) -> Path:
    """A data file installed with the package."""
    return _SOURCE_ROOT / "resnet18_lab" / "data" / name
