"""Behind nginx as deploy/ ships it: under a name of its own, and under a part of a site's address."""

import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image
from support import pictures
from support import running_service as serving
from support.page_driver import open_page
from support.project import ROOT
from support.proxy import NAME, nginx

PAGE_REQUESTS = 60
PICTURES = 60
CERTIFICATE_OF_ITS_OWN = {"ignore_https_errors": True}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("openssl")), reason="needs nginx-light and openssl"),
]


def shipped(name):
    return (ROOT / "deploy" / name).read_text(encoding="utf-8")


def with_prefix(home, place, server):
    """Address of nginx before a service under /pictures, with that in its server block."""
    around = "limit_req_zone $binary_remote_addr zone=pictures:10m rate=5r/s; server { listen 443 ssl; "
    certificate = "ssl_certificate /c; ssl_certificate_key /k; "
    service = serving.start(
        home, place / "tmp", "--weights", "untrained", "--proxy-headers", "--allowed-host", NAME,
        "--root-path", "/pictures",
    )  # fmt: skip
    try:
        with nginx(place, f"{around}{certificate}{server}\n}}", to=service.port) as address:
            yield address
    finally:
        service.stop()


@pytest.fixture(scope="module")
def proxied(untrained_home, tmp_path_factory):
    """Address of nginx before a service that is started as the unit starts it."""
    place = tmp_path_factory.mktemp("nginx")
    service = serving.start(
        untrained_home, place / "tmp", "--weights", "untrained", "--proxy-headers", "--allowed-host", NAME
    )
    try:
        with nginx(place, shipped("nginx.conf"), to=service.port) as address:
            yield address
    finally:
        service.stop()


@pytest.fixture(scope="module")
def prefixed(untrained_home, tmp_path_factory):
    """The same for a part of a site's address, the path passed on as it is."""
    yield from with_prefix(untrained_home, tmp_path_factory.mktemp("prefix"), shipped("nginx-prefix.conf"))


@pytest.fixture(scope="module")
def taken_off(untrained_home, tmp_path_factory):
    """The same, the prefix taken off by the proxy."""
    server = "location /pictures/ { proxy_set_header Host $http_host; proxy_pass http://127.0.0.1:8000/; }"
    yield from with_prefix(untrained_home, tmp_path_factory.mktemp("taken-off"), server)


def asking(address):
    return httpx.Client(base_url=address, headers={"host": NAME}, verify=False, timeout=30)


@pytest.fixture
def client(proxied):
    with asking(proxied) as found:
        yield found


@pytest.fixture(params=["prefixed", "taken_off"])
def under_a_prefix(request):
    """A client of either way to show the service under a part of an address."""
    with asking(request.getfixturevalue(request.param)) as found:
        yield found


def answers_as_the_page_gets_them(client, path="/api/v1/classify", **sent):
    """A request's answers: after 429 it waits as long as it is told, and asks again."""
    answers = []
    while True:
        answers.append(client.post(path, **sent))
        if answers[-1].status_code != 429:
            return answers
        time.sleep(int(answers[-1].headers["retry-after"]))


def statuses_of(client, data):
    """The statuses of a picture's answers."""
    answers = answers_as_the_page_gets_them(client, files={"file": ("picture.png", data)})
    return [answer.status_code for answer in answers]


def different_pictures(count):
    return [pictures.encode(Image.new("RGB", (32, 32), (each, each, 99)), "PNG") for each in range(count)]


def test_the_page_loads_and_loads_again_whole(client):
    page = client.get("/")
    files = re.findall(r'(?:src|href)="([^":]+\.(?:js|css))"', page.text)
    assert files
    wanted = (files * PAGE_REQUESTS)[:PAGE_REQUESTS] + ["/api/v1/samples", "/samples/cat.jpg", "/healthz", "/docs"] * 3
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda path: client.get(f"/{path.lstrip('/')}").status_code, wanted))
    assert set(statuses) == {200}


def test_a_browser_loads_the_page_and_loads_it_again_without_a_refusal(browser, proxied):
    with open_page(browser, proxied + "/", **CERTIFICATE_OF_ITS_OWN) as page:
        refused = []
        page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
        for _ in range(3):
            page.reload()
            page.locator("#samples button").first.wait_for()
        assert refused == []


def test_sixty_pictures_one_after_the_other_are_all_answered(client):
    time.sleep(5)  # whatever was sent before is forgotten
    found = [statuses_of(client, data) for data in different_pictures(PICTURES)]
    assert {statuses[-1] for statuses in found} == {200}
    assert any(429 in statuses for statuses in found)


def test_sixty_pictures_chosen_on_the_page_are_all_answered(browser, proxied):
    files = [
        {"name": f"{number}.png", "mimeType": "image/png", "buffer": data}
        for number, data in enumerate(different_pictures(PICTURES))
    ]
    with open_page(browser, proxied + "/", **CERTIFICATE_OF_ITS_OWN) as page:
        statuses = []
        page.on("response", lambda answer: statuses.append(answer.status) if "/classify" in answer.url else None)
        page.set_input_files("#file", files)
        page.click("#recognise")
        page.locator("#progress-text", has_text=f"{PICTURES}/{PICTURES}").wait_for(timeout=90_000)
    assert statuses.count(200) == PICTURES
    assert set(statuses) == {200, 429}


def test_a_picture_is_answered_and_the_browser_s_own_headers_let_it_through(client):
    headers = {"origin": f"https://{NAME}", "sec-fetch-site": "same-origin"}
    answer = answers_as_the_page_gets_them(client, content=pictures.jpeg(), headers=headers)[-1]
    assert answer.status_code == 200, answer.text
    elsewhere = {"origin": "https://evil.example"}
    foreign = answers_as_the_page_gets_them(client, content=pictures.jpeg(), headers=elsewhere)[-1]
    assert foreign.status_code == 403


def test_only_uploads_are_limited_and_the_refusal_says_when_to_come_again(client):
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: client.post("/predict", content=b"x"), range(60)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert {answer.json()["error"]["code"] for answer in refused} == {"too_many_requests"}
    assert client.get("/").status_code == 200


def test_the_documentation_is_shown_with_its_files(client):
    page = client.get("/docs")
    assert page.status_code == 200
    for file in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert client.get(str(httpx.URL("/docs").join(file))).status_code == 200, file


def test_a_redirect_stays_on_https(client):
    answer = client.get("/docs/", follow_redirects=False)
    assert answer.is_redirect
    assert str(answer.url.join(answer.headers["location"])) == f"{client.base_url}/docs"
    for path in ("/static", "/docs/ui", "/healthz/"):
        assert "http://" not in client.get(path, follow_redirects=False).headers.get("location", "")


def test_numbers_are_not_for_the_world(client, prefixed):
    assert client.get("/metrics").status_code == 403
    with asking(prefixed) as under_prefix:
        assert under_prefix.get("/pictures/metrics").status_code == 403


def test_under_a_prefix_the_page_and_all_its_files_are_found(under_a_prefix):
    page = under_a_prefix.get("/pictures/")
    files = re.findall(r'(?:src|href)="([^":#]+)"', page.text)
    assert page.status_code == 200
    assert files
    for file in files:
        assert under_a_prefix.get(str(httpx.URL("/pictures/").join(file))).status_code == 200, file


def test_under_a_prefix_the_documentation_asks_the_right_addresses(under_a_prefix):
    page = under_a_prefix.get("/pictures/docs")
    assert page.status_code == 200
    for file in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert under_a_prefix.get(str(httpx.URL("/pictures/docs").join(file))).status_code == 200, file
    redirected = under_a_prefix.get("/pictures/docs/", follow_redirects=False)
    assert str(redirected.url.join(redirected.headers["location"])) == f"{under_a_prefix.base_url}/pictures/docs"
    assert under_a_prefix.get("/pictures/openapi.json").json()["servers"][0]["url"] == "/pictures"


def test_under_a_prefix_a_picture_is_answered(under_a_prefix):
    answer = answers_as_the_page_gets_them(under_a_prefix, "/pictures/api/v1/classify", content=pictures.jpeg())[-1]
    assert answer.status_code == 200, answer.text


def test_the_address_of_a_prefix_without_its_slash_leads_to_the_page(prefixed):
    with asking(prefixed) as found:
        answer = found.get("/pictures", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (308, "/pictures/")


def test_under_a_prefix_only_uploads_are_limited(prefixed):
    with asking(prefixed) as found, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: found.post("/pictures/predict", content=b"x"), range(60)))
        assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 429} == {"1"}
        assert {found.get("/pictures/").status_code for _ in range(PAGE_REQUESTS)} == {200}


def test_a_browser_uses_the_page_under_a_prefix(browser, prefixed):
    with open_page(browser, f"{prefixed}/pictures/", **CERTIFICATE_OF_ITS_OWN) as page:
        refused = []
        page.on(
            "response",
            lambda answer: (
                refused.append((answer.status, answer.url)) if answer.status not in (200, 304, 429) else None
            ),
        )
        page.locator("#samples button").first.click()
        page.click("#recognise")
        page.locator("#progress-text", has_text="1/1").wait_for(timeout=30_000)
        assert refused == []
        assert all("/pictures/" in request for request in page.watch.requests)
