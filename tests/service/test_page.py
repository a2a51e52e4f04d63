"""The page in a real browser on the real service: pictures in, answers out."""

import base64
import io
import re

import httpx
import numpy as np
import pytest
from PIL import Image
from support.page_actions import CAT, COFFEE, answer_of, as_files, choose, drop, expect, picture_file, recognise
from support.page_driver import PHONE, open_page
from support.pictures import broken_png, encode, scene
from support.project import samples_dir

from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode

pytestmark = pytest.mark.slow

CLASSIFY = "POST /api/v1/classify"


def shown_names(page):
    return page.locator("#predictions .name").all_inner_texts()


def paste(page, data):
    """The picture goes to the system's clipboard and comes back by the keyboard."""
    page.evaluate(
        """async (base64) => {
          const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
          await navigator.clipboard.write([new ClipboardItem({"image/png": new Blob([bytes], {type: "image/png"})})]);
        }""",
        base64.b64encode(data).decode(),
    )
    page.keyboard.press("Control+V")


def test_a_chosen_picture_is_seen_at_once_and_sent_only_on_request(page):
    choose(page, COFFEE)
    expect(page.locator("#preview")).to_be_visible()
    expect(page.locator("#about")).to_contain_text("coffee.jpg")
    expect(page.locator("#about")).to_contain_text("600×400")
    assert CLASSIFY not in page.watch.requests
    page.click("#recognise")
    expect(page.locator("#predictions .best")).to_be_visible()
    assert page.watch.requests.count(CLASSIFY) == 1


def test_the_three_answers_are_the_services_with_bars_percent_and_class_ids(page, service):
    recognise(page, COFFEE)
    wanted = answer_of(service, COFFEE)["predictions"]
    rows = page.locator("#predictions li")
    expect(rows).to_have_count(3)
    for place, best in enumerate(wanted):
        row = rows.nth(place)
        expect(row.locator(".name")).to_have_text(best["en"])
        expect(row.locator(".id")).to_have_text(f"class {best['index']} · {best['wnid']}")
        assert abs(float(row.locator(".score").inner_text().strip("%<>")) - 100 * best["score"]) < 0.11
        full, part = (row.locator(css).bounding_box()["width"] for css in (".bar", ".bar span"))
        assert part == pytest.approx(max(full * best["score"], 3), abs=1)


def test_the_engine_and_the_weights_are_named(page, service):
    recognise(page, COFFEE)
    engine = answer_of(service, COFFEE)["engine"]
    for words in (engine["backend"], engine["weights"]):
        expect(page.locator("#engine")).to_contain_text(words)
        expect(page.locator("#model")).to_contain_text(words)


def test_a_dropped_picture_is_recognised(page, service):
    drop(page, CAT)
    expect(page.locator("#about")).to_contain_text("cat.jpg")
    page.click("#recognise")
    expect(page.locator("#predictions .best .name")).to_have_text(answer_of(service, CAT)["predictions"][0]["en"])


def test_several_dropped_pictures_are_all_listed(page):
    drop(page, CAT, COFFEE)
    expect(page.locator("#list .file")).to_have_text(["cat.jpg", "coffee.jpg"])
    expect(page.locator("#recognise")).to_have_text("Recognise (2)")


def test_dropped_text_is_refused_and_the_page_stays(page):
    drop(page, items=[{"mimeType": "text/plain", "data": "hello"}])
    expect(page.locator("#live")).to_have_text("There is no picture in it; drop or paste files.")
    expect(page.locator("#toast")).to_be_visible()
    expect(page.locator("#count")).to_have_text("0")


def test_pasted_text_is_refused_and_said(page):
    page.evaluate("navigator.clipboard.writeText('only words')")
    page.keyboard.press("Control+V")
    expect(page.locator("#toast")).to_have_text("There is no picture in it; drop or paste files.")
    expect(page.locator("#count")).to_have_text("0")


def test_pasted_pictures_are_recognised_and_have_names_of_their_own(page):
    paste(page, encode(scene(), "PNG"))
    expect(page.locator("#about")).to_contain_text("pasted-1.png")
    expect(page.locator("#program-text")).to_contain_text("save the picture as pasted-1.png")
    paste(page, encode(scene(300, 240), "PNG"))
    expect(page.locator("#about")).to_contain_text("pasted-2.png")
    page.click("#recognise")
    expect(page.locator("#list li.done")).to_have_count(2)


def test_the_crop_shown_is_what_the_model_saw(page):
    recognise(page, CAT)
    crop = page.locator("#crop")
    expect(crop).to_be_visible()
    expect(crop).to_have_attribute("alt", "cat.jpg, as the model saw it")
    data = crop.get_attribute("src").split(",", 1)[1]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    assert np.array_equal(shown, transform.crop(decode(CAT)))


@pytest.mark.parametrize("name", ["cat.jpg", "coffee_portrait.jpg"])
def test_the_frame_on_the_preview_is_the_crop(page, name):
    recognise(page, samples_dir() / name)
    whole, frame = (page.locator(css).bounding_box() for css in ("#preview", "#frame"))
    width, height = decode(samples_dir() / name).size
    left, top, right, bottom = transform.crop_box(width, height)
    scale = whole["width"] / width
    assert frame["x"] - whole["x"] == pytest.approx(left * scale, abs=2.5)
    assert frame["y"] - whole["y"] == pytest.approx(top * scale, abs=2.5)
    assert frame["width"] == pytest.approx((right - left) * scale, abs=3)
    assert frame["height"] == pytest.approx((bottom - top) * scale, abs=3)


def new_picture(name="new.png"):
    """One that no cache knows."""
    noise = np.random.default_rng().integers(0, 255, (240, 240, 3), dtype=np.uint8)
    return picture_file(name, encode(Image.fromarray(noise), "PNG"))


def test_the_time_shown_is_split_as_the_service_split_it(page):
    choose(page, new_picture())
    with page.expect_response("**/api/v1/classify*") as answered:
        page.click("#recognise")
    timing = answered.value.json()["timing_ms"]
    expect(page.locator("#predictions .best")).to_be_visible()
    assert page.locator("#legend dt").all_inner_texts() == ["Decode", "Prepare", "Wait", "Model", "Other"]
    parts = [timing[name] for name in ("decode", "prepare", "queue", "model")]
    wanted = [*parts, timing["total"] - sum(parts)]
    shown = [float(text.split()[0]) for text in page.locator("#legend dd").all_inner_texts()]
    assert shown == pytest.approx(wanted, abs=0.51)
    assert timing["model"] > 0
    whole = page.locator("#split").bounding_box()["width"]
    widths = [piece.bounding_box()["width"] for piece in page.locator("#split span").all()]
    assert widths == pytest.approx([whole * part / timing["total"] for part in wanted], abs=1.5)
    colours = [
        page.locator(f"#split .{part}").evaluate("(it) => getComputedStyle(it).backgroundColor")
        for part in ("decode", "prepare", "queue", "model", "other")
    ]
    assert len(set(colours)) == 5


def test_a_repeated_picture_says_that_its_answer_is_from_the_cache(page):
    choose(page, new_picture())
    page.click("#recognise")
    expect(page.locator("#predictions .best")).to_be_visible()
    expect(page.locator("#cached")).to_be_hidden()
    page.click("#recognise")
    expect(page.locator("#cached")).to_be_visible()
    expect(page.locator("#cached")).to_have_text("from the cache")


def test_every_sample_has_a_button_that_shows_picture_and_answer(page, service):
    listed = httpx.get(f"{service}/api/v1/samples").json()
    buttons = page.locator("#samples button")
    expect(buttons).to_have_count(len(listed))
    named = [label.get_attribute("aria-label") for label in buttons.all()]
    assert len(set(named)) == len(listed)
    page.get_by_role("button", name="Sample: cup of coffee", exact=True).click()
    expect(page.locator("#about")).to_contain_text("coffee.jpg")
    expect(page.locator("#predictions .best .name")).to_have_text(answer_of(service, COFFEE)["predictions"][0]["en"])
    page.get_by_role("button", name="Sample: cup of coffee", exact=True).click()
    expect(page.locator("#cached")).to_be_visible()
    expect(page.locator("#list li")).to_have_count(1)


def test_samples_pressed_while_others_are_recognised_have_their_turn_once(page):
    for name in ("cup of coffee", "cat", "cat", "pavilion", "cat"):
        page.get_by_role("button", name=f"Sample: {name}", exact=True).click()
    expect(page.locator("#list li.done")).to_have_count(3)
    assert sorted(page.locator("#list .file").all_inner_texts()) == ["cat.jpg", "china.jpg", "coffee.jpg"]


def test_a_small_picture_carries_the_warning(page):
    recognise(page, picture_file("small.png", encode(scene(160, 120), "PNG")))
    expect(page.locator("#warned")).to_have_text("small picture, enlarged")


def test_the_note_says_that_scores_are_no_certainty_and_the_classes_are_closed(page):
    note = page.locator(".note")
    expect(note).to_contain_text("not the chance of being right")
    expect(note).to_contain_text("The list of classes is closed")
    page.click("[data-language=zh]")
    expect(note).to_contain_text("不是正确的概率")
    expect(note).to_contain_text("类别是固定的")


BATCH = [
    CAT,
    picture_file("empty.png", b""),
    COFFEE,
    picture_file("text.jpg", b"no picture at all, only words", "image/jpeg"),
    picture_file("damaged.png", broken_png()),
    samples_dir() / "horse.png",
]


def test_of_several_pictures_the_bad_ones_have_errors_and_the_rest_answers(page, service):
    page.evaluate(
        """() => {
          window.seen = [];
          const note = () => window.seen.push(document.getElementById("progress-text").textContent);
          new MutationObserver(note).observe(document.getElementById("progress-text"), {childList: true});
        }"""
    )
    recognise(page, *as_files(BATCH))
    expect(page.locator("#list li")).to_have_count(6)
    states = [item.get_attribute("class") for item in page.locator("#list li").all()]
    assert states == ["done", "failed", "done", "failed", "failed", "done"]
    seen = list(dict.fromkeys(page.evaluate("window.seen")))
    assert seen == sorted(seen)
    assert {"1/6", "3/6", "6/6"} <= set(seen)
    expect(page.locator("#live")).to_have_text("6 of 6 done, 3 failed.")
    briefs = page.locator("#list .brief").all_inner_texts()
    assert briefs[0] == answer_of(service, CAT)["predictions"][0]["en"]
    assert "This is no picture" in briefs[3]


def test_each_bad_picture_shows_its_own_error_in_both_languages(page):
    recognise(page, *as_files(BATCH))
    wanted = {2: "empty_file", 4: "not_an_image", 5: "image_corrupt"}
    for place, code in wanted.items():
        page.click(f"#list li:nth-child({place}) .show")
        problem = page.locator("#problem")
        expect(problem).to_contain_text(code)
        page.click("[data-language=zh]")
        expect(problem).to_contain_text(code)
        assert re.search(r"[一-鿿]{4}", problem.inner_text())
        page.click("[data-language=en]")
        assert not re.search(r"[一-鿿]", problem.inner_text())


def test_a_file_the_browser_cannot_show_has_no_preview_but_a_message(page):
    choose(page, picture_file("photo.heic", b"\0\0\0\x18ftypheic" + b"\0" * 64, "image/heic"))
    expect(page.get_by_text("No preview: the browser cannot show this file")).to_be_visible()
    page.click("#recognise")
    expect(page.locator("#problem")).to_contain_text("HEIC")


def test_a_file_name_is_text_never_markup(page):
    name = "<img src=x onerror=alert(1)>.png"
    recognise(page, picture_file(name, encode(scene(), "PNG")))
    expect(page.locator("#about strong")).to_have_text(name)
    expect(page.locator("#list .file")).to_have_text(name)
    assert page.locator("img[src=x]").count() == 0


def test_pictures_can_be_removed_and_the_list_cleared(page):
    choose(page, CAT, COFFEE)
    page.get_by_role("button", name="Remove cat.jpg").click()
    expect(page.locator("#list .file")).to_have_text(["coffee.jpg"])
    expect(page.locator("#about")).to_contain_text("coffee.jpg")
    page.click("#clear")
    expect(page.locator("#list li")).to_have_count(0)
    expect(page.locator("#about")).to_contain_text("No picture chosen yet")
    expect(page.locator("#recognise")).to_have_attribute("aria-disabled", "true")


def test_stopping_leaves_the_rest_for_later(page):
    choose(page, *as_files([CAT, COFFEE] * 15))
    let_through = 4
    held = []

    def hold(route):
        held.append(route)
        if len(held) <= let_through:
            route.continue_()

    page.route("**/api/v1/classify*", hold)
    page.click("#recognise")
    expect(page.locator("#list li.done")).to_have_count(let_through)
    page.click("#stop")
    expect(page.locator("#recognise")).not_to_have_class(re.compile("working"))
    page.unroute("**/api/v1/classify*")
    left = page.locator("#list li.ready").count()
    assert left == 30 - let_through
    expect(page.locator("#recognise")).to_have_text(f"Recognise ({left})")
    page.click("#recognise")
    expect(page.locator("#list li.done")).to_have_count(30)


def test_a_picture_stopped_in_the_middle_of_its_answer_is_ready_again(page):
    """Its status has come and its body has not: that is neither an answer nor the picture's fault."""
    choose(page, CAT)
    page.evaluate("""() => {
        const real = window.fetch;
        window.fetch = async (...what) => {
            const answer = await real(...what);
            window.fetch = real;
            document.getElementById("stop").click();
            return answer;
        };
    }""")
    page.click("#recognise")
    expect(page.locator("#list li.ready")).to_have_count(1)
    page.click("#recognise")
    expect(page.locator("#list li.done")).to_have_count(1)


def test_stopping_a_second_look_keeps_the_first_answer(page):
    recognise(page, CAT)
    page.route("**/api/v1/classify*", lambda route: None)
    page.click("#recognise")
    page.click("#stop")
    expect(page.locator("#list li.done")).to_have_count(1)
    expect(page.locator("#predictions .best")).to_be_visible()


def test_two_pages_have_a_list_each(browser, service, page):
    choose(page, CAT)
    with open_page(browser, service, viewport=PHONE) as other:
        expect(other.locator("#count")).to_have_text("0")
