"""The programs that the page offers run as they are, and have the answers of the page."""

import pytest
from support.page_actions import CAT, COFFEE, answer_of, choose, expect, picture_file, recognise, reload
from support.page_programs import in_browser, in_python, in_shell, program

pytestmark = pytest.mark.slow

ODD = 'it\'s "odd", 猫; $HOME `x`.jpg'


def wanted(service, path, number=3):
    return [best["en"] for best in answer_of(service, path, top_k=number)["predictions"]]


@pytest.mark.parametrize("name", ["cat.jpg", ODD])
def test_the_python_program_has_the_answer_of_the_page(page, service, tmp_path, name):
    (tmp_path / name).write_bytes(CAT.read_bytes())
    recognise(page, picture_file(name, CAT.read_bytes(), "image/jpeg"))
    assert in_python(program(page, "Python"), tmp_path) == wanted(service, CAT)


def test_the_javascript_program_has_the_answer_of_the_page(page, service):
    recognise(page, CAT)
    text = program(page, "JavaScript")
    page.evaluate("document.getElementById('file').remove()")
    assert in_browser(page, text, CAT) == wanted(service, CAT)


def test_the_programs_for_a_sample_fetch_it_first(page, service, tmp_path):
    page.get_by_role("button", name="Sample: cup of coffee", exact=True).click()
    expect(page.locator("#list li.done")).to_have_count(1)
    expect(page.locator("#program-text")).to_contain_text("the sample is fetched from the service first")
    assert in_shell(program(page, "curl"), tmp_path) == wanted(service, COFFEE)
    assert in_python(program(page, "Python"), tmp_path) == wanted(service, COFFEE)
    assert in_browser(page, program(page, "JavaScript"), CAT) == wanted(service, COFFEE)


def test_the_programs_ask_for_as_many_answers_as_are_shown_in_the_language_of_the_page(page, service, tmp_path):
    (tmp_path / "cat.jpg").write_bytes(CAT.read_bytes())
    choose(page, CAT)
    page.select_option("#top-k", "7")
    page.click("[data-language=zh]")
    page.get_by_role("tab", name="Python", exact=True).click()
    names = in_python(page.locator("#snippet").inner_text(), tmp_path)
    assert names == [best["zh"] for best in answer_of(service, CAT, top_k=7)["predictions"]]


def test_a_picture_of_a_folder_is_named_without_the_folder(page, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(CAT.read_bytes())
    page.set_input_files("#folder-file", str(tmp_path / "photos"))
    expect(page.locator("#snippet")).to_contain_text("file=@cat.jpg")


def test_the_kinds_of_program_are_tabs_for_the_keyboard_and_the_choice_is_kept(page):
    page.locator("#tab-curl").focus()
    for key, chosen in (
        ("ArrowRight", "python"),
        ("ArrowRight", "javascript"),
        ("ArrowRight", "curl"),
        ("ArrowLeft", "javascript"),
    ):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.dataset.kind") == chosen
        expect(page.get_by_role("tab", selected=True)).to_have_attribute("data-kind", chosen)
        expect(page.get_by_role("tabpanel")).to_have_attribute("aria-labelledby", f"tab-{chosen}")
    reload(page)
    expect(page.get_by_role("tab", selected=True)).to_have_text("JavaScript")
