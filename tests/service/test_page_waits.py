"""The page comes again when it is told to."""

import pytest
from support import pictures
from support.page_actions import picture_file, recognise
from support.page_driver import open_page, running_service

pytestmark = pytest.mark.slow


def test_pictures_over_the_rate_have_their_turn(browser, trained_or_untrained_home):
    chosen = [
        picture_file(f"{number}.png", pictures.encode(pictures.scene(60 + number, 60), "PNG")) for number in range(7)
    ]
    with running_service(trained_or_untrained_home, "--rate", "1") as service, open_page(browser, service.url) as page:
        recognise(page, *chosen)
        assert page.locator(".error").count() == 0
