import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.project import samples_dir

from resnet18_lab.base.networks import RESNET18
from resnet18_lab.inference import evaluate
from resnet18_lab.model.torchvision import torchvision
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode

TRANSFORMS = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()


def torchvisions_crop(picture):
    functional = torchvision.transforms.functional
    resized = functional.resize(picture, TRANSFORMS.resize_size, interpolation=TRANSFORMS.interpolation, antialias=True)
    return np.asarray(functional.center_crop(resized, TRANSFORMS.crop_size))


def difference(picture):
    ours = transform.crop(picture)
    assert (ours.shape, ours.dtype) == ((224, 224, 3), np.uint8)
    return int(np.abs(ours.astype(int) - torchvisions_crop(picture).astype(int)).max())


def test_the_constants_are_torchvisions():
    assert tuple(TRANSFORMS.resize_size) == (RESNET18.preprocessing.resize,)
    assert tuple(TRANSFORMS.crop_size) == (RESNET18.crop,)
    assert tuple(TRANSFORMS.mean) == RESNET18.preprocessing.mean
    assert tuple(TRANSFORMS.std) == RESNET18.preprocessing.std


@pytest.mark.slow
def test_the_crop_is_within_one_grey_level_of_torchvision_on_every_labelled_photograph(labelled_images):
    worst = max(difference(decode(path)) for path, _ in evaluate.labelled_pictures(labelled_images))
    assert worst <= 1


def test_the_crop_is_within_one_grey_level_of_torchvision_on_the_samples():
    assert max(difference(decode(path)) for path in samples_dir().glob("*.*g")) <= 1


side = st.one_of(st.integers(8, 40), st.integers(200, 280), st.integers(8, 1500))


@settings(max_examples=120, derandomize=True, deadline=None)
@given(side, side, st.integers(0, 2**32 - 1))
def test_the_crop_is_within_one_grey_level_of_torchvision_for_any_size_and_shape(width, height, seed):
    short, long = sorted((width, height))
    if long > 20 * short:
        long = 20 * short
        width, height = (short, long) if width < height else (long, short)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert difference(Image.fromarray(pixels)) <= 1


@given(st.integers(8, 12_000), st.integers(8, 12_000))
def test_the_box_lies_inside_the_picture(width, height):
    left, top, right, bottom = transform.crop_box(width, height)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_normalised_values_are_torchvisions():
    picture = decode(samples_dir() / "coffee.jpg")
    crop = torchvisions_crop(picture)
    batch = transform.normalise(crop)
    assert (batch.shape, batch.dtype) == ((1, 3, 224, 224), np.float32)
    assert batch.flags.c_contiguous
    np.testing.assert_allclose(batch[0], TRANSFORMS(picture).numpy(), atol=1e-6)


def test_a_batch_is_normalised_like_its_pictures_alone():
    crops = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    batch = transform.normalise(crops)
    for number in range(3):
        np.testing.assert_array_equal(batch[number], transform.normalise(crops[number])[0])


@pytest.mark.parametrize(
    ("size", "warnings"), [((224, 224), []), ((223, 500), ["upscaled"]), ((500, 100), ["upscaled"])]
)
def test_a_small_picture_is_warned_of(size, warnings):
    assert transform.warnings_for(size) == warnings


def test_draft_is_part_of_the_preprocess_id():
    assert transform.preprocess_id() != transform.preprocess_id(256)
    assert "256" in transform.preprocess_id(256)


def test_an_extreme_picture_needs_no_large_resize():
    picture = Image.new("RGB", (400, 8000), "red")
    assert transform.crop(picture).shape == (224, 224, 3)
    assert torch.from_numpy(transform.preprocess(picture)).shape == (1, 3, 224, 224)
