"""Recognise a file's format by its first bytes, only to explain a refusal, never to decode it."""

ALLOWED = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""Formats that are decoded, by Pillow's names; all others are refused."""

ALLOWED_TEXT = "JPEG, PNG, WebP, GIF or BMP"
_HEAD = 1024
_TAR_MAGIC_AT = 257

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"II*\x00\x10\x00\x00\x00CR", "Camera raw (CR2)"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"8BPS", "PSD"),
    (b"SIMPLE  =", "FITS"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"qoif", "QOI"),
    (b"\x00\x00\x02\x00", "CUR"),
    (b"icns", "ICNS"),
    (b"DDS ", "DDS"),
    *((b"P%d" % number + space, "PPM") for number in range(1, 7) for space in (b"\n", b" ", b"\r\n")),
    (b"FUJIFILMCCD-RAW", "Camera raw (RAF)"),
    (b"IIU\x00", "Camera raw (RW2)"),
    (b"IIRO", "Camera raw (ORF)"),
    (b"IIRS", "Camera raw (ORF)"),
    (b"MMOR", "Camera raw (ORF)"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "Camera raw (CRW)"),
)
_BRANDS = {
    b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"heim": "HEIC",
    b"heis": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC",
}  # fmt: skip


def unsupported_format(data: bytes) -> str | None:
    """Name of the recognised format that is not allowed; None when no such format is recognised."""
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data[4:8] == b"ftyp":
        return _brand(data)
    if data[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar":
        return "tar"
    head = data[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in head):
        return "SVG"
    return None


def _brand(data: bytes) -> str:
    """The name of a file of boxes (ISO media) by its brands, the major one and those it is compatible with."""
    if data[8:12] == b"crx ":
        return "Camera raw (CR3)"
    length = min(int.from_bytes(data[:4], "big"), _HEAD)
    brands = [data[8:12], *(data[place : place + 4] for place in range(16, length, 4))]
    names = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    return "AVIF" if "AVIF" in names else names[0] if names else "MP4"


def webp_is_cut_off(data: bytes) -> bool:
    """True when a WebP file is shorter than its own header states."""
    return len(data) < int.from_bytes(data[4:8], "little") + 8
