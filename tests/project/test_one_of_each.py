"""One of each: one way of a picture, one schema of CSV, one form of records, one look-up; parsed, and counted."""

import ast
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import resnet18_lab
from resnet18_lab.base import paths
from resnet18_lab.benchmark.kept_records import ENVELOPE, Measuring, read_record
from resnet18_lab.benchmark.record import read

PACKAGE = Path(resnet18_lab.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def _where(found) -> set[str]:
    """Modules in which a node of the syntax tree is what is looked for."""
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if any(found(node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    }


def _calls(*names):
    def found(node):
        return isinstance(node, ast.Call) and ast.unparse(node.func) in names

    return found


def test_there_is_one_softmax():
    """The loop of the tutorials writes its own, as they do; a random box has an exponential in it."""
    assert _where(_calls("np.exp")) == {
        "inference/predictions.py", "benchmark/measure/folder_loops.py", "training/targets.py",
    }  # fmt: skip


def test_there_is_one_writer_of_csv_with_answers():
    """The others that write CSV: shards joined, the index of packed pictures, a model's class names and split."""
    assert _where(_calls("csv.DictWriter", "csv.writer")) == {
        "inference/csv_rows.py", "bulk/merge.py", "training/packing.py", "training/own_files.py",
    }  # fmt: skip


def test_there_is_one_crop_of_a_whole_picture():
    """`crop_box` is what a crop is made from; lessons that show other ways to do it are in the course."""
    assert _where(_calls("crop_box")) == {"preprocessing/transform.py"}
    assert {name for name in _where(_calls("transform.crop", "crop")) if not name.startswith("course/")} == {
        "preprocessing/prepare.py", "preprocessing/reference.py", "preprocessing/transform.py", "quantization/calibration.py",
    }  # fmt: skip


def test_there_is_one_reader_and_one_writer_of_records():
    readers = _where(lambda node: isinstance(node, ast.Attribute) and node.attr == "records_dir")
    assert readers - {"base/paths.py"} <= {"benchmark/kept_records.py"}
    assert _where(_calls("write_record")) <= {"benchmark/kept_records.py", "benchmark/record.py", "cli/distill_run.py"}


def test_there_is_one_choice_of_language():
    assert _where(lambda node: isinstance(node, ast.ClassDef) and node.name == "Language") == {"inference/labels.py"}


@pytest.mark.parametrize("number", [1000, 512, 11_689_512, 0.485, 0.229])
def test_a_number_of_the_network_is_stated_once(number):
    """Other things that happen to be as many are named here."""
    others = {
        1000: {"benchmark/statistics.py", "benchmark/results/roofline.py", "quantization/rounding.py",
               "service/settings.py", "service/forms.py", "service/log.py", "service/batcher.py",
               "service/classifier.py", "service/prometheus.py", "training/distillation.py", "bulk/answer_cache.py"},
        512: {"benchmark/configuration.py", "benchmark/measure/peak.py", "bulk/cluster.py", "bulk/pool.py"},
        0.485: {"benchmark/measure/folder_loops.py", "course/preprocessing/ways.py"},  # as tutorials write it
        0.229: {"benchmark/measure/folder_loops.py", "course/preprocessing/ways.py"},
    }  # fmt: skip
    stated = _where(
        lambda node: isinstance(node, ast.Constant) and node.value == number and type(node.value) is type(number)
    )
    assert stated - others.get(number, set()) == {"base/networks.py"}


def test_importing_a_figure_changes_nothing_of_matplotlib():
    code = (
        "import matplotlib; before = dict(matplotlib.rcParams)\n"
        "import resnet18_lab.course.classification.figures, resnet18_lab.benchmark.results.figures\n"
        "assert dict(matplotlib.rcParams) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_figure_marks_untrained_weights():
    from resnet18_lab.benchmark.style import UNTRAINED_MARK, chart, new_figure

    assert new_figure(4, 3, "untrained").get_suptitle() == UNTRAINED_MARK
    assert chart("t", "x", "y", "untrained")[0].get_suptitle() == UNTRAINED_MARK
    assert not chart("t", "x", "y", "compact")[0].get_suptitle()
    made = _where(
        lambda node: isinstance(node, ast.Call) and ast.unparse(node.func) in ("Figure", "plt.figure", "plt.subplots")
    )
    assert made == {"benchmark/style.py"}


def test_functions_stay_short():
    lengths = sorted(
        node.end_lineno - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[-1] <= 42
    assert statistics.quantiles(lengths, n=10)[-1] <= 18


def test_one_picture_takes_one_look_up_of_each(untrained_home):
    """`classify cat.jpg`: weights found once, manifest read once, the artifact's SHA-256 asked for once."""
    code = (
        "import json, sys\n"
        "from resnet18_lab.base import hashing\n"
        "from resnet18_lab.weights import find\n"
        "counts = dict.fromkeys(['find', 'manifest', 'sha256'], 0)\n"
        "def counting(name, function):\n"
        "    def counted(*given, **named):\n"
        "        counts[name] += 1\n"
        "        return function(*given, **named)\n"
        "    return counted\n"
        "find.find_weights = counting('find', find.find_weights)  # before others import it by name\n"
        "from resnet18_lab.inference import artifacts\n"
        "artifacts.read_manifest = counting('manifest', artifacts.read_manifest)\n"
        "hashing.sha256 = counting('sha256', hashing.sha256)\n"
        "from resnet18_lab.cli.main import main\n"
        "assert main() == 0\n"
        "print(json.dumps(counts), file=sys.stderr)\n"
    )
    from support.project import samples_dir

    command = [sys.executable, "-c", code, "classify", str(samples_dir() / "cat.jpg"), "--weights", "untrained"]
    import os

    environment = {**os.environ, "RESNET18_LAB_HOME": str(untrained_home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stderr.splitlines()[-1]) == {"find": 1, "manifest": 1, "sha256": 1}


def test_a_record_has_the_envelope_and_is_read_back(tmp_path):
    Measuring(profile="fast", rounds=3).write(tmp_path / "r.json", {"rows": [{"a": 1}, {"a": 2}], "b": 7})
    written = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert set(ENVELOPE) <= set(written)
    record = read_record(tmp_path / "r.json")
    assert record["b"] == 7
    assert record["rows"] == [{"a": 1}, {"a": 2}]
    assert record["parameters"] == {"rounds": 3}


def test_kept_records_of_older_forms_are_read():
    for path in sorted(paths.records_dir().glob("*.json")):
        assert read_record(path)["environment"]["cpu"], path.name
    assert read(paths.records_dir() / "benchmark.json").rows
