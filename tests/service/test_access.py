"""Who may use the service: those with a key; and by which address it is reached."""

import signal
import socket
import stat
import subprocess
import sys

import httpx
import pytest
from support import pictures
from support import running_service as serving
from support.running_service import inside, wait_until

from resnet18_lab.base.errors import ParameterError, ServeError
from resnet18_lab.service.keys import Keys
from resnet18_lab.service.listening import listening
from resnet18_lab.service.settings import Settings

CLASSIFY = "/api/v1/classify"
KEY, OTHER = "k" * 20, "another-key-of-more-than-16"


@pytest.fixture
def untrained(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# who may ask\n\n{KEY}\n  {OTHER}\n", encoding="utf-8")
    return path


@pytest.fixture
def server(untrained, keys):
    with inside(api_key_file=str(keys)) as running:
        yield running


def bearer(key):
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_who_has_a_key_is_answered(server, key):
    assert httpx.post(server.url + CLASSIFY, content=pictures.jpeg(), headers=bearer(key)).status_code == 200
    assert httpx.get(server.url + "/metrics", headers={"authorization": f"bearer   {key}"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({}, "asks for a key"), ({"authorization": "Basic a2s6a2s="}, "another scheme"), ({"authorization": KEY}, "another scheme"),
        (bearer("wrong"), "not known"), (bearer(KEY + "x"), "not known"),         (bearer("# who may ask"), "not known"), ({"authorization": "Bearer"}, "not known"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [CLASSIFY, "/predict", f"{CLASSIFY}/batch", "/v2/models/resnet18/infer"])
def test_without_a_key_nothing_is_classified_and_the_reason_is_said(server, headers, word, path):
    answer = httpx.post(server.url + path, content=pictures.jpeg(), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    error = answer.json()["error"]
    assert word in (error if path.startswith("/v2") else error["message"])
    assert (answer.json() if path.startswith("/v2") else error)["code"] == "unauthorized"


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/model", "/api/v1/labels", "/api/v1/samples", "/v2", "/nothing"])
def test_what_tells_about_the_service_asks_for_a_key(server, path):
    assert httpx.get(server.url + path).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/openapi.json", "/static/main.js", "/samples/cat.jpg", "/healthz", "/readyz", "/v2/health/ready"],
)  # fmt: skip
def test_the_page_its_files_and_health_are_free(server, path):
    assert httpx.get(server.url + path).status_code == 200


def test_the_document_says_where_a_key_is_asked(server, untrained):
    document = httpx.get(server.url + "/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert document["paths"][CLASSIFY]["post"]["security"] == [{"key": []}]
    assert "security" not in document["paths"]["/healthz"]["get"]
    with inside() as open_to_all:
        assert "securitySchemes" not in httpx.get(open_to_all.url + "/openapi.json").json()["components"]


def test_a_script_of_an_allowed_site_can_read_that_a_key_is_asked(untrained, keys):
    site = "https://friend.example"
    with inside(api_key_file=str(keys), cors_origins=(site,)) as server:
        refused = httpx.post(server.url + CLASSIFY, content=pictures.jpeg(), headers={"origin": site})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == site
        asked = {
            "origin": site,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization",
        }
        assert httpx.options(server.url + CLASSIFY, headers=asked).status_code == 200


@pytest.mark.parametrize(
    ("text", "word"), [(b"", "no key"), (b"# only words\n", "no key"), (b"short\n", "Line 1"), (b"k" * 20 + b"\na b c d e f g h i j k\n", "Line 2"), (b"\xff\xfe", "cannot be read")]
)  # fmt: skip
def test_a_file_without_proper_keys_is_refused(tmp_path, text, word):
    (tmp_path / "keys").write_bytes(text)
    with pytest.raises(ParameterError, match=word):
        Keys(str(tmp_path / "keys"))


def test_a_missing_file_of_keys_is_refused_before_the_start(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "resnet18_lab", "serve", "--api-key-file", str(tmp_path / "none")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert run.returncode == 2
    assert "cannot be read" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.slow
def test_keys_are_read_anew_when_the_workers_are_replaced(untrained_home, tmp_path, keys):
    service = serving.start(untrained_home, tmp_path / "tmp", "--weights", "untrained", "--api-key-file", str(keys))
    try:
        keys.write_text("a-new-key-that-is-long\n", encoding="utf-8")
        assert httpx.get(service.url + "/metrics", headers=bearer(KEY)).status_code == 200
        before = service.workers()
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: service.workers() and not set(before) & set(service.workers()), 60)
        assert httpx.get(service.url + "/metrics", headers=bearer(KEY)).status_code == 401
        assert httpx.get(service.url + "/metrics", headers=bearer("a-new-key-that-is-long")).status_code == 200
    finally:
        assert service.stop() == 0


@pytest.mark.parametrize("prefix", ["", "/pictures"])
def test_it_is_found_with_and_without_the_prefix_of_a_proxy(untrained, prefix):
    with inside(root_path="/pictures") as server:
        for path in ("/", "/healthz", "/static/main.js", "/docs", "/samples/cat.jpg", "/openapi.json", "/v2"):
            assert httpx.get(server.url + prefix + path).status_code == 200, path
        answer = httpx.post(f"{server.url}{prefix}{CLASSIFY}", content=pictures.jpeg())
        assert answer.status_code == 200
        assert httpx.get(server.url + prefix + "/v2/models/other").json()["error"].startswith("There is nothing")
        assert httpx.get(server.url + "/picturesque").status_code == 404
        numbers = httpx.get(server.url + "/metrics").text
        assert 'route="/api/v1/classify"' in numbers
        assert "/pictures" not in numbers
        assert httpx.get(server.url + "/openapi.json").json()["servers"] == [{"url": "/pictures"}]


def test_no_redirect_names_a_host(untrained):
    with inside() as server:
        answer = httpx.get(server.url + "/docs/")
        assert (answer.status_code, answer.headers["location"]) == (307, "../docs")
        assert httpx.get(server.url + "/healthz/").status_code == 404


@pytest.mark.parametrize("path", ["pictures", "/pictures/", "//", "/a b", "/?x", "http://x"])
def test_a_wrong_prefix_is_refused(path):
    with pytest.raises(ParameterError, match="root_path"):
        Settings(root_path=path)


@pytest.mark.slow
def test_it_listens_on_a_socket_in_the_file_system(untrained_home, tmp_path):
    path = tmp_path / "lab.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))  # what a service that was killed leaves
    command = [sys.executable, "-m", "resnet18_lab", "serve", "--uds", str(path), "--weights", "untrained"]
    process = subprocess.Popen(command, env=serving.environment_of(untrained_home), stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr.readline() == f"serving on unix:{path}\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost") as client:
            assert client.post("/predict", content=pictures.jpeg()).status_code == 200
        with pytest.raises(ServeError, match="end what serves there"), listening(Settings(uds=str(path))):
            pass
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stderr.close()
    assert not path.exists()


def test_a_file_in_the_place_of_a_socket_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("words", encoding="utf-8")
    with pytest.raises(ServeError), listening(Settings(uds=str(tmp_path / "mine"))):
        pass
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "words"
