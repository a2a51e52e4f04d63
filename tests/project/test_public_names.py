"""What `import resnet18_lab` gives: README's ten lines, names that load nothing before they are used."""

import io
import shutil
import subprocess
import sys

import pytest
from PIL import Image
from support.built_homes import built_home
from support.project import ROOT, samples_dir, ten_lines

import resnet18_lab as lab
from resnet18_lab.base.errors import ImageError, LabError

NAMES = {
    "classify", "stream", "evaluate", "open_engine", "preprocess", "labels", "samples", "load_model", "build",
    "fetch_weights", "Result", "LabError",
}  # fmt: skip
CAT = samples_dir() / "cat.jpg"


@pytest.fixture(scope="module")
def int8_home(trained_or_untrained, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESNET18_LAB_WEIGHTS", "untrained") if trained_or_untrained.name == "untrained" else None
        yield built_home(tmp_path_factory, trained_or_untrained, "onnx-fp32", "onnx-int8-static")


@pytest.mark.slow
def test_the_ten_lines_of_readme_run_as_they_stand(int8_home, tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(int8_home))
    shutil.copy(CAT, tmp_path / "cat.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"words")
    done = subprocess.run(
        [sys.executable, "-c", ten_lines()], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Prediction(rank=1")
    assert len(lines) == 1 + len(lab.samples()) + 2
    assert lines[-1] == "broken.jpg not_an_image"


def test_all_names_are_there_with_docstrings_and_shown_by_dir():
    assert set(lab.__all__) - {"__version__"} == NAMES
    assert set(dir(lab)) >= NAMES
    for name in NAMES:
        assert len(getattr(lab, name).__doc__) > 20, name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'clasify'"):
        lab.clasify  # noqa: B018 - the look-up is what is tested


def test_the_stub_names_what_the_package_gives():
    stub = (ROOT / "resnet18_lab" / "__init__.pyi").read_text(encoding="utf-8")
    for name, (module, there) in lab._PUBLIC.items():
        assert f"from resnet18_lab.{module} import {there} as {name}\n" in stub


def test_importing_the_package_loads_neither_numpy_nor_torch():
    code = "import sys; before = set(sys.modules); import resnet18_lab; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "['resnet18_lab']"


@pytest.mark.parametrize(
    "source",
    [
        str(CAT),
        CAT,
        CAT.read_bytes(),
        io.BytesIO(CAT.read_bytes()),
        Image.open(CAT),
    ],
    ids=["text", "path", "bytes", "binary file", "Pillow picture"],
)
@pytest.mark.slow
def test_classify_takes_a_picture_in_any_form(source, int8_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(int8_home))
    with lab.open_engine("onnxruntime-int8", threads=1) as engine:
        expected = lab.classify(CAT, engine)
        result = lab.classify(source, engine)
    assert result.predictions == expected.predictions
    assert result.engine.backend == "onnxruntime-int8"


@pytest.mark.slow
def test_a_pillow_picture_stays_as_it_was(int8_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(int8_home))
    with Image.open(CAT) as picture:
        turned = picture.convert("RGBA")
        turned.getexif()[0x0112] = 6
        lab.classify(turned, threads=1)
        assert turned.mode == "RGBA"
        assert turned.size == picture.size


@pytest.mark.parametrize("source", [b"", b"no picture", "missing.jpg", io.BytesIO(b"x"), Image.new("RGB", (2, 2))])
@pytest.mark.slow
def test_what_is_no_picture_is_a_lab_error_with_a_code(source, int8_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(int8_home))
    with pytest.raises(LabError) as caught:
        lab.classify(source)
    assert isinstance(caught.value, ImageError)
    assert caught.value.code


@pytest.mark.slow
def test_evaluate_counts_on_a_folder(int8_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(int8_home))
    int8, fp32 = lab.evaluate(samples_dir(), ["onnxruntime-int8", "onnxruntime-fp32"])
    assert int8.top1.of == sum(bool(sample.acceptable) for sample in lab.samples())
    assert fp32.top1.of == int8.top1.of
    assert fp32.paired is not None
