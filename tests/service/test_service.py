"""The service as it runs: answers, refusals, documents; the table of bad inputs is in test_service_attacks.py."""

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from support import pictures
from support import running_service as serving
from support.page_driver import Watch
from support.project import run_cli, samples_dir
from support.running_service import number, wait_until

from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.service.listening import bound_socket
from resnet18_lab.service.settings import Settings

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc and signals of Unix")
CAT = samples_dir() / "cat.jpg"


@pytest.fixture(scope="module")
def service(untrained_home, tmp_path_factory):
    running = serving.start(untrained_home, tmp_path_factory.mktemp("serving") / "tmp", "--weights", "untrained")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def client(service):
    with service.client() as client:
        yield client


def upload(client, data=None, target="/api/v1/classify", name="cat.jpg", **options):
    return client.post(target, files={"file": (name, CAT.read_bytes() if data is None else data)}, **options)


def test_the_answer_is_the_command_lines(client, untrained_home):
    answer = upload(client).json()
    done = run_cli("classify", CAT, "--format", "json", "--weights", "untrained", "--threads", "1", home=untrained_home)
    told = json.loads(done.stdout)
    told = told[0] if isinstance(told, list) else told
    assert answer["engine"] == told["engine"]
    assert answer["warnings"] == told["warnings"]
    for mine, other in zip(answer["predictions"], told["predictions"], strict=True):
        assert mine.pop("score") == pytest.approx(other.pop("score"), abs=1e-5)
        assert mine == other
    assert answer["size"] == [451, 300]
    assert set(answer["timing_ms"]) == {"decode", "prepare", "queue", "model", "total"}


def test_a_raw_body_is_a_picture_with_its_name_in_a_header(client):
    answer = client.post("/api/v1/classify", content=CAT.read_bytes(), headers={"x-filename": "%E7%8C%AB.jpg"})
    assert answer.json()["file"] == "猫.jpg"
    assert len(answer.json()["predictions"]) == 3


def test_the_tutorials_address_answers_alike(client):
    assert upload(client, target="/predict").json()["predictions"] == upload(client).json()["predictions"]


@pytest.mark.parametrize(("lang", "keys"), [("en", {"en"}), ("zh", {"zh"}), ("both", {"en", "zh"})])
def test_the_language_chooses_the_names(client, lang, keys):
    first = upload(client, params={"lang": lang, "top_k": 1}).json()["predictions"]
    assert len(first) == 1
    assert set(first[0]) == {"rank", "index", "wnid", "score"} | keys


def test_the_crop_is_what_the_network_saw(client):
    address = upload(client, params={"crop": 1}).json()["crop"]
    picture = decode(base64.b64decode(address.removeprefix("data:image/png;base64,")))
    assert (np.asarray(picture) == transform.crop(decode(CAT))).all()


def test_the_same_bytes_are_answered_from_memory_and_that_is_said(client):
    data = pictures.jpeg() + b"x" * 7
    first = upload(client, data, params={"cached": 1}).json()
    second = upload(client, data, params={"top_k": 5, "cached": 1}, name="b.jpg").json()
    assert (first["cached"], second["cached"]) == (False, True)
    assert second["predictions"][:3] == first["predictions"]
    assert second["file"] == "b.jpg"


def test_a_draft_changes_pixels_and_not_the_size_that_is_told(untrained_home, tmp_path):
    other = serving.start(untrained_home, tmp_path, "--weights", "untrained", "--draft")
    try:
        answer = upload(other.client(), pictures.encode(pictures.scene(2000, 1400), "JPEG")).json()
        assert answer["size"] == [2000, 1400]
        assert httpx.get(other.url + "/api/v1/model").json()["preprocess_id"].endswith("-draft256")
    finally:
        other.stop()


def test_small_pictures_carry_a_warning(client):
    assert upload(client, pictures.jpeg()).json()["warnings"] == ["upscaled"]


def test_a_batch_keeps_its_order(client):
    good, bad = CAT.read_bytes(), b"no picture at all, not even a small one"
    parts = [("file", (f"{number}.jpg", bad if number in (3, 9, 15) else good)) for number in range(20)]
    answer = client.post("/api/v1/classify/batch", files=parts)  # row 49
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result["file"] for result in results] == [f"{number}.jpg" for number in range(20)]
    assert [number for number, result in enumerate(results) if "error" in result] == [3, 9, 15]


def test_labels_model_and_samples(client):
    labels = client.get("/api/v1/labels").json()
    assert len(labels) == 1000
    assert labels[282]["wnid"] == "n02123159"
    model = client.get("/api/v1/model").json()
    assert model["engine"]["weights"] == "untrained"
    assert len(model["weights"]["sha256"]) == 64
    assert model["preprocess_id"] == transform.preprocess_id()
    for sample in client.get("/api/v1/samples").json():
        assert client.get(sample["url"]).content == (samples_dir() / sample["name"]).read_bytes()


@pytest.mark.parametrize("name", ["labels.csv", "..%2Flabels.csv", "nothing.jpg", "../../../../etc/passwd"])
def test_only_listed_samples_are_given(client, name):
    assert client.get(f"/samples/{name}").status_code == 404


@pytest.mark.parametrize(
    "target", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/", "/static/docs.js"]
)
def test_what_needs_no_picture_answers_with_the_security_headers(client, target):
    answer = client.get(target)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-request-id"]
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


def test_pages_hold_no_inline_scripts_and_name_no_other_site(client):
    for target in ("/", "/docs"):
        text = client.get(target).text
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
        assert not re.search(r"<style|\bstyle=|\bon[a-z]+=", text)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
        for address in re.findall(r'(?:src|href)="(/[^"]+)"', text):
            assert client.get(address).status_code == 200, address


def test_the_documentation_is_drawn_and_asks_nobody_else(service, browser):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    watch = Watch(page, service.url)
    page.on("console", lambda message: watch.problems.append(message.text) if message.type == "error" else None)
    page.goto(service.url + "/docs")
    operation = page.locator("#operations-pictures-classify")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").wait_for()
    assert "multipart/form-data" in operation.inner_text()
    assert page.locator(".opblock").count() > 12
    context.close()
    assert watch.problems == []


@pytest.mark.parametrize("target", ["/", "/docs", "/static/docs.js", "/docs/ui/swagger-ui.css", "/samples/cat.jpg"])
def test_files_are_asked_for_again_each_time(client, target):
    answer = client.get(target)
    assert answer.headers["cache-control"] == "no-cache"
    again = client.get(target, headers={"if-none-match": answer.headers["etag"]})
    if target.startswith(("/static", "/docs/ui")):
        assert again.status_code == 304
        assert again.headers["cache-control"] == "no-cache"
    assert client.get("/healthz").headers["cache-control"] == "no-store"


def test_the_document_names_every_route(client):
    document = client.get("/openapi.json").json()
    for path in (
        "/api/v1/classify",
        "/api/v1/classify/batch",
        "/api/v1/labels",
        "/api/v1/model",
        "/predict",
        "/healthz",
    ):
        assert path in document["paths"]
    assert "multipart/form-data" in document["paths"]["/api/v1/classify"]["post"]["requestBody"]["content"]


def test_the_process_holds_no_torch(service):
    for pid in service.workers():
        maps = Path(f"/proc/{pid}/maps").read_text()
        assert "onnxruntime" in maps
        assert "/torch/" not in maps
    assert not [line for line in service.lines if "torch" in line]


def test_the_log_names_requests_and_never_pictures(service, client):
    identity = upload(client, name="my secret name.jpg").headers["x-request-id"]
    time.sleep(0.2)
    line = next(json.loads(line) for line in service.lines if identity in line)
    assert line["status"] == 200
    assert line["path"] == "/api/v1/classify"
    assert line["bytes_in"] > 10_000
    assert not [line for line in service.lines if "secret" in line]


def test_no_site_may_ask_unless_it_is_named(service, untrained_home, tmp_path):
    headers = {"origin": "https://example.org", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in httpx.options(service.url + "/api/v1/classify", headers=headers).headers
    other = serving.start(untrained_home, tmp_path, "--weights", "untrained", "--cors-origin", "https://example.org")
    try:
        answer = httpx.options(other.url + "/api/v1/classify", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "https://example.org"
        headers["origin"] = "https://elsewhere.example"
        answer = httpx.options(other.url + "/api/v1/classify", headers=headers)
        assert "access-control-allow-origin" not in answer.headers
    finally:
        other.stop()


def test_an_open_address_is_said_to_be_one(untrained_home, tmp_path):
    other = serving.start(untrained_home, tmp_path, "--weights", "untrained", "--host", "0.0.0.0")
    assert other.stop() == 0
    assert any("reverse proxy" in line for line in other.lines)


def test_sigterm_lets_running_requests_finish_and_leaves_no_file(untrained_home, tmp_path):
    other = serving.start(untrained_home, tmp_path / "tmp", "--weights", "untrained", "--cache", "0")
    parts = [("file", (f"{each}.jpg", pictures.jpeg() + bytes([each]))) for each in range(50)]
    with ThreadPoolExecutor(1) as pool, other.client() as client:
        asked = pool.submit(client.post, "/api/v1/classify/batch", files=parts)
        wait_until(lambda: number(other.url, "resnet18_pending_pictures") == len(parts))
        assert other.stop() == 0
        answer = asked.result()
    assert answer.status_code == 200
    assert len([result for result in answer.json()["results"] if "predictions" in result]) == len(parts)
    logged = [json.loads(line) for line in other.lines if '"path": "/api/v1/classify/batch"' in line]
    assert [line["status"] for line in logged] == [200]
    assert not list((tmp_path / "tmp").iterdir())


def test_a_killed_worker_is_replaced_and_counted(untrained_home, tmp_path):
    other = serving.start(untrained_home, tmp_path / "tmp", "--weights", "untrained", "--workers", "2")
    healthy = 'resnet18_http_requests_total{method="GET",route="/healthz"'
    try:
        before = other.workers()
        assert len(before) == 2
        for _ in range(6):
            assert httpx.get(other.url + "/healthz").status_code == 200
        wait_until(lambda: number(other.url, healthy) == 6)  # a request is counted when its answer has left
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: number(other.url, "resnet18_worker_restarts_total") == 1)
        wait_until(lambda: number(other.url, "resnet18_workers") == 2)
        assert before[0] not in other.workers()
        assert len(other.workers()) == 2
        assert number(other.url, healthy) == 6  # of both workers, the dead one too
    finally:
        assert other.stop() == 0


@pytest.mark.slow
def test_a_worker_that_cannot_be_replaced_is_tried_again_and_the_others_go_on(untrained_home, tmp_path):
    home = shutil.copytree(untrained_home, tmp_path / "home")
    other = serving.start(home, tmp_path / "tmp", "--weights", "untrained", "--workers", "2")
    try:
        kept, killed = other.workers()
        (home / "artifacts").rename(home / "elsewhere")
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: sum("before it was ready" in line for line in other.lines) >= 2)
        assert any("resnet18-lab build" in line for line in other.lines), "\n".join(other.lines)
        assert kept in other.workers()
        assert upload(other.client()).status_code == 200
        (home / "elsewhere").rename(home / "artifacts")
        wait_until(lambda: number(other.url, "resnet18_workers") == 2)
    finally:
        assert other.stop() == 0


def test_workers_end_when_their_parent_is_killed(untrained_home, tmp_path):
    other = serving.start(untrained_home, tmp_path / "tmp", "--weights", "untrained")
    workers = other.workers()
    other.process.kill()
    wait_until(lambda: not any(is_running(pid) for pid in workers))


def is_running(pid: int) -> bool:
    try:
        return "Z (" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_taken_port_is_one_line(service, untrained_home):
    done = run_cli("serve", "--port", str(service.port), "--weights", "untrained", home=untrained_home)
    assert done.returncode == 2
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--backend", "nonsense"), ("--threads", "0"), ("--workers", "0"), ("--port", "70000"), ("--cache", "-1"),
        ("--body-seconds", "0"), ("--header-seconds", "nan"), ("--upload-mb", "0"),
    ],
)  # fmt: skip
def test_wrong_options_are_one_line(untrained_home, options):
    done = run_cli("serve", "--weights", "untrained", *options, home=untrained_home)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_without_artifacts_the_command_that_makes_them_is_named(tmp_path):
    done = run_cli("serve", "--weights", "untrained", home=tmp_path)
    assert done.returncode == 2
    assert "resnet18-lab build" in done.stderr


def test_importing_the_service_leaves_torch_out():
    code = "import sys, resnet18_lab.service.app, resnet18_lab.service.supervisor; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_full_queue_is_503_at_once_and_the_rest_is_answered(untrained_home, tmp_path):  # row 48
    other = serving.start(untrained_home, tmp_path, "--weights", "untrained", "--queue", "2", "--cache", "0")
    statuses, kept, health = [], [], []

    def ask(number):
        with other.client() as client:
            for turn in range(8):
                answer = upload(client, pictures.jpeg() + bytes([number, turn]))
                statuses.append(answer.status_code)
                if answer.status_code == 503:
                    kept.append(answer.headers.get("connection") != "close")
                    assert answer.headers["retry-after"] == "1"
                    assert answer.json()["error"]["code"] == "server_busy"

    try:
        with ThreadPoolExecutor(17) as pool:
            asking = [pool.submit(ask, number) for number in range(16)]
            while not all(one.done() for one in asking):
                health.append(httpx.get(other.url + "/healthz").status_code)
            for one in asking:
                one.result()
        assert any(kept), "a client turned away with a small picture can ask again on the same connection"
        assert set(statuses) == {200, 503}
        assert set(health) == {200}
    finally:
        other.stop()


def test_no_answer_waits_for_the_acknowledgement_of_the_one_before():
    async def has_no_delay():
        found = asyncio.get_running_loop().create_future()

        def connected(_, writer):
            found.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(connected, sock=bound_socket(Settings(port=0))) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            flag = await asyncio.wait_for(found, 10)
            writer.close()
        return flag

    with ThreadPoolExecutor(1) as pool:  # a thread of its own has no running loop, whatever ran before in this process
        assert pool.submit(asyncio.run, has_no_delay()).result(), "Nagle's algorithm is on"
