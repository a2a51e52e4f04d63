"""Finding weights by name and by path, in the places and order that are promised."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.project import ROOT, weights_or_skip

from resnet18_lab.base import hashing, paths
from resnet18_lab.base.errors import ParameterError, WeightsError, WeightsNotFoundError
from resnet18_lab.weights import catalogue
from resnet18_lab.weights.catalogue import CatalogueEntry
from resnet18_lab.weights.find import find_weights, verify_weights
from resnet18_lab.weights.status import weights_status

CONTENTS = {"official": b"o" * 300, "compact": b"c" * 200, "compact-large": b"l" * 100, "distilled": b"d" * 50}
REAL = catalogue.catalogue()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, classroom folder and hub cache, and a catalogue of small files."""
    for name in ("RESNET18_LAB_WEIGHTS", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setattr(paths, "classroom_weights_dir", lambda: tmp_path / "classroom")
    monkeypatch.setattr(paths, "bundled_weights_dir", lambda: tmp_path / "bundled")
    entries = tuple(_small(entry, CONTENTS[entry.name]) for entry in REAL if entry.network == "resnet18")
    monkeypatch.setattr(catalogue, "CATALOGUE", entries)
    return tmp_path


def _small(entry: CatalogueEntry, content: bytes) -> CatalogueEntry:
    digest = hashlib.sha256(content).hexdigest()
    return replace(entry, bytes=len(content), sha256=digest)


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Tests often run as root, to whom every file is open."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def put(folder: Path, name: str, content: bytes | None = None) -> Path:
    """The catalogue's file of that name in a folder, with its right content unless another is given."""
    path = folder / catalogue.entry_named(name).filename
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENTS[name] if content is None else content)
    return path


def error_of(name: str) -> str:
    with pytest.raises(WeightsError) as caught:
        find_weights(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.usefixtures("home")
def test_the_catalogue_names_each_file_once_in_order_of_preference() -> None:
    assert [entry.name for entry in catalogue.catalogue()] == ["official", "compact", "compact-large", "distilled"]


def test_the_official_entry_is_what_torchvision_says() -> None:
    script = "from resnet18_lab.model.torchvision import torchvision\n"
    script += "w = torchvision.models.ResNet18_Weights.IMAGENET1K_V1; print(w.url, w.meta['num_params'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [REAL[0].url, str(REAL[0].parameters)]


def test_every_url_of_the_catalogue_is_https_and_ends_in_its_filename() -> None:
    for entry in (entry for entry in REAL if not entry.bundled and not entry.package):
        assert entry.url.startswith("https://")
        assert entry.url.endswith(f"/{entry.filename}")


@pytest.mark.parametrize("place", ["weights", "classroom", "user/.cache/torch/hub/checkpoints"])
def test_each_place_is_searched(place: str, home: Path) -> None:
    path = put(home / place, "compact")
    found = find_weights("compact")
    assert (found.name, found.path) == ("compact", path)
    assert found.sha256 == hashlib.sha256(CONTENTS["compact"]).hexdigest()


def test_the_places_are_searched_in_order(home: Path) -> None:
    hub = put(home / "user/.cache/torch/hub/checkpoints", "compact")
    assert find_weights("compact").path == hub
    classroom = put(home / "classroom", "compact")
    assert find_weights("compact").path == classroom
    own = put(home / "weights", "compact")
    assert find_weights("compact").path == own
    assert find_weights("compact").origin == "weights folder"


@pytest.mark.parametrize(
    ("variable", "inside"), [("TORCH_HOME", "hub/checkpoints"), ("XDG_CACHE_HOME", "torch/hub/checkpoints")]
)
def test_the_hub_cache_moves_with_its_variables(
    variable: str, inside: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(home / "moved"))
    path = put(home / "moved" / inside, "official")
    assert find_weights("official").path == path


def test_auto_takes_the_first_of_the_catalogue_wherever_it_lies(home: Path) -> None:
    put(home / "weights", "compact-large")
    assert find_weights().name == "compact-large"
    put(home / "weights", "compact")
    assert find_weights().name == "compact"
    put(home / "user/.cache/torch/hub/checkpoints", "official")
    assert find_weights().name == "official"


def test_nothing_found_names_places_command_and_variable(home: Path) -> None:
    message = error_of("auto")
    for named in (str(home / "weights"), str(home / "classroom"), "weights fetch", "RESNET18_LAB_WEIGHTS", "--network"):
        assert named in message


@pytest.mark.usefixtures("home")
def test_a_name_not_found_names_its_own_command() -> None:
    assert "`resnet18-lab weights fetch compact-large`" in error_of("compact-large")


@pytest.mark.usefixtures("home")
def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(WeightsNotFoundError, match="Did you mean compact"):
        find_weights("compakt")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["", "x\0y", "Official weights"])
def test_a_name_that_is_none_is_one_line(name: str) -> None:
    assert "There are: auto" in error_of(name)


def test_an_entry_by_an_unknown_name_is_a_parameter_error() -> None:
    with pytest.raises(ParameterError, match="Did you mean official"):
        catalogue.entry_named("oficial")


def test_importing_it_imports_no_torch_and_no_network_module() -> None:
    script = (
        "import sys, resnet18_lab.weights.find; print({'torch', 'urllib.request', 'http.client'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_untrained_is_given_only_when_asked_for(home: Path) -> None:
    error_of("auto")
    found = find_weights("untrained")
    assert (found.name, found.path) == ("untrained", None)
    assert found.sha256 == hashlib.sha256(b"untrained seed 0").hexdigest()


def test_the_variable_may_ask_for_untrained(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / "weights", "official")
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", "untrained")
    assert find_weights("auto").name == "untrained"


def test_a_catalogue_name_is_not_found_when_the_variable_asks_for_untrained(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home / "weights", "official")
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", "untrained")
    with pytest.raises(WeightsNotFoundError, match="RESNET18_LAB_WEIGHTS is untrained"):
        find_weights("official")


def test_the_variable_may_name_a_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / "weights", "official")
    path = put(home / "mine", "compact")
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(home / "mine"))
    assert find_weights().path == path
    assert find_weights().origin == "RESNET18_LAB_WEIGHTS"


@pytest.mark.parametrize("there", [True, False])
def test_a_variable_without_weights_is_an_error_and_no_other_place_is_taken(
    there: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home / "weights", "official")
    if there:
        (home / "mine").mkdir()
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(home / "mine"))
    with pytest.raises(WeightsNotFoundError, match="RESNET18_LAB_WEIGHTS is"):
        find_weights("auto")
    with pytest.raises(WeightsNotFoundError, match="RESNET18_LAB_WEIGHTS is"):
        find_weights("official")


def test_an_empty_variable_is_no_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / "weights", "official")
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", "")
    assert find_weights().name == "official"


def test_the_variable_may_name_a_file_of_the_catalogue_whatever_it_is_called(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / "renamed.bin"
    path.write_bytes(CONTENTS["compact"])
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(path))
    assert find_weights("auto").name == "compact"
    assert find_weights("compact").path == path


def test_the_variable_may_name_a_file_of_ones_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "My Model_v2.pth"
    path.write_bytes(b"own")
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(path))
    assert find_weights("auto").name == "my-model-v2"


def test_a_file_in_the_variable_is_not_taken_for_another_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / "weights", "official")
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(put(home / "mine", "compact")))
    assert "not the official weights but compact" in error_of("official")


def test_a_home_sign_in_the_variable_is_understood(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(home / "user" / "mine", "compact")
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", "~/mine")
    assert find_weights().path == path


def test_a_path_wins_over_the_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(home / "nothing"))
    path = put(home / "mine", "compact")
    assert find_weights(str(path)).name == "compact"


def test_a_relative_path_is_made_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(home / "mine", "compact")
    monkeypatch.chdir(path.parent)
    assert find_weights(path.name).path == path


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("Fine.Tuned_v2.pth", "fine-tuned-v2"),
        ("official.pth", "custom-official"),
        ("untrained.pt", "custom-untrained"),
        ("权重.pth", "custom"),
        ("--a  b--.pth", "a-b"),
    ],
)
def test_a_file_of_ones_own_is_named_by_its_stem(filename: str, name: str, home: Path) -> None:
    path = home / filename
    path.write_bytes(b"own")
    assert find_weights(str(path)).name == name


@pytest.mark.usefixtures("home")
def test_a_path_that_is_not_there_is_not_found() -> None:
    with pytest.raises(WeightsNotFoundError, match="There is no file"):
        find_weights("nowhere/model.pth")


def test_a_folder_as_a_path_is_one_clear_line(home: Path) -> None:
    assert "is a folder" in error_of(str(home))


def test_a_pipe_as_a_path_is_refused_and_not_waited_for(home: Path) -> None:
    os.mkfifo(home / "pipe.pth")
    assert "no regular file" in error_of(str(home / "pipe.pth"))


def test_an_empty_file_is_one_clear_line(home: Path) -> None:
    (home / "empty.pth").touch()
    assert "is empty" in error_of(str(home / "empty.pth"))


def test_an_unfinished_download_is_named_as_one(home: Path) -> None:
    (home / "model.pth.part").write_bytes(b"half")
    assert "unfinished download" in error_of(str(home / "model.pth.part"))


def test_a_file_that_may_not_be_read_is_one_clear_line(home: Path, request: pytest.FixtureRequest) -> None:
    path = put(home / "weights", "compact")
    path.chmod(0)
    request.getfixturevalue("unprivileged")
    assert "cannot be read: Permission denied" in error_of("compact")


def test_a_half_file_is_an_error_with_both_sizes_and_what_to_do(home: Path) -> None:
    path = put(home / "weights", "compact", CONTENTS["compact"][:100])
    message = error_of("auto")
    for named in (str(path), "200 bytes expected, 100 found", "move it away", "weights fetch compact"):
        assert named in message


def test_a_file_of_another_hash_is_never_passed_over(home: Path) -> None:
    put(home / "weights", "official", b"x" * 300)
    put(home / "classroom", "official")
    message = error_of("auto")
    assert catalogue.entry_named("official").sha256[:8] in message
    assert hashlib.sha256(b"x" * 300).hexdigest()[:8] in message


def test_a_path_with_a_catalogue_filename_must_hold_that_file(home: Path) -> None:
    path = put(home / "mine", "compact", b"x" * 200)
    assert "not the compact weights" in error_of(str(path))


def test_verify_gives_the_file_it_verified(home: Path) -> None:
    path = put(home / "weights", "compact")
    assert verify_weights("compact").path == path
    assert verify_weights(str(path)).name == "compact"


def test_verify_does_not_rely_on_what_is_remembered(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "TOO_FRESH_NS", 0)
    put(home / "weights", "compact")
    right = find_weights("compact").sha256
    memory = hashing.memory_file()
    memory.write_text(memory.read_text(encoding="utf-8").replace(right, "0" * 64), encoding="utf-8")
    assert "SHA-256" in error_of("compact")
    assert verify_weights("compact").sha256 == right


def test_verify_refuses_what_the_catalogue_does_not_know(home: Path) -> None:
    (home / "own.pth").write_bytes(b"own")
    with pytest.raises(WeightsError, match="nothing to verify it against"):
        verify_weights(str(home / "own.pth"))


@pytest.mark.usefixtures("home")
def test_verify_refuses_untrained() -> None:
    with pytest.raises(ParameterError, match="no file"):
        verify_weights("untrained")


def test_the_status_tells_found_damaged_and_missing_apart(home: Path) -> None:
    good = put(home / "classroom", "official")
    bad = put(home / "weights", "compact", b"half")
    official, compact, large, _ = weights_status()
    assert (official.path, official.verified, official.problem) == (good, True, None)
    assert official.where == "classroom folder"
    assert (compact.path, compact.verified) == (bad, False)
    assert "4 found" in str(compact.problem)
    assert (large.path, large.verified, large.problem) == (None, False, None)


def test_the_status_shows_a_file_of_ones_own_as_not_verified(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "own.pth"
    path.write_bytes(b"own")
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(path))
    *catalogue, own = weights_status()
    assert all(row.path is None and "RESNET18_LAB_WEIGHTS" in str(row.problem) for row in catalogue)
    assert (own.name, own.path, own.verified, own.bytes) == ("own", path, False, 3)


def test_the_status_shows_that_untrained_was_chosen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", "untrained")
    assert [row.name for row in weights_status()][-1] == "untrained"


def test_the_status_says_that_the_variable_leads_nowhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(home / "gone"))
    assert all("does not exist" in str(row.problem) for row in weights_status())


@pytest.mark.parametrize("name", ["official", "compact", "compact-large", "distilled"])
def test_a_published_file_that_is_here_verifies(name: str) -> None:
    found = weights_or_skip(name)
    entry = catalogue.entry_named(name)
    assert verify_weights(name).sha256 == entry.sha256
    assert found.path is not None
    assert found.path.stat().st_size == entry.bytes


def test_what_comes_with_the_project_is_found_last_and_by_its_name(home):
    path = put(home / "bundled", "distilled")
    assert find_weights().path == path
    assert find_weights().origin == "comes with the project"
    put(home / "weights", "compact-large")
    assert find_weights().name == "compact-large"
    assert find_weights("distilled").path == path


def test_with_the_variable_set_only_its_name_finds_what_comes_along(home, monkeypatch):
    bundled = put(home / "bundled", "distilled")
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(home / "empty"))
    (home / "empty").mkdir()
    assert find_weights("distilled").path == bundled
    assert "holds no" in error_of("auto")
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(put(home / "mine", "compact")))
    assert find_weights("distilled").path == bundled
    assert find_weights("auto").name == "compact"


def test_a_known_name_goes_before_a_path(home, monkeypatch):
    bundled = put(home / "bundled", "distilled")
    monkeypatch.chdir(home)
    (home / "distilled").write_bytes(b"a file of that name")
    assert find_weights("distilled").path == bundled


def test_the_weights_of_the_clone_are_those_of_the_catalogue_whatever_the_home_is(tmp_path, monkeypatch):
    monkeypatch.delenv("RESNET18_LAB_WEIGHTS", raising=False)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    file = verify_weights("distilled")
    assert file.path == ROOT / "weights" / "resnet18-distilled.npz"
    assert file.path.stat().st_size <= 12_000_000
    for ending in (".md", ".LICENSE.txt"):
        assert file.path.with_name("resnet18-distilled" + ending).is_file()
