"""A running service and a real browser on its page, for the tests of the page and the pictures of README."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from resnet18_lab.service.client import Running, running

HINT = "needs Chromium: `apt-get install chromium` or `python -m playwright install chromium`"
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 812}


@contextmanager
def running_service(home: Path, *arguments: str) -> Iterator[Running]:
    """`resnet18-lab serve` on a free port with the artifacts of that home; it is stopped at the end."""
    with running(*arguments, env={"RESNET18_LAB_HOME": str(home), "RESNET18_LAB_OFFLINE": "1"}) as service:
        yield service


@contextmanager
def running_browser() -> Iterator:
    """Headless Chromium: the system's own where there is one, else Playwright's."""
    from playwright.sync_api import sync_playwright

    found = _installed()
    with sync_playwright() as playwright:
        if found is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip(HINT)
        chromium = playwright.chromium.launch(executable_path=found)
        yield chromium
        chromium.close()


@contextmanager
def browser_with(browser, *flags: str) -> Iterator:
    """One more browser of the same kind, with these flags."""
    another = browser.browser_type.launch(executable_path=_installed(), args=list(flags))
    yield another
    another.close()


def _installed() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Watch:
    """What a page did that it must not: script errors, blocked content, requests to other hosts."""

    def __init__(self, page, url: str) -> None:
        self.host = urlsplit(url).netloc
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(f"script error: {error}"))
        page.on("console", self._said)
        page.on("request", self._asked)

    def _said(self, message) -> None:
        if "Content Security Policy" in message.text or message.type == "warning":
            self.problems.append(f"console: {message.text}")

    def _asked(self, request) -> None:
        where = urlsplit(request.url)
        if where.scheme in ("blob", "data"):
            return
        self.requests.append(f"{request.method} {where.path}")
        if where.netloc != self.host:
            self.problems.append(f"request to another host: {request.url}")


@contextmanager
def open_page(browser, url: str, *, ready: str = "#samples button", **options) -> Iterator:
    """The page in a context of its own, once ``ready`` is there; at the end nothing forbidden may have happened."""
    settings = {"viewport": WIDE, "locale": "en-US", "permissions": ["clipboard-read", "clipboard-write"], **options}
    context = browser.new_context(**settings)
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.watch = Watch(page, url)
    page.goto(url)
    page.locator(ready).first.wait_for()
    yield page
    context.close()
    assert page.watch.problems == []


@pytest.fixture(scope="session")
def service(trained_or_untrained_home) -> Iterator[str]:
    """Address of a service that all tests of the page share."""
    with running_service(trained_or_untrained_home) as running_one:
        yield running_one.url


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """One browser for all tests of the page; skips where none is installed."""
    pytest.importorskip("playwright", reason="needs the test extra: pip install 'resnet18-lab[test]'")
    with running_browser() as chromium:
        yield chromium


@pytest.fixture
def page(browser, service) -> Iterator:
    """The page on a wide screen, in English, in a context of its own."""
    with open_page(browser, service) as opened:
        yield opened
