"""Everything that can be wrong with a picture: a stable code, and a message in English and Chinese."""

from typing import Any

from resnet18_lab.base.errors import ImageError
from resnet18_lab.preprocessing.formats import ALLOWED_TEXT

TEXTS: dict[str, tuple[str, str]] = {
    "file_not_found": ("There is no such file; check the path.", "文件不存在，请检查路径。"),
    "not_a_file": ("This is no regular file (a folder, pipe or device); give a picture.", "这不是普通文件（是文件夹、管道或设备），请提供图片。"),
    "permission_denied": ("The file may not be read; change its permissions.", "没有读取该文件的权限，请修改权限。"),
    "unreadable": ("The file cannot be read ({reason}).", "无法读取该文件（{reason}）。"),
    "empty_file": ("The file is empty; send the picture again.", "文件是空的，请重新提供图片。"),
    "file_too_large": ("The file has more than {limit} MB; send a smaller one.", "文件超过 {limit} MB，请提供更小的文件。"),
    "not_an_image": (f"This is no picture; send a {ALLOWED_TEXT} file.", "这不是图片，请提供 JPEG、PNG、WebP、GIF 或 BMP 文件。"),
    "unsupported_format": (f"{{format}} is not supported; send a {ALLOWED_TEXT} file.", "不支持 {format} 格式，请提供 JPEG、PNG、WebP、GIF 或 BMP 文件。"),
    "svg": (f"SVG is not a photograph; send {ALLOWED_TEXT}.", "SVG 不是照片，请提供 JPEG、PNG、WebP、GIF 或 BMP 文件。"),
    "image_truncated": ("The picture ends too early; the file is incomplete. Send it again.", "图片数据不完整（文件被截断），请重新提供。"),
    "image_corrupt": ("The picture's data are damaged; save or send it again.", "图片数据已损坏，请重新保存或提供。"),
    "too_many_pixels": ("The picture has more than {limit} megapixels{size}; make it smaller.", "图片超过 {limit} 百万像素{size}，请缩小后再试。"),
    "extreme_aspect_ratio": ("One side is more than {limit:g} times the other{size}; crop the picture.", "图片长宽比超过 {limit:g}:1{size}，请裁剪后再试。"),
    "image_too_small": ("A side has fewer than {limit} pixels{size}; send a larger picture.", "图片边长不足 {limit} 像素{size}，请提供更大的图片。"),
    "side_too_long": ("A side has more than {limit} pixels{size}; make the picture smaller.", "图片边长超过 {limit} 像素{size}，请缩小后再试。"),
    "out_of_memory": ("There is not enough memory to decode the picture; make it smaller.", "内存不足，无法解码图片，请缩小后再试。"),
    "image_too_costly": ("The picture would take too long to decode ({reason}); save it anew as an ordinary JPEG or PNG.", "解码该图片耗时过长（{reason}），请另存为普通的 JPEG 或 PNG 文件。"),
    "file_changed": ("The file changed while it was read; run it again when it is complete.", "读取时文件发生了变化，请在文件完整后重试。"),
    "worker_died": ("The process that ran this picture died, twice; look at the file with care.", "处理该图片的进程两次意外终止，请检查该文件。"),
    "internal_error": ("The picture could not be run ({reason}); please report this.", "无法处理该图片（{reason}），请报告此问题。"),
}  # fmt: skip
_CODE_OF_TEXT = {"svg": "unsupported_format", "side_too_long": "too_many_pixels"}

TRANSIENT = frozenset({"out_of_memory", "worker_died", "internal_error", "image_too_costly"})
"""Codes that do not depend on the picture's bytes alone: the same bytes may succeed another time."""


def codes() -> list[str]:
    """All codes, sorted."""
    return sorted({_CODE_OF_TEXT.get(name, name) for name in TEXTS})


def image_error(text: str, *, size: tuple[int, int] | None = None, **values: Any) -> ImageError:  # noqa: ANN401 - figures and names for the text
    """The error for a key of the table of texts, with the picture's size and other figures filled in."""
    english, chinese = TEXTS[text]
    figures = {"size": f" ({size[0]}×{size[1]})", **values} if size else {"size": "", **values}
    chinese_figures = {**figures, "size": f"（{size[0]}×{size[1]}）" if size else ""}
    return ImageError(_CODE_OF_TEXT.get(text, text), english.format(**figures), chinese.format(**chinese_figures))
