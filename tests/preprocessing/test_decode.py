import io
import os
import random
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support import pictures
from support.project import ROOT, samples_dir

from resnet18_lab.base.errors import ImageError
from resnet18_lab.preprocessing.decode import decode, file_size
from resnet18_lab.preprocessing.refusals import codes, image_error
from resnet18_lab.preprocessing.source import DEFAULT_LIMITS, Limits

REJECTED = pictures.rejected()
CASES = int(os.environ.get("RESNET18_LAB_FUZZ_CASES", "500"))


def near(one: Image.Image, other: Image.Image, *, within: float = 6.0) -> bool:
    difference = np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float))
    return one.size == other.size and difference.mean() <= within


@pytest.mark.parametrize("row", REJECTED)
def test_a_bad_input_gets_its_code_and_a_message_in_two_languages(row):
    data, code = REJECTED[row]
    with pytest.raises(ImageError) as caught:
        decode(data)
    assert caught.value.code == code, caught.value.__cause__
    assert caught.value.message.isascii() or "×" in caught.value.message
    assert any("\u4e00" <= character <= "\u9fff" for character in caught.value.message_zh)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("words", ["SVG is not a photograph", "JPEG, PNG, WebP, GIF or BMP"])
def test_an_svg_is_told_what_to_send(words):
    with pytest.raises(ImageError, match=words):
        decode(pictures.SVG)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_an_allowed_format_gives_an_rgb_picture(kind):
    picture = decode(pictures.encode(pictures.scene(), kind))
    assert (picture.mode, picture.size) == ("RGB", (160, 120))
    assert near(picture, pictures.scene(), within=12)
    assert picture.info == {}


@pytest.mark.parametrize(("kind", "name"), [("GIF", "a.png"), ("PNG", "a.jpg"), ("JPEG", "a.txt")])
def test_content_wins_over_the_extension(kind, name, tmp_path):  # rows 11, 12
    (tmp_path / name).write_bytes(pictures.encode(pictures.scene(), kind))
    assert decode(tmp_path / name).size == (160, 120)


def test_garbage_in_the_middle_of_a_jpeg_scan_decodes():  # row 17
    data = bytearray(pictures.jpeg())
    data[len(data) // 2 : len(data) // 2 + 8] = b"\x12\x34\x56\x78" * 2
    assert decode(bytes(data)).size == (160, 120)


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_pictures_get_three_channels(mode):  # row 27
    picture = decode(pictures.encode(pictures.scene().convert("L").convert(mode), "PNG"))
    assert picture.mode == "RGB"
    assert np.ptp(np.asarray(picture), axis=2).max() == 0


def test_sixteen_bit_grey_does_not_become_white():  # row 28
    grey = Image.fromarray(np.full((40, 40), 40_000, dtype=np.uint16))
    assert np.asarray(decode(pictures.encode(grey, "PNG"))).mean() == pytest.approx(40_000 // 256, abs=1)


def test_sixteen_bit_grey_keeps_its_upper_byte():
    levels = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    decoded = np.asarray(decode(pictures.encode(Image.fromarray(levels), "PNG")))
    assert (decoded == (levels >> 8).astype(np.uint8)[:, :, None]).all()


def test_forty_eight_bit_colour_decodes():  # row 29
    pixel = b"\x80\x00\x40\x00\x20\x00"
    data = b"".join(b"\0" + pixel * 16 for _ in range(16))
    picture = decode(pictures.png_header(16, 16, data=zlib.compress(data), bits=16))
    assert picture.getpixel((3, 3)) == (0x80, 0x40, 0x20)


@pytest.mark.filterwarnings("error")
def test_a_palette_with_transparency_leaks_no_warning():  # row 31
    palette = pictures.scene().quantize(16)
    data = pictures.encode(palette, "PNG", transparency=bytes(range(0, 160, 10)))
    assert decode(data).mode == "RGB"


def test_transparent_pixels_are_white_whatever_colour_they_hide():  # row 32
    hidden = pictures.scene().convert("RGBA")
    hidden.putalpha(0)
    assert np.asarray(decode(pictures.encode(hidden, "PNG"))).min() == 255


def test_every_colour_and_transparency_is_mixed_as_alpha_compositing_does():
    value, alpha = (plane.astype(np.uint8) for plane in np.meshgrid(np.arange(256), np.arange(256)))
    picture = Image.fromarray(np.stack([value, 255 - value, value * 7, alpha], axis=2))
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    expected = Image.alpha_composite(white, picture).convert("RGB")
    assert (np.asarray(decode(pictures.encode(picture, "PNG"))) == np.asarray(expected)).all()


@pytest.mark.parametrize("mode", ["LA", "P"])
def test_other_modes_with_transparency_are_mixed_with_white_too(mode):
    grey = pictures.scene().convert("LA") if mode == "LA" else pictures.scene().quantize(16)
    if mode == "LA":
        grey.putalpha(Image.linear_gradient("L").resize(grey.size))
    data = pictures.encode(grey, "PNG", **({"transparency": bytes(range(0, 160, 10))} if mode == "P" else {}))
    with Image.open(io.BytesIO(data)) as picture:
        whole = picture.convert("RGBA")
    expected = Image.alpha_composite(Image.new("RGBA", whole.size, (255, 255, 255, 255)), whole).convert("RGB")
    assert (np.asarray(decode(data)) == np.asarray(expected)).all()


def test_half_transparent_pixels_are_mixed_with_white():
    picture = Image.new("RGBA", (20, 20), (0, 0, 0, 128))
    assert np.asarray(decode(pictures.encode(picture, "PNG"))).mean() == pytest.approx(127, abs=1)


@pytest.mark.parametrize("marker", [True, False])
def test_cmyk_colours_are_near_the_original(marker):  # row 33
    assert near(decode(pictures.cmyk_jpeg(marker=marker)), pictures.scene(), within=8)


@pytest.mark.parametrize(("data", "kind"), [(pictures.psd(), "PSD"), (pictures.fits(), "FITS")])
def test_the_files_made_by_hand_are_ones_that_pillow_would_open(data, kind):  # row 10
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert (picture.format, picture.size) == (kind, (160, 120))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_orientations_come_out_upright(kind, orientation):  # rows 34, 36
    assert near(decode(pictures.with_orientation(orientation, kind)), pictures.scene(), within=10)


@pytest.mark.parametrize("orientation", [0, 9, 99])
def test_an_impossible_orientation_is_ignored(orientation):  # row 35
    assert near(decode(pictures.with_orientation(orientation)), pictures.scene(), within=10)


def test_a_garbled_exif_block_is_ignored():  # row 35
    assert decode(pictures.jpeg(exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")).size == (160, 120)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_taken_and_said(kind):  # row 37
    picture = decode(pictures.animation(kind))
    assert picture.info == {"animated": True}
    assert near(picture, pictures.scene(), within=12)


def test_a_gif_of_300_frames_is_decoded_once():  # row 37
    assert decode(pictures.animation("GIF", 300)).info == {"animated": True}


def test_a_multi_picture_jpeg_is_a_jpeg():  # row 38
    data = pictures.encode(pictures.scene(), "MPO", save_all=True, append_images=[pictures.scene()])
    assert near(decode(data), pictures.scene())


def test_an_appended_archive_is_not_looked_at():  # row 39
    assert near(decode(pictures.jpeg() + pictures.archive("zip")), pictures.scene())


def test_bytes_path_text_and_file_give_the_same(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(pictures.jpeg())
    with path.open("rb") as file:
        results = [
            decode(pictures.jpeg()),
            decode(path),
            decode(str(path)),
            decode(file),
            decode(io.BytesIO(pictures.jpeg())),
        ]
    assert len({picture.tobytes() for picture in results}) == 1


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_bytes=100), "file_too_large"),
        (Limits(max_pixels=100, max_ratio=1.1, min_side=500, max_side=100), "too_many_pixels"),
        (Limits(max_ratio=1.1, min_side=500, max_side=100), "extreme_aspect_ratio"),
        (Limits(min_side=500, max_side=100), "image_too_small"),
        (Limits(max_side=100), "too_many_pixels"),
    ],
)
def test_limits_are_checked_in_their_order(limits, code):
    with pytest.raises(ImageError) as caught:
        decode(pictures.jpeg(), limits=limits)
    assert caught.value.code == code


def test_a_missing_file_a_folder_and_a_device_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, code in [
        (tmp_path / "no.jpg", "file_not_found"),
        (tmp_path, "not_a_file"),
        (tmp_path / "pipe", "not_a_file"),
        (Path("/dev/zero"), "not_a_file"),
    ]:
        with pytest.raises(ImageError) as caught:
            decode(path)
        assert caught.value.code == code


def test_a_name_with_a_zero_byte_is_an_error_of_ours():
    with pytest.raises(ImageError) as caught:
        decode("a\0b.jpg")
    assert caught.value.code == "unreadable"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to read the peak memory")
@pytest.mark.parametrize("row", ["20 flat PNG 9000x9000", "24 PNG 1x30000", "18 PNG header 50000x50000"])
def test_memory_stays_flat_when_a_bomb_is_refused(row, tmp_path):
    (tmp_path / "bomb").write_bytes(REJECTED[row][0])
    assert peak_of_decoding(tmp_path / "bomb") < 20e6


def peak_of_decoding(path: Path) -> int:
    """Bytes by which the peak of a fresh process grows when it decodes the file, or refuses it."""
    code = (
        "import contextlib, re, sys; from resnet18_lab.preprocessing import decode as images; from resnet18_lab.base.errors import ImageError\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) * 1024\n"
        "images.decode('data/samples/cat.jpg'); before = peak()\n"
        "with contextlib.suppress(ImageError): images.decode(sys.argv[1])\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_draft_is_off_by_default_and_keeps_enough_pixels():
    data = pictures.encode(pictures.scene(2000, 1400), "JPEG")
    assert decode(data).size == (2000, 1400)
    drafted = decode(data, draft_for=256)
    assert 256 <= min(drafted.size) < 1400


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_draft_tells_the_size_of_the_file(orientation):
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = orientation
    drafted = decode(pictures.encode(pictures.scene(2000, 1401), "JPEG", exif=exif), draft_for=256)
    assert file_size(drafted) == ((1401, 2000) if orientation > 4 else (2000, 1401))
    assert file_size(decode(pictures.jpeg())) == (160, 120)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to read the peak memory")
@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16", "P", "RGB"])
def test_a_large_picture_needs_at_most_eight_bytes_a_pixel(mode, tmp_path):
    side = 4000
    if mode == "I;16":
        picture = Image.fromarray(np.full((side, side), 40_000, np.uint16))
    else:
        picture = Image.new(mode, (side, side), 100)
    transparency = {"P": {"transparency": 1}, "RGB": {"transparency": (1, 2, 3)}}
    (tmp_path / "large.png").write_bytes(pictures.encode(picture, "PNG", **transparency.get(mode, {})))
    assert peak_of_decoding(tmp_path / "large.png") < 8.7 * side * side + 10e6


@pytest.mark.parametrize("size", [(511, 2000), (300, 300)])
def test_draft_is_not_used_under_twice_the_size(size):
    data = pictures.encode(pictures.scene(*size), "JPEG")
    assert decode(data, draft_for=256).size == size


def test_threads_decode_alike():
    data = pictures.animation("GIF")
    with ThreadPoolExecutor(8) as pool:
        assert len({picture.tobytes() for picture in pool.map(decode, [data] * 40)}) == 1


def test_errors_travel_between_processes():
    import pickle

    error = pickle.loads(pickle.dumps(image_error("empty_file")))
    assert (error.code, error.message_zh) == ("empty_file", image_error("empty_file").message_zh)


@settings(max_examples=min(CASES, 500) // 4, derandomize=True, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x40\0\0\0WEBPVP8 ", b"BM"]),
)
def test_random_bytes_raise_nothing_but_our_error(data, start):
    try:
        decode(start + data)
    except ImageError as error:
        assert error.code in codes()


def damaged(whole: bytes, random_source: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(random_source.randint(1, 6)):
        at = random_source.randrange(len(data))
        kind = random_source.randrange(4)
        if kind == 0:
            data[at] = random_source.randrange(256)
        elif kind == 1:
            del data[at : at + random_source.randint(1, 40)]
        elif kind == 2:
            data[at:at] = random_source.randbytes(random_source.randint(1, 40))
        else:
            data[at : at + 4] = random_source.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
        if not data:
            return b""
    return bytes(data)


def test_random_damage_raises_nothing_but_our_error_and_needs_no_more_memory_than_the_limits_allow():
    from resource import RUSAGE_SELF, getrusage

    wholes = [pictures.encode(pictures.scene(), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP")]
    wholes += [
        pictures.animation("GIF"),
        pictures.animation("WEBP"),
        pictures.with_orientation(6),
        pictures.text_bomb_png(),
    ]
    source = random.Random(0)
    limits = Limits(max_pixels=1_000_000)
    before = getrusage(RUSAGE_SELF).ru_maxrss
    for number in range(CASES):
        data = damaged(wholes[number % len(wholes)], source)
        try:
            picture = decode(data, limits=limits)
            assert picture.width * picture.height <= limits.max_pixels
        except ImageError as error:
            assert error.code in codes()
    # a picture of max_pixels needs 4 bytes a pixel a few times over, and buffers of the decoders
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_samples_decode_upright():
    assert decode(samples_dir() / "coffee_portrait.jpg").size == (300, 400)
    assert DEFAULT_LIMITS.max_bytes == 20_000_000
