"""Options of the service from the command line, the environment and a file, in this order."""

import subprocess
import sys
import tomllib

import pytest

from resnet18_lab.cli.main import main

PREFIX = "RESNET18_LAB_SERVE_"


@pytest.fixture
def shown(monkeypatch, capsys):
    """What --show-settings prints, and what it complains of."""

    def show(*arguments):
        monkeypatch.setattr(sys, "argv", ["resnet18-lab", "serve", "--show-settings", *map(str, arguments)])
        status = main()
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return show


def value_of(text, name):
    return next(line for line in text.splitlines() if line.startswith(f"{name} = "))


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(shown, monkeypatch, tmp_path):
    file = tmp_path / "serve.toml"
    file.write_text(
        'max-mb = 3\nqueue = 7\ncache = 9\ncors_origin = ["https://a.example"]\ndraft = true\n', encoding="utf-8"
    )
    monkeypatch.setenv(f"{PREFIX}QUEUE", "8")
    monkeypatch.setenv(f"{PREFIX}CACHE", "10")
    _, text, _ = shown("--settings", file, "--cache", "11")
    assert value_of(text, "max-mb") == "max-mb = 3  # settings file"
    assert value_of(text, "queue") == "queue = 8  # environment"
    assert value_of(text, "cache") == "cache = 11  # command line"
    assert value_of(text, "port") == "port = 8000  # default"
    assert value_of(text, "cors-origin") == 'cors-origin = ["https://a.example"]  # settings file'
    assert value_of(text, "draft") == "draft = true  # settings file"


def test_what_is_shown_is_a_settings_file(shown, tmp_path):
    arguments = ["--port", "8123", "--allowed-host", 'a"b\\c', "--rate", "2.5", "--no-access-log", "--no-cache"]
    _, text, _ = shown(*arguments)
    (tmp_path / "again.toml").write_text(text, encoding="utf-8")
    _, again, _ = shown("--settings", tmp_path / "again.toml")
    assert tomllib.loads(again) == tomllib.loads(text)
    assert tomllib.loads(again)["allowed-host"] == ['a"b\\c']


def test_the_file_may_be_named_by_the_environment(shown, monkeypatch, tmp_path):
    (tmp_path / "serve.toml").write_text("workers = 3\n", encoding="utf-8")
    monkeypatch.setenv(f"{PREFIX}SETTINGS", str(tmp_path / "serve.toml"))
    assert value_of(shown()[1], "workers") == "workers = 3  # settings file"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_bm = 3", "is max_mb meant?"), ("max-mb = 'x'", "'--max-mb'"), ("max-mb = ", "cannot be read"),
        ("[serve]\nport = 1", "serve, which is no option"), ("[port]\na = 1", "port is a table"),
        ("settings = 'x'", "settings, which is no option"), ("draft = 'perhaps'", "'--draft'"), ("port = 1.5", "'--port'"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_in_one_line(shown, tmp_path, text, words):
    (tmp_path / "serve.toml").write_text(text, encoding="utf-8")
    status, out, complaint = shown("--settings", tmp_path / "serve.toml")
    assert (status, out) == (2, "")
    assert words in complaint
    assert complaint.count("\n") == 1


@pytest.mark.parametrize("path", ["none.toml", "."])
def test_a_file_that_cannot_be_read_is_refused(shown, path):
    status, _, complaint = shown("--settings", path)
    assert status == 2
    assert "cannot be read" in complaint


@pytest.mark.parametrize(("name", "words"), [("PRT", "is port meant?"), ("XYZZY", "--show-settings lists them")])
def test_a_variable_that_is_no_option_is_refused(shown, monkeypatch, name, words):
    monkeypatch.setenv(PREFIX + name, "1")
    status, _, complaint = shown()
    assert status == 2
    assert words in complaint


def test_a_wrong_value_names_its_variable(shown, monkeypatch):
    monkeypatch.setenv(f"{PREFIX}PORT", "much")
    status, _, complaint = shown()
    assert status == 2
    assert f"{PREFIX}PORT" in complaint or "'--port'" in complaint


@pytest.mark.slow
def test_the_service_obeys_the_environment(untrained_home, tmp_path):
    from support import running_service as serving

    service = serving.start(
        untrained_home,
        tmp_path / "tmp",
        "--weights",
        "untrained",
        env={f"{PREFIX}MAX_MB": "1", f"{PREFIX}ROOT_PATH": "/a"},
    )
    try:
        assert service.client().get("/a/api/v1/model").json()["limits"]["max_bytes"] == 1_000_000
    finally:
        assert service.stop() == 0


def test_the_help_names_the_variables():
    text = subprocess.run(
        [sys.executable, "-m", "resnet18_lab", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
    assert "RESNET18_LAB_SERVE_PORT" in text
    assert "env var" not in text
