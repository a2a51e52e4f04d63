"""The crops that other networks see, beside those of torchvision's two steps."""

import numpy as np
import pytest
from support.project import samples_dir

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.networks import NETWORKS, RESNET18
from resnet18_lab.base.samples import load_samples
from resnet18_lab.inference.classify import outputs
from resnet18_lab.inference.engine import BaseEngine
from resnet18_lab.model.torchvision import torchvision
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.preprocessing.decoders import Decoders
from resnet18_lab.preprocessing.prepare import InProcess

CAT = samples_dir() / "cat.jpg"
LITE2 = NETWORKS["efficientnet-lite2"].preprocessing


@pytest.mark.parametrize("name", NETWORKS)
def test_a_crop_is_within_one_grey_level_of_resizing_and_then_cropping(name):
    steps, transforms = NETWORKS[name].preprocessing, torchvision.transforms
    mode = transforms.InterpolationMode[steps.interpolation.upper()]
    reference = transforms.Compose(
        [transforms.Resize(steps.resize, interpolation=mode, antialias=True), transforms.CenterCrop(steps.crop)]
    )
    for sample in load_samples():
        picture = decode(sample.path)
        expected = np.asarray(reference(picture)).astype(int)
        assert np.abs(transform.crop(picture, steps) - expected).max() <= 1, sample.path.name


def test_a_lite_sees_pixels_less_127_over_128():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    expected = (pixels.astype(np.float32).transpose(0, 3, 1, 2) - 127) / 128
    np.testing.assert_allclose(transform.normalise(pixels, LITE2), expected, atol=1e-6)


def test_a_decoding_process_makes_the_crop_of_its_network():
    with Decoders(preprocessing=LITE2) as there:
        crop = there.prepare(CAT.read_bytes()).crop
    assert crop.shape == (260, 260, 3)
    np.testing.assert_array_equal(crop, InProcess(preprocessing=LITE2).prepare(CAT.read_bytes()).crop)


def test_a_name_for_all_steps_tells_networks_apart():
    names = {transform.preprocess_id(None, network.preprocessing) for network in NETWORKS.values()}
    assert len(names) == 4  # the ResNets share one
    assert transform.preprocess_id() == "resize256-bilinear-antialias-crop224-v2"


def test_crops_for_another_network_are_refused():
    engine = BaseEngine()
    assert engine.network is RESNET18
    with pytest.raises(ParameterError, match="not made as ResNet-18 takes them"):
        outputs([("a", CAT)], engine, preparer=InProcess(preprocessing=LITE2))
