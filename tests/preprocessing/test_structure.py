"""What is read on the bytes before the library: costs are bounded, and pixels are those that browsers show."""

import io
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps
from support import pictures
from support.dear_pictures import scans, segment
from support.pictures import png_chunk
from support.true_pixels import exchanged_profile, png

from resnet18_lab.base.errors import ImageError
from resnet18_lab.base.samples import load_samples
from resnet18_lab.inference.classify import prepare
from resnet18_lab.preprocessing.decode import decode, structure_of
from resnet18_lab.preprocessing.structure import orientation_in


def jpeg(side=64, **options):
    return pictures.encode(pictures.scene(side, side), "JPEG", **options)


GREY = [b"\x80" * 32] * 32
PLAIN = np.asarray(decode(png(8, 0, GREY)))


def test_ordinary_scans_decode_and_thousands_are_refused_at_once():
    assert decode(scans(12)).size == (64, 64)
    began = time.process_time()
    with pytest.raises(ImageError) as caught:
        decode(scans(20_000))
    assert caught.value.code == "image_too_costly"
    assert time.process_time() - began < 0.5


def test_few_scans_of_many_pixels_are_refused_too():
    with pytest.raises(ImageError) as caught:
        decode(scans(100, side=7000))
    assert caught.value.code == "image_too_costly"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: jpeg()[:2] + segment(0xE1, b"Exif\0\0" + b"\0" * 60000) * 200 + jpeg()[2:], id="EXIF in parts"),
        pytest.param(lambda: jpeg()[:2] + segment(0xE2, b"ICC_PROFILE\0\1\1" + b"\0" * 60000) * 200 + jpeg()[2:], id="profiles"),
        pytest.param(lambda: png(8, 0, GREY, png_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"\0" * 1_000_000)) * 2000), id="PNG profiles"),
        pytest.param(lambda: png(8, 0, GREY, png_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 5_000_000))), id="text bomb"),
        pytest.param(lambda: jpeg()[:2] + segment(0xFE, b"words" * 1000) * 2000 + jpeg()[2:], id="comments"),
    ],
)  # fmt: skip
def test_metadata_costs_next_to_nothing(data):
    made = data()
    began = time.process_time()
    decode(made)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("make", [lambda: jpeg()[:2] + segment(0xDD, b"\0\0") * 60_000 + jpeg()[2:],
                                  lambda: png(8, 0, GREY, png_chunk(b"tEXt", b"") * 60_000)])  # fmt: skip
def test_too_many_parts_are_refused(make):
    with pytest.raises(ImageError) as caught:
        decode(make())
    assert caught.value.code == "image_too_costly"


def test_a_gif_that_would_fill_a_plane_is_refused_by_its_head():
    wide = struct.pack("<HH", 16000, 11000)
    data = (
        b"GIF89a" + wide + bytes([0x80, 0, 0]) + b"\0\0\0\xff\xff\xff" + b"!\xf9\x04" + bytes([2 << 2]) + b"\0\0\0\0,"
    )
    with pytest.raises(ImageError) as caught:
        decode(data + struct.pack("<HH", 0, 0) + wide + b"\0\x02\x02\x44\x01\0;")
    assert caught.value.code == "too_many_pixels"


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_white_at_every_depth(bits):
    middle = {1: 1, 2: 1, 4: 5, 8: 85, 16: 21845}[bits]
    per_byte = max(1, 8 // bits)
    packed = sum(middle << (bits * place) for place in range(per_byte))
    row = struct.pack(">H", middle) * 32 if bits == 16 else bytes([packed]) * (32 // per_byte)
    plain, keyed = (
        decode(png(bits, 0, [row] * 32, extra)) for extra in (b"", png_chunk(b"tRNS", struct.pack(">H", middle)))
    )
    assert np.asarray(keyed).min() == 255
    assert (np.asarray(plain).max() < 255) == (bits > 1)


def test_a_transparent_colour_of_48_bits_is_compared_in_all_of_them():
    row = struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC) * 16 + struct.pack(">HHH", 0x1235, 0x5678, 0x9ABC) * 16
    pixels = np.asarray(decode(png(16, 2, [row] * 32, png_chunk(b"tRNS", struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC)))))
    assert (pixels[:, :16] == 255).all()
    assert (pixels[:, 16:] == (0x12, 0x56, 0x9A)).all()


@pytest.mark.parametrize(
    "extra",
    [
        png_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"profile"), wrong=1), png_chunk(b"iCCP", b"a\0\7" + b"data"),
        png_chunk(b"tEXt", b"a\0b", wrong=1), png_chunk(b"pHYs", b"\0\0"), png_chunk(b"eXIf", b"garbled"),
    ],
    ids=["profile, wrong sum", "profile, wrong method", "text, wrong sum", "short density", "garbled EXIF"],
)  # fmt: skip
def test_damage_that_pixels_do_not_need_is_passed_over(extra):
    np.testing.assert_array_equal(np.asarray(decode(png(8, 0, GREY, extra))), PLAIN)


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT"])
def test_damage_of_what_pixels_need_is_said_to_be_damage(kind):
    data = bytearray(png(8, 0, GREY))
    place = data.index(kind) + 4
    data[place + 1] ^= 1
    with pytest.raises(ImageError) as caught:
        decode(bytes(data))
    assert caught.value.code == "image_corrupt"


def test_an_orientation_in_xmp_alone_turns_nothing():
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:tiff='t'><a tiff:Orientation='6'/></x:xmpmeta>"
    data = pictures.encode(pictures.scene(80, 40), "JPEG")
    assert decode(data[:2] + segment(0xE1, xmp) + data[2:]).size == (80, 40)


@pytest.mark.parametrize("exif", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"XX*\0\x08\0\0\0", b"II*\0\x08\0\0\0\xff\xff"])
def test_garbled_exif_says_nothing(exif):
    assert orientation_in(exif) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_profile_that_is_not_srgb_is_taken_into_account(kind):
    red = Image.new("RGB", (64, 64), (200, 30, 30))
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    pixel = decode(pictures.encode(red, kind, icc_profile=exchanged_profile(), **options)).getpixel((32, 32))
    assert pixel[2] > 150 > pixel[0]


def test_an_srgb_profile_changes_nothing():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    scene = pictures.scene(64, 64)
    with_profile, without = (decode(pictures.encode(scene, "PNG", **more)) for more in ({"icc_profile": srgb}, {}))
    np.testing.assert_array_equal(np.asarray(with_profile), np.asarray(without))


def test_a_broken_profile_is_ignored_and_said():
    data = pictures.encode(pictures.scene(300, 300), "PNG", icc_profile=b"no profile at all")
    assert prepare(data).warnings == ("profile_ignored",)


def test_a_small_frame_lies_on_a_white_canvas():
    frame = Image.new("P", (10, 8), 0)
    frame.putpalette([200, 10, 10] * 256)
    out = io.BytesIO()
    frame.save(out, "GIF")
    data = bytearray(out.getvalue())
    data[6:10] = struct.pack("<HH", 40, 30)
    descriptor = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    data[descriptor + 1 : descriptor + 5] = struct.pack("<HH", 20, 10)
    pixels = np.asarray(decode(bytes(data)))
    assert pixels.shape == (30, 40, 3)
    assert tuple(pixels[0, 0]) == (255, 255, 255)
    assert tuple(pixels[12, 22]) == (200, 10, 10)


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"P6\n2 2\n255\n", "PPM"), (b"icns", "ICNS"), (b"DDS ", "DDS"), (b"\0\0\2\0", "CUR"),
     (b"II*\0\x10\0\0\0CR\2\0", "CR2"), (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF"),
     (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC")],
)  # fmt: skip
def test_what_is_not_taken_is_named_for_what_it_is(head, name):
    with pytest.raises(ImageError) as caught:
        decode(head + b"\0" * 100)
    assert name in caught.value.message


@pytest.mark.parametrize(
    ("bits", "compression", "said"), [(32, 3, "bit fields"), (2, 0, "bits a pixel"), (24, 4, "compression")]
)
def test_bmps_that_are_not_taken_are_named(bits, compression, said):
    head = struct.pack("<IiiHHIIiiII", 40, 32, 32, 1, bits, compression, 4096, 0, 0, 0, 0)
    data = b"BM" + struct.pack("<IHHI", 54 + 4096, 0, 0, 54) + head + b"\1" * 4096
    with pytest.raises(ImageError, match=f"BMP with .*{said}") as caught:
        decode(data)
    assert caught.value.code == "unsupported_format"


def test_a_bmp_of_run_lengths_that_ends_too_early_is_truncated():
    with pytest.raises(ImageError) as caught:
        decode(pictures.bmp_runs(16, 12, b"\5\7\0\0" * 3))
    assert caught.value.code == "image_truncated"


def test_runs_that_set_no_pixel_are_counted():
    began = time.process_time()
    with pytest.raises(ImageError) as caught:
        decode(pictures.bmp_runs(16, 12, b"\1\7" * 2_000_000))
    assert caught.value.code == "image_corrupt"
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("bits", [4, 8])
def test_run_lengths_give_the_pixels_of_the_library_where_nothing_is_skipped(bits):
    source, rows = np.random.default_rng(0), b""
    for _ in range(12):
        row = source.integers(0, 1 << bits, 16)
        if bits == 8:
            rows += b"".join(b"\2" + bytes([value, 2, value]) for value in row[:4]) + b"\0\0"
        else:
            rows += b"".join(b"\5" + bytes([value << 4 | 3]) for value in row[:2]) + b"\6\x21\0\0"
    data = pictures.bmp_runs(16, 12, rows + b"\0\1", bits)
    with Image.open(io.BytesIO(data)) as theirs:
        np.testing.assert_array_equal(np.asarray(theirs.convert("RGB")), np.asarray(decode(data)))


@pytest.mark.parametrize(("marker", "precision", "name"), [(0xC1, 12, "12-bit JPEG"), (0xC3, 8, "Lossless JPEG")])
def test_jpegs_that_no_browser_shows_are_named(marker, precision, name):
    data = bytearray(jpeg())
    frame = data.index(b"\xff\xc0")
    data[frame + 1], data[frame + 4] = marker, precision
    with pytest.raises(ImageError, match=name):
        decode(bytes(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_the_bytes_that_the_library_gets_give_the_same_pixels(kind):
    data = pictures.encode(pictures.scene(90, 60), kind)
    with Image.open(io.BytesIO(data)) as whole, Image.open(io.BytesIO(structure_of(data).data)) as reduced:
        np.testing.assert_array_equal(np.asarray(whole.convert("RGB")), np.asarray(reduced.convert("RGB")))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads its memory from /proc")
def test_errors_that_are_kept_keep_no_picture():
    cut = pictures.encode(pictures.scene(3000, 3000), "PNG")[:-2000]
    code = (
        "import sys; from pathlib import Path; from resnet18_lab.base.errors import ImageError\n"
        "from resnet18_lab.inference.classify import outputs; from resnet18_lab.inference.engine import BaseEngine\n"
        "from resnet18_lab.preprocessing.decode import decode\n"
        "from resnet18_lab.base import proc; data, kept = sys.stdin.buffer.read(), []\n"
        "def refused():\n    try: decode(data)\n    except ImageError as error: kept.append(error)\n"
        "refused(); before = proc.rss('self/status')\n"
        "for _ in range(12): refused()\n"
        "kept += [one.error for one in outputs([('a', data)] * 12, BaseEngine())]\n"
        "assert {error.code for error in kept} == {'image_truncated'}; print(proc.rss('self/status') - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=cut, capture_output=True, check=True)
    assert int(done.stdout) < 60e6  # one of them takes 36 MB, all together would take 800


@pytest.mark.parametrize("sample", load_samples(), ids=lambda sample: sample.path.name)
def test_pixels_of_pictures_without_a_profile_are_the_librarys(sample):
    with Image.open(sample.path) as picture:
        if "icc_profile" in picture.info:
            pytest.skip("it has a profile")
        theirs = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    np.testing.assert_array_equal(np.asarray(decode(sample.path)), theirs)
