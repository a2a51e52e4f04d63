"""Make the pictures of the page in README from the running page: docs/images/page-*.png.

Usage: python tools/make_screenshots.py  (after `resnet18-lab build`; needs Chromium and playwright)
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from page_driver import PHONE, WIDE, open_page, running_browser, running_service  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, expect  # noqa: E402

from resnet18_lab import paths  # noqa: E402

OUT = ROOT / "docs" / "images"
SHOTS = (
    ("page-en-light", WIDE, "light", "en-US"),
    ("page-zh-dark", WIDE, "dark", "zh-CN"),
    ("page-en-phone-dark", PHONE, "dark", "en-US"),
    ("page-zh-phone-light", PHONE, "light", "zh-CN"),
)
PICTURES = ("coffee.jpg", "cat.jpg", "china.jpg", "labels.csv", "horse.png", "astronaut.jpg")
"""The project's own photographs, and one file that is no picture."""
COLOURS = 160  # of a palette: a third of the bytes, and no difference to be seen


def shoot(browser: Browser, url: str, name: str, viewport: dict, scheme: str, locale: str) -> None:
    """One picture of the page with its answers; a phone shows as much as two screens."""
    phone = viewport is PHONE
    options = {"is_mobile": True, "has_touch": True, "device_scale_factor": 2} if phone else {}
    with open_page(browser, url, viewport=viewport, color_scheme=scheme, locale=locale, **options) as page:
        page.set_input_files("#file", [paths.samples_dir() / picture for picture in PICTURES])
        page.click("#recognise")
        expect(page.locator("#progress-text")).to_have_text(f"{len(PICTURES)}/{len(PICTURES)}")
        page.evaluate("scrollTo(0, 0)")
        page.mouse.move(2, 2)
        page.wait_for_timeout(300)  # hover colours fade, thumbnails are decoded
        clip = {"x": 0, "y": 0, "width": viewport["width"], "height": 1090 if phone else 1080}
        target = OUT / f"{name}.png"
        page.screenshot(path=target, clip=clip, full_page=True)
    with Image.open(target) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def main() -> None:
    """Start the service on a free port, take the pictures, stop it."""
    OUT.mkdir(parents=True, exist_ok=True)
    with running_service(paths.home(), "--cache", "0") as service, running_browser() as browser:
        for shot in SHOTS:
            print(shot[0])
            shoot(browser, service.url, *shot)


if __name__ == "__main__":
    main()
