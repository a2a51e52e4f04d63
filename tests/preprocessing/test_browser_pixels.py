"""Pixels are those that a browser shows: headless Chromium draws the same files on white."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from support import true_pixels

from resnet18_lab.preprocessing.decode import decode

PICTURES = true_pixels.made()
LEVELS = {"PNG": 2, "GIF": 2, "BMP": 2, "JPEG": 6, "WEBP": 6}
DRAW = """async (url) => {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0);
  return canvas.toDataURL("image/png");
}"""


@pytest.fixture(scope="module")
def sheet(browser):
    """An empty page to draw on."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("name", PICTURES)
def test_pixels_are_chromiums(sheet, name):
    data = PICTURES[name]
    kind = name.split()[0]
    url = f"data:image/{kind.lower()};base64,{base64.b64encode(data).decode()}"
    drawn = base64.b64decode(sheet.evaluate(DRAW, url).partition(",")[2])
    theirs = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB")).astype(int)
    ours = np.asarray(decode(data)).astype(int)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= LEVELS[kind]
