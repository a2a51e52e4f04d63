"""What can be dropped on the page: whole folders, and pictures dragged out of other pages."""

import base64
import re

import pytest
from support.page_actions import CAT, COFFEE, answer_of, drop, expect
from support.pictures import encode, scene

pytestmark = pytest.mark.slow

CHINESE = re.compile(r"[一-鿿]{4}")
MANY = 230
"""More than a browser gives of a folder at a time."""


@pytest.fixture
def photos(tmp_path):
    """A folder as people have them: folders in it, and what the system put there."""
    folder = tmp_path / "photos"
    for path in ("b.jpg", "a/z.JPG", "a/deep/y.jpeg", "c.jfif"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(CAT.read_bytes())
    for path in (".DS_Store", "Thumbs.db", "a/._z.JPG", "a/desktop.ini", ".hidden/d.jpg"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"\0")
    (folder / "notes.txt").write_text("words", encoding="utf-8")
    return folder


IN_ORDER = ["photos/a/deep/y.jpeg", "photos/a/z.JPG", "photos/b.jpg", "photos/c.jfif"]


def test_the_pictures_of_a_dropped_folder_are_taken_in_order_and_the_rest_is_counted(page, photos):
    drop(page, photos)
    expect(page.locator("#list .file")).to_have_text(IN_ORDER)
    expect(page.locator("#toast")).to_have_text(
        "Pictures added: 4. Hidden and system files left out: 5. Files of other kinds left out: 1."
    )
    page.click("#recognise")
    expect(page.locator("#list li.done")).to_have_count(4)


def test_the_folder_button_does_the_same(page, photos):
    with page.expect_file_chooser() as opened:
        page.click("#folder")
    opened.value.set_files(str(photos))
    expect(page.locator("#list .file")).to_have_text(IN_ORDER)
    expect(page.locator("#toast")).to_contain_text("Hidden and system files left out: 5.")


def test_pictures_beside_a_dropped_folder_are_taken_too(page, photos):
    drop(page, photos, COFFEE)
    expect(page.locator("#list .file")).to_have_text(["coffee.jpg", *IN_ORDER])


def test_a_large_folder_is_read_to_its_end(page, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(MANY):
        (folder / f"{number:03}.png").write_bytes(encode(scene(60, 60), "PNG"))
    drop(page, folder)
    expect(page.locator("#list li")).to_have_count(MANY)
    names = page.locator("#list .file").all_inner_texts()
    assert names == [f"many/{number:03}.png" for number in range(MANY)]


def test_a_folder_without_pictures_is_said_in_both_languages(page, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").write_bytes(b"\0")
    drop(page, tmp_path / "empty")
    expect(page.locator("#toast")).to_contain_text("Hidden and system files left out: 1.")
    page.click("[data-language=zh]")
    drop(page, tmp_path / "empty")
    expect(page.locator("#toast")).to_contain_text("已跳过隐藏文件和系统文件：1 个。")
    expect(page.locator("#count")).to_have_text("0")


ELSEWHERE = "https://pictures.example/cat.jpg?size=2&kind=1"


def dragged(address, where=None):
    """What a browser gives of a picture in another page, which may lead somewhere when it is pressed."""
    escaped = address.replace("&", "&amp;")
    return [
        {"mimeType": "text/uri-list", "data": where or address},
        {
            "mimeType": "text/html",
            "data": f'<meta charset="utf-8"><img class="wide" src="{escaped}" style="width:1px">',
        },
    ]


def test_a_picture_of_another_site_is_not_fetched_and_what_to_do_is_said(page):
    drop(page, items=dragged(ELSEWHERE))
    expect(page.locator("#toast")).to_contain_text("This is a link to pictures.example")
    expect(page.locator("#toast")).to_contain_text("save the picture and drop the file")
    page.click("[data-language=zh]")
    drop(page, items=dragged(ELSEWHERE))
    expect(page.locator("#toast")).to_contain_text("pictures.example")
    assert CHINESE.search(page.locator("#toast").inner_text())
    expect(page.locator("#count")).to_have_text("0")


def test_a_data_address_is_the_picture_itself(page):
    data = base64.b64encode(encode(scene(), "PNG")).decode()
    drop(page, items=dragged(f"data:image/png;base64,{data}", where="https://elsewhere.example/"))
    expect(page.locator("#list .file")).to_have_text(["dropped-1.png"])
    page.click("#recognise")
    expect(page.locator("#list li.done")).to_have_count(1)


def test_a_broken_data_address_is_no_picture(page):
    drop(page, items=dragged("data:image/png;base64,%%%"))
    expect(page.locator("#toast")).to_have_text("There is no picture in it; drop or paste files.")


def test_a_picture_of_the_service_is_taken_once(page, service):
    drop(page, items=dragged(f"{service}/samples/cat.jpg"))
    expect(page.locator("#list .file")).to_have_text(["cat.jpg"])
    drop(page, items=dragged(f"{service}/samples/cat.jpg"))
    page.click("#recognise")
    expect(page.locator("#predictions .best .name")).to_have_text(answer_of(service, CAT)["predictions"][0]["en"])
    expect(page.locator("#list li")).to_have_count(1)


def test_an_address_of_the_service_that_is_no_picture_is_refused(page, service):
    drop(page, items=[{"mimeType": "text/uri-list", "data": f"{service}/openapi.json"}])
    expect(page.locator("#toast")).to_have_text("There is no picture in it; drop or paste files.")
