"""The camera of the page: a photo is a picture like any other, and what is missing is said."""

import re

import pytest
from support.page_actions import expect, wait_until_true
from support.page_driver import browser_with, open_page, running_service

pytestmark = pytest.mark.slow

CHINESE = re.compile(r"[一-鿿]{4}")
FAKE_DEVICE = "--use-fake-device-for-media-stream"
FAKE_CONSENT = "--use-fake-ui-for-media-stream"
ENDED = "window.tracks.every((track) => track.readyState === 'ended')"
IS_RUNNING = "document.getElementById('viewfinder').readyState >= 2"


@pytest.fixture(scope="module")
def with_camera(browser):
    """A browser whose camera shows a moving test picture."""
    with browser_with(browser, FAKE_DEVICE, FAKE_CONSENT) as chromium:
        yield chromium


def open_camera(page):
    page.click("#camera")
    expect(page.locator("#camera-dialog")).to_be_visible()


def test_a_photo_is_taken_and_recognised_and_the_camera_is_switched_off(with_camera, service):
    with open_page(with_camera, service, permissions=["camera"]) as page:
        open_camera(page)
        wait_until_true(page, IS_RUNNING)
        page.evaluate("window.tracks = document.getElementById('viewfinder').srcObject.getTracks()")
        assert page.evaluate("window.tracks.map((track) => track.readyState)") == ["live"]
        expect(page.locator("#shoot")).to_have_attribute("aria-disabled", "false")
        page.click("#shoot")
        expect(page.locator("#camera-dialog")).to_be_hidden()
        wait_until_true(page, ENDED)
        expect(page.locator("#about strong")).to_have_text("camera-1.jpg")
        expect(page.locator("#program-text")).to_contain_text("save the picture as camera-1.jpg")
        page.click("#recognise")
        expect(page.locator("#predictions .best")).to_be_visible()
        open_camera(page)
        expect(page.locator("#shoot")).to_have_attribute("aria-disabled", "false")
        page.click("#shoot")
        expect(page.locator("#list .file")).to_have_text(["camera-1.jpg", "camera-2.jpg"])


@pytest.mark.parametrize("way", ["button", "Escape"])
def test_closing_the_window_switches_the_camera_off_and_gives_the_keyboard_back(with_camera, service, way):
    with open_page(with_camera, service, permissions=["camera"]) as page:
        page.focus("#camera")
        page.keyboard.press("Enter")
        wait_until_true(page, IS_RUNNING)
        page.evaluate("window.tracks = document.getElementById('viewfinder').srcObject.getTracks()")
        if way == "button":
            page.click("#camera-close")
        else:
            page.keyboard.press("Escape")
        expect(page.locator("#camera-dialog")).to_be_hidden()
        wait_until_true(page, ENDED)
        assert page.evaluate("document.activeElement.id") == "camera"
        expect(page.locator("#count")).to_have_text("0")


def test_a_camera_that_comes_when_its_window_is_closed_is_switched_off_again(with_camera, service):
    with open_page(with_camera, service, permissions=["camera"]) as page:
        page.evaluate("""() => {
            const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wanted) => {
                const stream = await real(wanted);
                await new Promise((resolve) => { window.goOn = resolve; });
                window.late = stream;
                return stream;
            };
        }""")
        open_camera(page)
        wait_until_true(page, "Boolean(window.goOn)")
        page.click("#camera-close")
        page.evaluate("window.goOn()")
        wait_until_true(page, "Boolean(window.late?.getTracks().every((track) => track.readyState === 'ended'))")


def problem_in_both_languages(page):
    """What the window says of a camera that cannot be had, in English and Chinese."""
    said = []
    for language in ("en", "zh"):
        page.click(f"[data-language={language}]")
        open_camera(page)
        expect(page.locator("#camera-problem")).to_be_visible()
        expect(page.locator("#shoot")).to_have_attribute("aria-disabled", "true")
        said.append(page.locator("#camera-problem").inner_text())
        page.click("#camera-close")
    assert CHINESE.search(said[1])
    return said[0]


def test_a_refused_camera_is_said(browser, service):
    with browser_with(browser, FAKE_DEVICE) as chromium, open_page(chromium, service, permissions=[]) as page:
        assert "was told not to let this page use the camera" in problem_in_both_languages(page)


def test_a_camera_that_is_missing_is_said(browser, service):
    with open_page(browser, service, permissions=["camera"]) as page:
        assert "No camera was found" in problem_in_both_languages(page)


def test_a_page_without_https_has_no_camera_and_says_why(browser, trained_or_untrained_home):
    with (
        browser_with(browser, "--host-resolver-rules=MAP camera.test 127.0.0.1", FAKE_DEVICE, FAKE_CONSENT) as chromium,
        running_service(trained_or_untrained_home, "--allowed-host", "camera.test") as own,
        open_page(chromium, own.url.replace("127.0.0.1", "camera.test"), permissions=[]) as page,
    ):
        assert not page.evaluate("isSecureContext")
        assert "HTTPS" in problem_in_both_languages(page)
