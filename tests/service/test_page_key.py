"""The page of a service that asks for a key, and of one that stands under a path."""

import json
import re

import pytest
from support.page_actions import CAT, COFFEE, answer_of, choose, expect, recognise
from support.page_driver import open_page, running_service
from support.page_programs import in_browser, in_python, in_shell, program

pytestmark = pytest.mark.slow

KEY = "0123456789abcdef-right"
WRONG = "0123456789abcdef-wrong"
CHINESE = re.compile(r"[一-鿿]{4}")


@pytest.fixture(scope="module")
def locked(trained_or_untrained_home, tmp_path_factory):
    """Address of a service that answers only with the key."""
    file = tmp_path_factory.mktemp("keys") / "keys.txt"
    file.write_text(f"{KEY}\n", encoding="utf-8")
    with running_service(trained_or_untrained_home, "--api-key-file", str(file)) as own:
        yield own.url


@pytest.fixture
def page(browser, locked):
    """Its page, which asks for the key."""
    with open_page(browser, locked, ready="#key-dialog") as opened:
        yield opened


def give(page, key):
    page.get_by_label("Key", exact=True).fill(key)
    page.keyboard.press("Enter")


def test_the_key_is_asked_for_once_kept_in_the_tab_and_sent_with_every_request(page):
    sent = {}
    page.on("request", lambda request: sent.update({request.url.split("?")[0]: request.headers.get("authorization")}))
    field = page.get_by_label("Key", exact=True)
    assert (field.get_attribute("type"), field.get_attribute("autocomplete")) == ("password", "off")
    expect(field).to_be_focused()
    give(page, KEY)
    expect(page.locator("#key-dialog")).to_be_hidden()
    expect(page.locator("#model")).to_contain_text("ResNet-18")
    expect(page.locator("#samples button")).not_to_have_count(0)
    recognise(page, CAT)
    asked = {url.split("/api/v1/")[1]: header for url, header in sent.items() if "/api/" in url}
    assert asked == dict.fromkeys(["model", "samples", "classify"], f"Bearer {KEY}")
    page.reload()
    expect(page.locator("#samples button")).not_to_have_count(0)
    expect(page.locator("#key-dialog")).to_be_hidden()
    assert page.evaluate("Object.keys(localStorage)") == []


def test_the_window_says_what_is_wanted_in_both_languages_and_what_becomes_of_the_key(browser, locked):
    for locale, wanted, kept in (
        ("en-US", "answers only with a key", "until it is closed"),
        ("zh-CN", "需要密钥", "标签页"),
    ):
        with open_page(browser, locked, ready="#key-dialog", locale=locale) as page:
            expect(page.locator("#key-problem")).to_contain_text(wanted)
            expect(page.locator("#key-kept")).to_contain_text(kept)


@pytest.mark.parametrize("wrong", [WRONG, "密钥密钥密钥密钥密钥密钥", "two words of a key"])
def test_a_wrong_key_is_said_and_asked_for_again(page, wrong):
    give(page, wrong)
    expect(page.locator("#key-problem")).to_contain_text("does not know this key")
    expect(page.locator("#key-dialog")).to_be_visible()
    give(page, KEY)
    expect(page.locator("#samples button")).not_to_have_count(0)
    expect(page.locator("#key-dialog")).to_be_hidden()


def test_waiting_uploads_are_sent_again_by_themselves_after_one_question(page):
    page.click("#key-later")
    choose(page, CAT, COFFEE, CAT)
    page.click("#recognise")
    expect(page.locator("#key-dialog")).to_be_visible()
    give(page, WRONG)
    expect(page.locator("#key-problem")).to_contain_text("does not know this key")
    give(page, KEY)
    expect(page.locator("#list li.done")).to_have_count(3)
    expect(page.locator("#key-dialog")).to_be_hidden()
    expect(page.locator("#samples button")).not_to_have_count(0)


@pytest.mark.parametrize("way", ["button", "Escape"])
def test_without_a_key_the_page_says_so_and_asks_when_it_is_wanted(page, way):
    if way == "button":
        page.click("#key-later")
    else:
        page.keyboard.press("Escape")
    expect(page.locator("#model")).to_have_text("The service answers only with a key.")
    recognise_button = page.locator("#recognise")
    choose(page, CAT)
    recognise_button.click()
    expect(page.locator("#key-dialog")).to_be_visible()  # the answer 401 has come by now
    page.keyboard.press("Escape")
    expect(page.locator("#problem code")).to_have_text("unauthorized")
    page.click("[data-language=zh]")
    assert CHINESE.search(page.locator("#problem span").inner_text())
    page.click("#key-enter")
    page.locator("#key").fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator("#samples button")).not_to_have_count(0)
    recognise_button.click()
    expect(page.locator("#list li.done")).to_have_count(1)


def test_the_key_can_be_forgotten(page):
    give(page, KEY)
    page.click("#key-forget")
    assert KEY not in str(page.evaluate("Object.values(sessionStorage)"))
    choose(page, CAT)
    page.click("#recognise")
    expect(page.locator("#key-dialog")).to_be_visible()


def test_the_list_of_classes_comes_as_a_file_since_a_link_sends_no_key(page):
    give(page, KEY)
    expect(page.locator("#key-dialog")).to_be_hidden()
    with page.expect_download() as download:
        page.click("#classes")
    assert len(json.loads(download.value.path().read_text(encoding="utf-8"))) == 1000


def test_the_programs_name_the_key_without_showing_it_and_run_with_it(page, tmp_path):
    give(page, KEY)
    recognise(page, CAT)
    names = page.locator("#predictions .name").all_inner_texts()
    (tmp_path / "cat.jpg").write_bytes(CAT.read_bytes())
    curl = program(page, "curl")
    assert 'Authorization: Bearer $KEY"' in curl
    expect(page.locator("#program-text")).to_contain_text("environment variable KEY")
    assert in_shell(curl, tmp_path, KEY=KEY) == names
    python = program(page, "Python")
    assert in_python(python, tmp_path, KEY=KEY) == names
    javascript = program(page, "JavaScript")
    assert 'Authorization: "Bearer $KEY"' in javascript
    page.evaluate("document.getElementById('file').remove()")
    assert in_browser(page, javascript.replace("$KEY", KEY), CAT) == names
    assert KEY not in curl + python + javascript


def try_out(page):
    """Ask for the model from the documentation, which is answered."""
    operation = page.locator(".opblock:has([data-path='/api/v1/model'])")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status")).to_contain_text("200")


def test_the_documentation_tries_requests_with_the_key_of_the_tab(page, locked):
    give(page, KEY)
    expect(page.locator("#key-dialog")).to_be_hidden()
    page.goto(f"{locked}/docs")
    try_out(page)


# Under a path


@pytest.fixture(scope="module")
def below(trained_or_untrained_home):
    """Address of a service that a proxy shows under a path."""
    with running_service(trained_or_untrained_home, "--root-path", "/lab/pictures") as own:
        yield f"{own.url}/lab/pictures/"


def test_a_page_under_a_path_has_all_of_its_addresses_there(browser, below, tmp_path):
    (tmp_path / "cat.jpg").write_bytes(CAT.read_bytes())
    with open_page(browser, below) as page:
        for picture in page.locator("#samples img").all():
            expect(picture).to_have_js_property("complete", True)
            assert picture.evaluate("(it) => it.naturalWidth") > 0
        page.get_by_role("button", name="Sample: cup of coffee", exact=True).click()
        expect(page.locator("#list li.done")).to_have_count(1)
        recognise(page, CAT)
        names = page.locator("#predictions .name").all_inner_texts()
        assert names == [best["en"] for best in answer_of(below.rstrip("/"), CAT)["predictions"]]
        for kind, run in (("curl", in_shell), ("Python", in_python)):
            text = program(page, kind)
            assert f"{below}api/v1/classify?" in text
            assert run(text, tmp_path) == names
        page.reload()
        expect(page.locator("#list li.done")).to_have_count(2)
        for link in page.locator(".links a").all():
            assert page.request.get(link.evaluate("(it) => it.href")).ok
        assert {request.split(" ")[1].startswith("/lab/pictures/") for request in page.watch.requests} == {True}


def test_the_documentation_under_a_path_is_drawn_and_asks_there(browser, below):
    with open_page(browser, below) as page:
        page.goto(f"{below}docs")
        try_out(page)
        assert "GET /lab/pictures/api/v1/model" in page.watch.requests
