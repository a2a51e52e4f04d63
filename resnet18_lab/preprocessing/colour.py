"""Colours as sRGB shows them: profiles of cameras and printers are taken into account, at a bounded cost."""

import io
from functools import lru_cache

from PIL import Image, ImageCms

_SRGB_NAMES = ("srgb", "c2")


def in_srgb(picture: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture as RGB in sRGB; the picture itself for an sRGB profile; None when the profile cannot be used."""
    try:
        transform = _transform(profile, picture.mode)
        if transform is None:
            return picture
        return ImageCms.applyTransform(picture, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the profile to sRGB, made once for each profile; None when it is sRGB itself."""
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    name = ImageCms.getProfileDescription(opened).strip().lower()
    if name.startswith(_SRGB_NAMES) and mode == "RGB":
        return None
    return ImageCms.buildTransform(
        opened, ImageCms.createProfile("sRGB"), mode, "RGB", renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC
    )
