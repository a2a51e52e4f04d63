"""What the page shows of a picture is what the network saw of it."""

import numpy as np
import pytest
from support import pictures, true_pixels
from support.page_actions import picture_file, recognise

pytestmark = pytest.mark.slow

CROP_OF_PREVIEW = """async () => {
  const pixelsOf = (draw) => {
    const pen = new OffscreenCanvas(224, 224).getContext("2d");
    pen.fillStyle = "white";
    pen.fillRect(0, 0, 224, 224);
    draw(pen);
    return [...pen.getImageData(0, 0, 224, 224).data];
  };
  const preview = document.getElementById("preview");
  const crop = document.getElementById("crop");
  await Promise.all([preview.decode(), crop.decode()]);
  const scale = 256 / Math.min(preview.naturalWidth, preview.naturalHeight);
  const [width, height] = [preview.naturalWidth * scale, preview.naturalHeight * scale];
  return [
    pixelsOf((pen) => pen.drawImage(preview, (224 - width) / 2, (224 - height) / 2, width, height)),
    pixelsOf((pen) => pen.drawImage(crop, 0, 0)),
  ];
}"""


@pytest.mark.parametrize("name", ["profile", "turned", "transparent", "small frame"])
def test_the_crop_is_what_the_preview_shows(page, name):
    scene = pictures.scene(320, 240)
    soft = scene.convert("RGBA")
    soft.putalpha(scene.convert("L"))
    made = {
        "profile": ("JPEG", pictures.encode(scene, "JPEG", quality=95, icc_profile=true_pixels.exchanged_profile())),
        "turned": ("JPEG", pictures.with_orientation(6)),
        "transparent": ("PNG", pictures.encode(soft, "PNG")),
        "small frame": ("GIF", true_pixels.gif(transparency=5)),
    }
    kind, data = made[name]
    recognise(page, picture_file(f"a.{kind.lower()}", data, f"image/{kind.lower()}"))
    shown, seen = (np.array(pixels).reshape(224, 224, 4)[..., :3] for pixels in page.evaluate(CROP_OF_PREVIEW))
    assert np.abs(shown - seen).mean() < 3
