"""From what the library gives to upright RGB: colours, transparency, canvas and orientation."""

import contextlib
import io
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from resnet18_lab.preprocessing import png
from resnet18_lab.preprocessing.formats import ALLOWED
from resnet18_lab.preprocessing.structure import Structure

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_STRIP = 256  # rows


def whiten(coloured: Image.Image, picture: Image.Image, told: Structure) -> None:
    """White where a PNG's pixels have the colour that is transparent, compared in all bits of the file; in strips."""
    with ExitStack() as stack:
        low = None
        if told.kind == png.RGB and told.bits == 16:  # the library keeps the upper byte of each
            low = stack.enter_context(Image.open(io.BytesIO(told.data), formats=ALLOWED))
            low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]
        for top in range(0, picture.height, _STRIP):
            box = (0, top, picture.width, min(top + _STRIP, picture.height))
            values = _samples(picture.crop(box), told)
            if low is not None:
                values = values.astype(np.uint16) << 8 | np.asarray(low.crop(box))
            same = (values == np.asarray(told.key)).reshape(*values.shape[:2], -1).all(axis=2)
            coloured.paste((255, 255, 255), box, Image.fromarray(same.astype(np.uint8) * 255))


def _samples(strip: Image.Image, told: Structure) -> NDArray[Any]:
    """The samples of a strip as the file has them; those of grey under 8 bits were spread over 0..255."""
    if told.kind == png.RGB or told.bits == 16:
        return np.asarray(strip)
    return np.asarray(strip.convert("L")) // (255 // ((1 << told.bits) - 1))


def in_colour(picture: Image.Image, told: Structure) -> Image.Image:
    """The picture as RGB: in sRGB where it has another profile, on white where it is transparent."""
    if told.profile is None or picture.mode not in ("RGB", "L", "CMYK", "RGBA"):
        return to_rgb(picture)
    from resnet18_lab.preprocessing.colour import in_srgb  # littleCMS is loaded for pictures that need it

    if picture.mode != "CMYK":
        picture = to_rgb(picture)
    converted = in_srgb(picture, told.profile)
    if converted is None:
        told.warnings.append("profile_ignored")
    return to_rgb(picture) if converted is None else converted


def on_canvas(picture: Image.Image, told: Structure) -> Image.Image:
    """A frame that is smaller than its canvas, on white."""
    if told.canvas is None:
        return picture
    white = Image.new("RGB", told.canvas, (255, 255, 255))
    white.paste(picture, told.offset)
    return white


def upright_by(picture: Image.Image, orientation: int) -> Image.Image:
    """Turned and mirrored as EXIF's orientation says."""
    method = _TURNS.get(orientation)
    return picture if method is None else picture.transpose(method)


def orientation_of(picture: Image.Image) -> int:
    """EXIF's orientation of a picture that Pillow has opened, 1 where it says none."""
    with contextlib.suppress(Exception):  # pixels may be fine where EXIF data is damaged
        found: int = picture.getexif().get(ExifTags.Base.Orientation, 1)
        return found
    return 1


def to_rgb(picture: Image.Image) -> Image.Image:
    """RGB from any mode of the allowed formats; may close the given picture, so that at most two copies exist."""
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I"):
        return Image.fromarray(_upper_byte(picture)).convert("RGB")
    if picture.mode == "F":
        return Image.fromarray(np.clip(np.asarray(picture), 0, 255).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        if picture.mode not in ("RGBA", "LA"):
            picture, original = picture.convert("RGBA"), picture
            original.close()  # frees its pixels; otherwise there would be three copies
        white = Image.new("RGB", picture.size, (255, 255, 255))
        white.paste(picture, mask=picture)
        return white
    return picture.convert("RGB")


def _upper_byte(picture: Image.Image) -> NDArray[np.uint8]:
    """16-bit grey as 8-bit: Pillow's own conversion clips everything over 255 to white."""
    levels = np.asarray(picture) >> 8
    if picture.mode == "I":  # 32 bits, with a sign
        np.clip(levels, 0, 255, out=levels)
    return levels.astype(np.uint8)
