"""What the page keeps in its tab: the answers, how many are shown, and nothing where the browser forbids it."""

import json

import numpy as np
import pytest
from PIL import Image
from support.page_actions import (
    CAT,
    COFFEE,
    answer_of,
    as_files,
    choose,
    expect,
    picture_file,
    recognise,
    reload,
    wait_until_true,
)
from support.page_driver import open_page
from support.pictures import encode, scene

pytestmark = pytest.mark.slow

BOUND = 2_000_000
KEPT = """() => Object.entries(sessionStorage).filter(([name]) => name.includes(" picture "))
    .map(([, text]) => text.length)"""
FORBIDDEN = (
    "Object.defineProperty(window, 'sessionStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"
)
FULL = """() => {
    let text = "x".repeat(1 << 20);
    for (let place = 0; text; place += 1) {
        try { sessionStorage.setItem(`filler ${place}`, text); } catch { text = text.slice(text.length / 2 + 1); }
    }
}"""


def names(page):
    return page.locator("#predictions .name").all_inner_texts()


# How many answers


def test_the_number_of_answers_changes_what_is_shown_at_once_and_asks_nobody(page, service):
    recognise(page, COFFEE)
    wanted = [best["en"] for best in answer_of(service, COFFEE, top_k=10)["predictions"]]
    assert names(page) == wanted[:3]
    before = len(page.watch.requests)
    for number in ("10", "1", "5"):
        page.select_option("#top-k", number)
        assert names(page) == wanted[: int(number)]
    assert page.watch.requests[before:] == []


def test_the_number_of_answers_holds_for_the_next_picture_the_exports_and_a_reload(page, service):
    page.select_option("#top-k", "5")
    recognise(page, CAT)
    wanted = answer_of(service, CAT, top_k=5)["predictions"]
    assert names(page) == [best["en"] for best in wanted]
    with page.expect_download() as download:
        page.click("#json")
    assert json.loads(download.value.path().read_text(encoding="utf-8"))[0]["predictions"] == wanted
    reload(page)
    expect(page.locator("#top-k")).to_have_value("5")
    assert names(page) == [best["en"] for best in wanted]


def test_the_number_of_answers_can_be_chosen_by_keyboard(page):
    page.get_by_label("Answers").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#predictions li")).to_have_count(4)


# Answers after a reload


def test_answers_errors_and_the_picture_looked_at_are_there_after_a_reload(page):
    recognise(page, *as_files([CAT, picture_file("words.jpg", b"no picture at all", "image/jpeg"), COFFEE]))
    page.click("#list li:nth-child(3) .show")
    before = [page.locator(css).all_inner_texts() for css in ("#list .file", "#list .brief", "#predictions .name")]
    wait_until_true(
        page, "Object.entries(sessionStorage).filter(([, text]) => text.includes('data:image/jpeg')).length >= 2"
    )
    reload(page)
    expect(page.locator("#list li")).to_have_count(3)
    after = [page.locator(css).all_inner_texts() for css in ("#list .file", "#list .brief", "#predictions .name")]
    assert after == before
    expect(page.locator("#about")).to_contain_text("600×400")
    expect(page.locator("#about")).to_contain_text("small copy")
    expect(page.locator("#preview")).to_be_visible()
    expect(page.locator("#crop")).to_be_visible()
    page.click("#list li:nth-child(2) .show")
    expect(page.locator("#problem")).to_contain_text("not_an_image")
    page.click("[data-language=zh]")
    assert page.locator("#problem").inner_text().count("\n") > 0
    assert page.watch.requests.count("POST /api/v1/classify") == 3


def test_a_kept_answer_says_that_its_file_is_gone_and_a_sample_is_fetched_again(page):
    recognise(page, CAT)
    page.get_by_role("button", name="Sample: cup of coffee", exact=True).click()
    expect(page.locator("#list li.done")).to_have_count(2)
    reload(page)
    page.locator("#list .show").first.click()
    page.click("#recognise")
    expect(page.locator("#toast")).to_contain_text("Only a small copy of cat.jpg is left")
    page.locator("#list .show").last.click()
    page.click("#recognise")
    expect(page.locator("#progress-text")).to_have_text("1/1")
    expect(page.locator("#cached")).to_be_visible()


def test_new_pictures_come_after_the_kept_ones(page):
    recognise(page, CAT)
    reload(page)
    recognise(page, COFFEE)
    reload(page)
    expect(page.locator("#list .file")).to_have_text(["cat.jpg", "coffee.jpg"])


def test_what_is_removed_or_cleared_does_not_come_back(page):
    recognise(page, CAT, COFFEE)
    page.get_by_role("button", name="Remove cat.jpg").click()
    reload(page)
    expect(page.locator("#list .file")).to_have_text(["coffee.jpg"])
    page.click("#clear")
    page.wait_for_timeout(300)  # a small copy on its way must not bring it back either
    assert page.evaluate(KEPT) == []
    reload(page)
    expect(page.locator("#count")).to_have_text("0")


def test_the_page_says_what_is_kept_where_and_another_tab_has_nothing_of_it(browser, service, page):
    expect(page.locator("#kept")).to_contain_text("This tab keeps the list")
    expect(page.locator("#kept")).to_contain_text("until it is closed")
    recognise(page, CAT)
    assert page.evaluate("Object.keys(localStorage)") == []
    with open_page(browser, service) as other:
        expect(other.locator("#count")).to_have_text("0")


def test_more_than_a_tab_may_keep_is_left_out_from_the_eldest_on(page):
    noise = np.random.default_rng(0)
    many = [
        picture_file(f"{number}.png", encode(Image.fromarray(noise.integers(0, 255, (256, 256, 3), np.uint8)), "PNG"))
        for number in range(40)
    ]
    choose(page, *many)
    page.click("#recognise")
    expect(page.locator("#list li.done")).to_have_count(len(many), timeout=30_000)
    expect(page.locator("#kept")).to_contain_text("longer than a tab may keep")
    wait_until_true(page, f"({KEPT})().length < 40 && ({KEPT})().every((length) => length > 20000)")
    lengths = page.evaluate(KEPT)
    assert BOUND / 2 < sum(lengths) <= BOUND
    expect(page.locator("#kept")).to_contain_text(f"the latest {len(lengths)} pictures are left")
    reload(page)
    expect(page.locator("#list .file")).to_have_text([file["name"] for file in many[-len(lengths) :]])


def test_a_browser_that_keeps_nothing_is_said_and_everything_works(page):
    page.add_init_script(FORBIDDEN)
    reload(page)
    recognise(page, CAT)
    expect(page.locator("#predictions .best")).to_be_visible()
    page.select_option("#top-k", "2")
    expect(page.locator("#predictions li")).to_have_count(2)
    expect(page.locator("#kept")).to_have_text(
        "This browser keeps nothing for the page: after a reload the list is empty."
    )
    page.click("[data-language=zh]")
    expect(page.locator("#kept")).to_contain_text("刷新后列表为空")


def test_a_full_storage_is_said_and_everything_works(page):
    page.evaluate(FULL)
    recognise(page, CAT, COFFEE)
    expect(page.locator("#list li.done")).to_have_count(2)
    expect(page.locator("#kept")).to_contain_text("keeps nothing")
    page.evaluate("sessionStorage.clear()")
    recognise(page, picture_file("a.png", encode(scene(), "PNG")))
    expect(page.locator("#kept")).not_to_contain_text("keeps nothing")


@pytest.mark.parametrize("text", ["{", "null", "[]", '{"id": 1}', '{"id": 1, "state": "done", "result": {}}'])
def test_what_cannot_be_read_of_the_kept_is_left_out(page, text):
    recognise(page, CAT)
    page.evaluate("(text) => sessionStorage.setItem('resnet18-lab / picture 99', text)", text)
    reload(page)
    expect(page.locator("#list .file")).to_have_text(["cat.jpg"])
    choose(page, COFFEE)
    expect(page.locator("#count")).to_have_text("2")
