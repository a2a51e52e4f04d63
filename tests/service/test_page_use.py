"""The page for everybody: languages, keyboard, screen reader, small screens, dark rooms, no network."""

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.page_actions import CAT, COFFEE, answer_of, as_files, choose, picture_file, recognise, reload
from support.page_axe import violations
from support.page_driver import PHONE, WIDE, open_page, running_service
from support.project import ROOT

from resnet18_lab.base.text import from_cell
from resnet18_lab.inference import labels
from resnet18_lab.inference.csv_rows import columns

pytestmark = pytest.mark.slow

expect = pytest.importorskip("playwright.sync_api", reason="needs the test extra: playwright").expect

STATIC = ROOT / "resnet18_lab" / "service" / "static"
TEXTS = ("english.js", "chinese.js")
CHINESE = re.compile(r"[一-鿿]")
SAME_IN_BOTH = ("formats", "model_is", "kind_curl", "kind_python", "kind_javascript")


def texts_of(page):
    """Both languages' texts, from the page's own module."""
    return page.evaluate("import('/static/texts.js').then((module) => module.TEXTS)")


def active(page):
    """Id or class of the element that has the keyboard."""
    return page.evaluate(
        "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"
    )


# Languages


def test_both_languages_have_the_same_texts_with_the_same_blanks(page):
    texts = texts_of(page)
    assert set(texts["en"]) == set(texts["zh"])
    for key, english in texts["en"].items():
        chinese = texts["zh"][key]
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", chinese)), key
        assert not CHINESE.search(english), key
        words = re.sub(r"\{\w+\}", "", english)
        assert CHINESE.search(chinese) or key in SAME_IN_BOTH or not re.search(r"\w", words), key


def test_every_text_the_page_names_exists(page):
    keys = set(texts_of(page)["en"])
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'data-(?:text|label)="(\w+)"', html)) <= keys
    for module in STATIC.glob("*.js"):
        said = re.findall(r'\bsay\("(\w+)"', module.read_text(encoding="utf-8"))
        assert set(said) <= keys, module.name


def test_every_text_is_used(page):
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    code = "\n".join(file.read_text(encoding="utf-8") for file in STATIC.glob("*.js") if file.name not in TEXTS)
    named = set(re.findall(r'data-(?:text|label)="(\w+)"', html)) | set(re.findall(r'"(\w+)"', code))
    named |= {f"error_{code_}" for code_ in re.findall(r'\bown\("(\w+)"', code)}
    by_name = re.compile("sample_|warning_")  # of the service's samples and warnings
    assert {key for key in texts_of(page)["en"] if key not in named and not by_name.match(key)} == set()


def test_the_switch_changes_texts_names_errors_and_the_language_of_the_document(page, service):
    recognise(page, COFFEE, picture_file("text.jpg", b"no picture at all, only words", "image/jpeg"))
    page.click("[data-language=zh]")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    assert CHINESE.search(page.title())
    chinese = texts_of(page)["zh"]
    for element in page.locator("[data-text]").all():
        key = element.get_attribute("data-text")
        if key not in ("recognise",):
            assert element.text_content() == chinese[key].replace("{classes}", "1000")
    for element in page.locator("[data-label]").all():
        assert element.get_attribute("aria-label") == chinese[element.get_attribute("data-label")]
    names = [best["zh"] for best in answer_of(service, COFFEE)["predictions"]]
    assert page.locator("#predictions .name").all_inner_texts() == names
    assert CHINESE.search(page.locator("#list .brief").nth(1).inner_text())
    for label in page.locator("#samples button").all():
        assert not re.search("[A-Za-z]", label.get_attribute("aria-label"))


NOT_TRANSLATED = re.compile(
    r"ResNet-18( Lab)?|English|openapi\.json|JPEG|PNG|WebP|GIF|BMP|API|CSV|JSON|curl.*|Python|JavaScript|ms\b|kB|n\d{8}"
    r"|compact(-large)?|official|untrained|onnxruntime-\w+|coffee\.jpg|text\.jpg|not_an_image"
)


def test_no_english_is_left_in_the_chinese_page(page):
    """Names, formats and codes aside: on the empty page, with an answer, and with an error."""
    page.click("[data-language=zh]")
    shown = page.locator("body").inner_text()
    recognise(page, COFFEE, picture_file("text.jpg", b"no picture at all, only words", "image/jpeg"))
    shown += "\n" + page.locator("body").inner_text()
    page.click("#list li:nth-child(2) .show")
    shown += "\n" + page.locator("body").inner_text()
    for line in shown.splitlines():
        assert not re.search(r"[A-Za-z]{2,}", NOT_TRANSLATED.sub("", line)), line


def test_the_switch_asks_the_service_nothing_and_is_remembered(page):
    recognise(page, COFFEE)
    before = len(page.watch.requests)
    page.click("[data-language=zh]")
    expect(page.locator("#answer-heading")).to_have_text("结果")
    assert page.watch.requests[before:] == []
    reload(page)
    expect(page.locator("#answer-heading")).to_have_text("结果")


def test_a_browser_in_chinese_gets_the_chinese_page(browser, service):
    with open_page(browser, service, locale="zh-CN") as page:
        expect(page.locator("#recognise")).to_have_text("识别")
        page.goto(f"{service}/?lang=en")
        expect(page.locator("#recognise")).to_have_text("Recognise")


def test_a_language_that_is_none_changes_nothing(page, service):
    page.goto(f"{service}/?lang=constructor")
    expect(page.locator("#recognise")).to_have_text("Recognise")


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_page_whose_script_does_not_come_is_shown_all_the_same(browser, service, motion):
    context = browser.new_context(viewport=WIDE, reduced_motion=motion)
    context.route("**/main.js", lambda route: route.abort())
    page = context.new_page()
    page.goto(service)
    expect(page.locator("#choose")).to_be_visible()
    context.close()


# Keyboard and screen reader


def test_everything_can_be_done_with_the_keyboard_alone(page):
    page.on("filechooser", lambda chooser: None)  # asked for only at the key press, the browser may be late
    for _ in range(3):
        page.keyboard.press("Tab")
    assert active(page) == "choose"
    with page.expect_file_chooser() as opened:
        page.keyboard.press("Enter")
    opened.value.set_files([str(CAT), str(COFFEE)])
    expect(page.locator("#count")).to_have_text("2")
    tab_to(page, lambda: active(page) == "recognise", most=5)
    page.keyboard.press("Enter")
    expect(page.locator("#list li.done")).to_have_count(2)
    assert active(page) == "recognise"
    tab_to(page, lambda: page.evaluate("document.activeElement.matches('#list li:nth-child(2) .show')"))
    page.keyboard.press("Enter")
    expect(page.locator("#about")).to_contain_text("coffee.jpg")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_have_text("1")
    assert active(page) == "remove"


def tab_to(page, there, most=60):
    """Press Tab until the keyboard is there."""
    for _ in range(most):
        if there():
            return
        page.keyboard.press("Tab")
    raise AssertionError("Tab does not lead there")


def test_tab_leads_through_the_whole_page_in_order_and_out_of_it(page):
    recognise(page, CAT)
    page.locator("[data-language]").first.focus()
    stops = []
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        stops.append(active(page))
    else:
        raise AssertionError("the keyboard is caught")
    ways_in, tools, end = (
        ["choose", "folder", "camera", "top-k", "recognise"],
        ["csv", "json", "clear", "stop", "show", "remove"],
        ["tab-curl", "copy"],
    )
    assert [stop for stop in stops if stop in {*ways_in, *tools, *end}] == [*ways_in, *tools, *end]


def test_the_language_and_a_sample_can_be_reached_by_keyboard(page):
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    tab_to(page, lambda: page.evaluate("document.activeElement.matches('#samples button')"))
    page.keyboard.press("Enter")
    expect(page.locator("#list li.done")).to_have_count(1)


def test_the_place_of_the_keyboard_can_be_seen(page):
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_what_happens_is_said_to_screen_readers(page, service):
    live = page.locator("[aria-live=polite]")
    choose(page, COFFEE)
    expect(live).to_have_text("coffee.jpg chosen.")
    page.click("#recognise")
    expect(live).to_contain_text(answer_of(service, COFFEE)["predictions"][0]["en"])
    choose(page, picture_file("words.jpg", b"no picture at all, only words", "image/jpeg"))
    page.click("#recognise")
    expect(live).to_contain_text("words.jpg: This is no picture")


def test_parts_of_the_page_have_roles_and_names(page):
    for name in ("Picture", "Answer", "Pictures", "From a program"):
        expect(page.get_by_role("region", name=re.compile(f"^{name}"))).not_to_have_count(0)
    expect(page.get_by_role("group", name="Language")).to_be_visible()
    expect(page.get_by_role("button", name="English")).to_have_attribute("aria-pressed", "true")
    assert page.get_by_role("heading", level=1).count() == 1


AXE_CASES = [
    ("wide-light-en", WIDE, "light", "en-US"),
    ("wide-dark-zh", WIDE, "dark", "zh-CN"),
    ("phone-dark-en", PHONE, "dark", "en-US"),
    ("phone-light-zh", PHONE, "light", "zh-CN"),
]


@pytest.mark.parametrize(("name", "viewport", "scheme", "locale"), AXE_CASES, ids=[case[0] for case in AXE_CASES])
def test_axe_finds_nothing_in_any_state(browser, service, name, viewport, scheme, locale):
    # The policy is set aside here only: it would keep the checker itself out.
    with open_page(browser, service, viewport=viewport, color_scheme=scheme, locale=locale, bypass_csp=True) as page:
        assert violations(page) == []
        recognise(page, *as_files([COFFEE, picture_file("words.jpg", b"no picture at all", "image/jpeg"), CAT]))
        page.click("#recognise")
        expect(page.locator("#cached")).to_be_visible()
        assert violations(page) == []
        page.click("#list li:nth-child(2) .show")
        expect(page.locator("#problem")).to_be_visible()
        assert violations(page) == []


# Screens


@pytest.mark.parametrize("width", [320, 375, 768, 1280, 2200])
def test_nothing_is_cut_off_or_scrolls_sideways(browser, service, width):
    with open_page(browser, service, viewport={"width": width, "height": 800}) as page:
        recognise(page, *as_files([CAT, picture_file("words.jpg", b"no picture at all", "image/jpeg")]))
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        for button in page.locator("button:visible").all():
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 24, button.get_attribute("id")
            assert button.evaluate("(it) => it.scrollWidth <= it.clientWidth + 1"), button.get_attribute("id")


@pytest.mark.parametrize("width", [320, 1280])
def test_the_longest_names_are_shown_whole_and_widen_nothing(browser, service, width):
    longest = sorted((label.en for label in labels.all_labels()), key=len)[-3:]
    result = answer_of(service, CAT, top_k=3, lang="both", crop=1)
    for prediction, name in zip(result["predictions"], longest, strict=True):
        prediction["en"] = name
    with open_page(browser, service, viewport={"width": width, "height": 800}) as page:
        before = places_of(page)["#verdict"]
        page.route("**/api/v1/classify*", lambda route: route.fulfill(json=result))
        recognise(page, CAT)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert page.locator("#predictions .name").all_inner_texts() == longest
        for name in page.locator("#predictions .name").all():
            assert name.evaluate("(it) => it.scrollHeight <= it.clientHeight + 1 && it.scrollWidth <= it.clientWidth")
        assert places_of(page)["#verdict"] == before


def test_untrained_weights_are_said_without_a_jump_on_a_phone(browser, untrained_home):
    with (
        running_service(untrained_home, "--weights", "untrained") as own,
        open_page(browser, own.url, viewport=PHONE) as page,
    ):
        expect(page.locator("#model")).to_contain_text("UNTRAINED weights: the answers mean nothing.")
        page.evaluate(WATCH_SHIFTS)
        recognise(page, CAT)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert sum(value for value, _ in page.evaluate("window.shifts")) < 0.01, page.evaluate("window.shifts")


def test_a_wide_screen_shows_picture_and_answer_side_by_side_and_a_phone_one_after_the_other(browser, service):
    places = {}
    for name, viewport in (("wide", WIDE), ("phone", PHONE)):
        with open_page(browser, service, viewport=viewport) as page:
            places[name] = [page.locator(css).bounding_box() for css in (".input", ".answer")]
    left, right = places["wide"]
    assert left["y"] == right["y"]
    assert right["x"] >= left["x"] + left["width"]
    above, below = places["phone"]
    assert below["y"] >= above["y"] + above["height"]


WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    window.shifts.push([entry.value, entry.sources.map((source) => source.node?.id || source.node?.className)]);
  }
}).observe({type: "layout-shift", buffered: true});
"""
FIXED = (
    ".top",
    "#stage",
    "#recognise",
    "#samples",
    ".answer",
    "#verdict",
    ".crop",
    "#legend",
    ".note",
    ".batch",
    "#list-heading",
)


def places_of(page):
    """Where things lie on the page, wherever it is scrolled to."""
    scrolled = page.evaluate("scrollY")
    boxes = {css: page.locator(css).bounding_box() for css in FIXED}
    return {css: {**box, "y": round(box["y"] + scrolled, 2)} for css, box in boxes.items()}


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_nothing_jumps_while_a_picture_is_chosen_and_answered(browser, service, viewport, locale):
    with open_page(browser, service, viewport=viewport, locale=locale) as page:
        expect(page.locator("#model")).not_to_be_empty()
        page.evaluate(WATCH_SHIFTS)
        before = places_of(page)
        choose(page, COFFEE)
        expect(page.locator("#preview")).to_be_visible()
        assert places_of(page) == before
        page.click("#recognise")
        expect(page.locator("#predictions .best")).to_be_visible()
        page.click("#recognise")
        expect(page.locator("#cached")).to_be_visible()
        assert places_of(page) == before
        choose(page, picture_file("words.jpg", b"no picture at all", "image/jpeg"))
        page.click("#recognise")
        expect(page.locator("#problem")).to_be_visible()
        assert places_of(page) == before
        assert sum(value for value, _ in page.evaluate("window.shifts")) < 0.01, page.evaluate("window.shifts")


def brightness(page, css, what):
    colour = page.locator(css).first.evaluate(f"(it) => getComputedStyle(it).{what}")
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


def test_light_and_dark_follow_the_system(browser, service):
    for scheme, is_dark in (("light", False), ("dark", True)):
        with open_page(browser, service, color_scheme=scheme) as page:
            assert (brightness(page, "body", "backgroundColor") < 60) is is_dark
            assert (brightness(page, "body", "color") > 200) is is_dark
            page.emulate_media(color_scheme="light" if is_dark else "dark")
            assert (brightness(page, "body", "backgroundColor") < 60) is not is_dark


# Network and policy


def test_the_page_brings_everything_itself_and_has_no_inline_code(page):
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*\ssrc=)", html)
    for file in STATIC.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|url\(", text), file.name
    preloaded = set(re.findall(r'modulepreload" href="static/([\w.]+)"', html))
    assert preloaded | {"main.js", "docs.js"} == {module.name for module in STATIC.glob("*.js")}


def test_the_policy_forbids_inline_scripts_and_styles(page, service):
    policy = page.request.get(service).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_a_service_that_is_gone_is_an_error_in_both_languages_and_can_be_tried_again(page):
    choose(page, CAT)
    page.context.set_offline(True)
    page.click("#recognise")
    expect(page.locator("#problem")).to_contain_text("The service cannot be reached")
    page.click("[data-language=zh]")
    expect(page.locator("#problem")).to_contain_text("无法连接服务")
    page.context.set_offline(False)
    page.click("#recognise")
    expect(page.locator("#predictions .best")).to_be_visible()
    expect(page.locator("#problem")).to_be_hidden()


def test_a_service_that_dies_is_said_for_pictures_and_samples(browser, trained_or_untrained_home):
    with running_service(trained_or_untrained_home) as own, open_page(browser, own.url) as page:
        own.process.terminate()
        own.process.wait(20)
        choose(page, CAT)
        page.click("#recognise")
        expect(page.locator("#problem")).to_contain_text("unreachable")
        page.locator("#samples button").first.click()
        expect(page.locator("#list li.failed")).to_have_count(2)


def test_a_sample_that_could_not_be_had_is_had_when_the_service_is_back(page):
    page.route("**/samples/**", lambda route: route.abort())
    page.route("**/api/v1/classify*", lambda route: route.abort())
    page.route("**/healthz", lambda route: route.abort())
    page.get_by_role("button", name="Sample: cat", exact=True).click()
    expect(page.locator("#problem")).to_contain_text("unreachable")
    page.unroute_all()
    page.click("#recognise")
    expect(page.locator("#list li.done")).to_have_count(1)
    expect(page.locator("#preview")).to_be_visible()


def test_an_upload_that_broke_off_is_tried_again(page):
    page.route("**/api/v1/classify*", lambda route: route.abort("connectionreset"), times=1)
    choose(page, CAT)
    page.click("#recognise")
    expect(page.locator("#problem")).to_contain_text("broken_off")
    page.click("#recognise")
    expect(page.locator("#list li.done")).to_have_count(1)


def test_uploads_leave_no_timer_and_no_listener_behind(page):
    page.evaluate(
        """() => {
          window.kept = {timers: new Set(), listeners: 0, made: 0};
          const [set, clear] = [window.setTimeout, window.clearTimeout];
          window.setTimeout = (work, delay) => {
            const timer = set(work, delay);
            if (delay >= 1000) { kept.timers.add(timer); kept.made += 1; }
            return timer;
          };
          window.clearTimeout = (timer) => { kept.timers.delete(timer); clear(timer); };
          const {addEventListener, removeEventListener} = AbortSignal.prototype;
          AbortSignal.prototype.addEventListener = function (...all) {
            kept.listeners += 1; return addEventListener.apply(this, all);
          };
          AbortSignal.prototype.removeEventListener = function (...all) {
            kept.listeners -= 1; return removeEventListener.apply(this, all);
          };
        }"""
    )
    busy = {"status": 503, "headers": {"Retry-After": "1"}, "body": "{}"}
    page.route("**/api/v1/classify*", lambda route: route.fulfill(**busy), times=1)
    recognise(page, CAT, COFFEE)
    made, timers, listeners = page.evaluate("[kept.made, kept.timers.size, kept.listeners]")
    assert (made, timers, listeners) == (4, 0, 0)  # two answers, and a first try with its wait


@pytest.mark.slow
def test_a_file_that_is_too_large_is_refused_with_a_reason(page):
    choose(page, picture_file("big.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 21_000_000, "image/jpeg"))
    page.click("#recognise")
    expect(page.locator("#problem code")).to_have_text(re.compile("file_too_large|too_large"))
    recognise(page, CAT)
    expect(page.locator("#list li.done")).to_have_count(1)


# Taking the answers along


def saved(page, button):
    with page.expect_download() as download:
        page.click(button)
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_the_json_export_holds_the_services_objects_in_order(page, service):
    recognise(page, *as_files([CAT, picture_file("words.jpg", b"no picture at all", "image/jpeg"), COFFEE]))
    name, data = saved(page, "#json")
    assert name == "resnet18-lab.json"
    cat, words, coffee = json.loads(data)
    for got, path in ((cat, CAT), (coffee, COFFEE)):
        wanted = answer_of(service, path)
        assert {key: got[key] for key in ("file", "predictions", "warnings", "engine")} == {
            key: wanted[key] for key in ("file", "predictions", "warnings", "engine")
        }
        assert "crop" not in got
    assert words["file"] == "words.jpg"
    assert words["error"]["code"] == "not_an_image"
    assert set(words["error"]) == {"code", "message", "message_zh"}


def test_the_csv_export_has_the_command_lines_columns_and_is_safe(page, service):
    odd = '=cmd|"x", 猫.jpg'
    recognise(
        page,
        picture_file(odd, CAT.read_bytes(), "image/jpeg"),
        picture_file("words.jpg", b"no picture at all", "image/jpeg"),
    )
    name, data = saved(page, "#csv")
    assert name == "resnet18-lab.csv"
    assert data.startswith("\ufeff".encode())
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert list(rows[0]) == columns(3, ("en", "zh"))
    wanted = answer_of(service, CAT)
    assert [row["file"] for row in rows] == ["'" + odd, "words.jpg"]
    assert [from_cell(row["file"]) for row in rows] == [odd, "words.jpg"]
    assert [(rows[0][f"wnid_{rank}"], rows[0][f"zh_{rank}"]) for rank in (1, 2, 3)] == [
        (best["wnid"], best["zh"]) for best in wanted["predictions"]
    ]
    assert rows[0]["sha256"] == wanted["engine"]["sha256"]
    assert rows[1]["error"] == "not_an_image"
    assert CHINESE.search(rows[1]["message_zh"])


@pytest.mark.parametrize("name", ["cat.jpg", "two words.jpg", 'it\'s "odd", 猫; $HOME `x` \\n.jpg'])
def test_the_copied_command_gives_the_same_answer_in_a_shell(page, service, tmp_path, name):
    if shutil.which("curl") is None:
        pytest.skip("needs curl: apt-get install curl")
    (tmp_path / name).write_bytes(CAT.read_bytes())
    recognise(page, picture_file(name, CAT.read_bytes(), "image/jpeg"))
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("Copied")
    command = page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    answer = json.loads(done.stdout)
    shown = page.locator("#predictions .name").all_inner_texts()
    assert [best["en"] for best in answer["predictions"]] == shown
    assert [best["index"] for best in answer["predictions"]] == [
        best["index"] for best in answer_of(service, CAT)["predictions"]
    ]
