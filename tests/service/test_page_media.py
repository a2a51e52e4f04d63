"""The page on paper, in the reader's own colours, without motion, and within one screen."""

import re

import pytest
from support.page_actions import CAT, COFFEE, as_files, expect, picture_file, recognise
from support.page_axe import violations
from support.page_driver import PHONE, WIDE, open_page
from support.project import samples_dir

pytestmark = pytest.mark.slow

SEVERAL = [CAT, COFFEE, samples_dir() / "horse.png", samples_dir() / "china.jpg"]


def box_of(page, css):
    return page.locator(css).first.bounding_box()


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_several_answers_are_within_a_screen_without_scrolling(browser, service, locale):
    with open_page(browser, service, viewport=WIDE, locale=locale) as page:
        recognise(page, *as_files(SEVERAL))
        assert page.evaluate("scrollY") == 0
        for css in (
            "#preview",
            "#recognise",
            "#predictions",
            *(f"#list li:nth-child({place})" for place in range(1, 5)),
        ):
            box = box_of(page, css)
            assert box["y"] >= 0, css
            assert box["y"] + box["height"] <= WIDE["height"], css
            assert box["x"] + box["width"] <= WIDE["width"], css


def test_a_long_list_scrolls_by_itself_and_stretches_nothing(page):
    before = box_of(page, ".batch")["height"]
    recognise(page, *as_files(SEVERAL * 4))
    assert box_of(page, ".batch")["height"] == before
    expect(page.locator("#list li").last).not_to_be_in_viewport()
    page.locator("#list .show").last.focus()
    expect(page.locator("#list li").last).to_be_in_viewport()


# On paper


def test_a_print_has_the_picture_its_answers_and_all_others_and_nothing_to_press(browser, service):
    with open_page(browser, service, color_scheme="dark") as page:
        recognise(page, *as_files(SEVERAL))
        page.emulate_media(media="print")
        for css in ("#preview", "#about", "#predictions .best .name", "#predictions .best .score", ".note"):
            expect(page.locator(css)).to_be_visible()
        for row in page.locator("#list li").all():
            for css in (".thumb img", ".file", ".brief", ".score", ".rest"):
                expect(row.locator(css)).to_be_visible()
            assert len(re.findall("%", row.inner_text())) == 3
        assert page.locator("button:visible").count() == page.locator("#list .show:visible").count()
        assert page.locator("select:visible, input:visible, #snippet:visible, .samples:visible").count() == 0
        colours = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.querySelector('.best .name')).color]"
        )
        assert all(sum(map(int, re.findall(r"\d+", colour)[:3])) < 200 for colour in colours), colours


def test_a_print_of_many_pictures_has_as_many_pages_as_it_needs(page):
    recognise(page, *as_files(SEVERAL * 6))
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf()))
    assert pages >= 3


# The reader's own colours


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_the_readers_own_colours_bars_choices_and_places_can_be_seen(browser, service, scheme):
    with open_page(browser, service, color_scheme=scheme) as page:
        page.emulate_media(forced_colors="active")
        recognise(page, *as_files([*SEVERAL, picture_file("words.jpg", b"no picture at all", "image/jpeg")]))
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        for css in (".best .bar span", "#predictions li:nth-child(2) .bar span", "#split .other"):
            assert page.locator(css).first.evaluate("(it) => getComputedStyle(it).backgroundColor") != ground, css
        for css in (".bar", "#recognise", ".card"):
            assert page.locator(css).first.evaluate("(it) => getComputedStyle(it).borderTopStyle") == "solid", css
        chosen = ("[data-language=en]", "#tab-curl", "#list li:has([aria-current=true])")
        others = ("[data-language=zh]", "#tab-python", "#list li:has([aria-current=false])")
        for css, is_chosen in [*((css, True) for css in chosen), *((css, False) for css in others)]:
            outline = page.locator(css).first.evaluate("(it) => getComputedStyle(it).outlineStyle")
            assert (outline == "solid") is is_chosen, css
        colours = [page.locator(css).evaluate("(it) => getComputedStyle(it).color") for css in ("#stop", "#recognise")]
        assert colours[0] != colours[1]


# Motion


def test_nothing_moves_for_those_who_want_no_motion(browser, service):
    with open_page(browser, service, reduced_motion="reduce") as page:
        page.route("**/api/v1/classify*", lambda route: None)
        page.set_input_files("#file", str(CAT))
        page.click("#recognise")
        for css in ("#recognise .spinner", "#predictions"):
            assert page.locator(css).evaluate("(it) => getComputedStyle(it).animationName") == "none", css


# Windows over the page


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_window_of_the_camera_fits_and_axe_finds_nothing_in_it(browser, service, viewport):
    with open_page(browser, service, viewport=viewport, bypass_csp=True) as page:
        page.click("#camera")
        expect(page.locator("#camera-problem")).to_be_visible()
        assert violations(page) == []
        box = box_of(page, "#camera-dialog")
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= viewport["width"]
        assert box["y"] + box["height"] <= viewport["height"]
        page.click("#camera-close")
        page.evaluate("document.getElementById('key-dialog').showModal()")
        assert violations(page) == []
