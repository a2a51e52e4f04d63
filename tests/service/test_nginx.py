"""Behind nginx as deploy/ ships it: a real nginx on a free port, with a certificate of its own."""

import re
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support import pictures
from support import running_service as serving
from support.project import ROOT
from support.running_service import free_port, wait_until

NAME = "pictures.example.org"
PAGE_REQUESTS = 60

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("openssl")), reason="needs nginx-light and openssl"),
]


@pytest.fixture(scope="module")
def proxied(untrained_home, tmp_path_factory):
    """The address of nginx before a service that is started as the unit starts it."""
    place, port = tmp_path_factory.mktemp("nginx"), free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={NAME}",
         "-keyout", str(place / "key.pem"), "-out", str(place / "cert.pem")], check=True, capture_output=True,
    )  # fmt: skip
    service = serving.start(
        untrained_home, place / "tmp", "--weights", "untrained", "--proxy-headers", "--allowed-host", NAME
    )
    shipped = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    changed = shipped.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace(
        "127.0.0.1:8000", f"127.0.0.1:{service.port}"
    )
    changed = re.sub(r"(ssl_certificate\s+)\S+;", rf"\1{place}/cert.pem;", changed)
    changed = re.sub(r"(ssl_certificate_key\s+)\S+;", rf"\1{place}/key.pem;", changed)
    around = f"pid {place}/pid; error_log {place}/error.log; daemon off; events {{}} http {{ access_log off; "
    paths = "".join(
        f"{kind}_temp_path {place}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (place / "nginx.conf").write_text(around + paths + changed + "}", encoding="utf-8")
    process = subprocess.Popen([shutil.which("nginx"), "-p", str(place), "-c", str(place / "nginx.conf")])
    try:
        wait_until(lambda: process.poll() is not None or is_open(port))
        assert process.poll() is None, (place / "error.log").read_text()
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        service.stop()


def is_open(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def client(proxied):
    with httpx.Client(base_url=proxied, headers={"host": NAME}, verify=False, timeout=30) as found:
        yield found


def test_the_page_loads_and_loads_again_whole(client):
    page = client.get("/")
    files = re.findall(r'(?:src|href)="([^":]+\.(?:js|css))"', page.text)
    assert files
    wanted = (files * PAGE_REQUESTS)[:PAGE_REQUESTS] + ["/api/v1/samples", "/samples/cat.jpg", "/healthz", "/docs"] * 3
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda path: client.get(f"/{path.lstrip('/')}").status_code, wanted))
    assert set(statuses) == {200}


def test_a_picture_is_answered_and_the_browser_s_own_headers_let_it_through(client):
    headers = {"origin": f"https://{NAME}", "sec-fetch-site": "same-origin"}
    answer = client.post("/api/v1/classify", content=pictures.jpeg(), headers=headers)
    assert answer.status_code == 200, answer.text
    foreign = client.post("/api/v1/classify", content=pictures.jpeg(), headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403


def test_only_uploads_are_limited(client):
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda _: client.post("/predict", content=b"x").status_code, range(60)))
    assert 429 in statuses
    assert client.get("/").status_code == 200


def test_a_redirect_stays_on_https(client):
    answer = client.get("/docs/", follow_redirects=False)
    if answer.is_redirect:
        assert answer.headers["location"].startswith((f"https://{NAME}/", "/"))
    else:
        assert answer.status_code in (200, 404)


def test_numbers_are_not_for_the_world(client):
    assert client.get("/metrics").status_code == 403
