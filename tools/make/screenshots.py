"""Make the pictures of the page in README from the running page: docs/images/page-*.png.

Usage: python tools/make/screenshots.py  (after `resnet18-lab build`; needs Chromium and playwright)
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, expect  # noqa: E402
from support.page_driver import PHONE, WIDE, open_page, running_browser, running_service  # noqa: E402

from resnet18_lab.base import paths  # noqa: E402

OUT = ROOT / "docs" / "images"
SHOTS = (
    ("page-en-light", WIDE, "light", "en-US"),
    ("page-zh-dark", WIDE, "dark", "zh-CN"),
    ("page-en-phone-dark", PHONE, "dark", "en-US"),
    ("page-zh-phone-light", PHONE, "light", "zh-CN"),
)
PICTURES = ("coffee.jpg", "cat.jpg", "china.jpg", "labels.csv", "horse.png", "astronaut.jpg")
"""The project's own photographs, and one file that is no picture."""
LAST = ".answer"
"""The last element that a picture shows whole."""
MARGIN = 4


def shoot(browser: Browser, url: str, name: str, viewport: dict, scheme: str, locale: str) -> None:
    """One picture of the page with its answers; the first was recognised alone, as its times say."""
    phone = viewport is PHONE
    options = {"is_mobile": True, "has_touch": True, "device_scale_factor": 2} if phone else {}
    with open_page(browser, url, viewport=viewport, color_scheme=scheme, locale=locale, **options) as page:
        first, *others = [paths.samples_dir() / picture for picture in PICTURES]
        page.set_input_files("#file", first)
        page.click("#recognise")
        expect(page.locator("#list li.done")).to_have_count(1)
        page.set_input_files("#file", others)
        page.click("#recognise")
        expect(page.locator("#progress-text")).to_have_text(f"{len(others)}/{len(others)}")
        page.locator("#list .show").first.click()
        page.evaluate("scrollTo(0, 0)")
        page.mouse.move(2, 2)
        page.wait_for_timeout(300)  # hover colours fade, thumbnails are decoded
        last = page.locator(LAST).bounding_box()
        assert last is not None
        clip = {"x": 0, "y": 0, "width": viewport["width"], "height": last["y"] + last["height"] + MARGIN}
        target = OUT / f"{name}.png"
        page.screenshot(path=target, clip=clip, full_page=True)
    with Image.open(target) as picture:
        picture.convert("RGB").save(target, optimize=True)


def main() -> None:
    """Start the service on a free port, take the pictures, stop it."""
    OUT.mkdir(parents=True, exist_ok=True)
    with running_service(paths.home(), "--cache", "0") as service, running_browser() as browser:
        for shot in SHOTS:
            print(shot[0])
            shoot(browser, service.url, *shot)


if __name__ == "__main__":
    main()
