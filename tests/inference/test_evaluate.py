import json
import shutil

import pytest
from support.project import run_cli, samples_dir, weights_or_skip

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.inference import evaluate
from resnet18_lab.inference.registry import open_engine


@pytest.fixture
def folder(tmp_path):
    """Two espressos in a sub-folder, one cat in another, a bad file, and a folder that is no class."""
    for wnid, names in {
        "n07920052": ["coffee.jpg", "coffee_portrait.jpg"],
        "n02123045": ["cat.jpg"],
        "other": ["coins.jpg"],
    }.items():
        (tmp_path / wnid).mkdir()
        for name in names:
            shutil.copy(samples_dir() / name, tmp_path / wnid)
    (tmp_path / "n02123045" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return tmp_path


def test_sub_folders_named_by_wnid_are_labels(folder):
    pictures = evaluate.labelled_pictures(folder)
    assert [(path.name, right) for path, right in pictures] == [
        ("broken.jpg", (281,)),
        ("cat.jpg", (281,)),
        ("coffee.jpg", (967,)),
        ("coffee_portrait.jpg", (967,)),
    ]


def test_a_table_may_accept_several_classes_and_leaves_out_pictures_of_none():
    pictures = {path.name: right for path, right in evaluate.labelled_pictures(samples_dir())}
    assert pictures["cat.jpg"] == (281, 282, 285)
    assert "astronaut.jpg" not in pictures


@pytest.mark.parametrize("content", ["name,class\na.jpg,3\n", "file\na.jpg\n"])
def test_a_table_of_another_form_is_refused(content, tmp_path):
    (tmp_path / "labels.csv").write_text(content, encoding="utf-8")
    with pytest.raises(ParameterError, match="columns file and acceptable"):
        evaluate.labelled_pictures(tmp_path)


def test_a_folder_without_labels_says_what_is_wanted(tmp_path):
    with pytest.raises(ParameterError, match="wnid"):
        evaluate.labelled_pictures(tmp_path)
    with pytest.raises(ParameterError, match="no folder"):
        evaluate.labelled_pictures(tmp_path / "missing")


def test_a_bad_file_is_counted_and_not_fatal(folder):
    with open_engine("eager", weights="untrained") as engine:
        (found,), unreadable = evaluate.on_pictures([engine], evaluate.labelled_pictures(folder))
    assert unreadable == 1
    assert found.top1.of == 3
    assert found.paired is None


def test_only_bad_files_are_an_error(tmp_path):
    (tmp_path / "n02123045").mkdir()
    (tmp_path / "n02123045" / "a.jpg").write_bytes(b"no")
    with open_engine("eager", weights="untrained") as engine, pytest.raises(ParameterError, match="None of the 1"):
        evaluate.on_pictures([engine], evaluate.labelled_pictures(tmp_path))


def test_the_second_engine_is_compared_with_the_first(folder, untrained_home):
    done = run_cli(
        "evaluate",
        folder,
        "--weights",
        "untrained",
        "--backend",
        "eager",
        "--backend",
        "onnxruntime-fp32",
        "--json",
        home=untrained_home,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    first, second = report["engines"]
    assert (report["pictures"], report["unreadable"], first["paired"]) == (4, 1, None)
    assert second["paired"]["agreement"] == 1.0
    assert second["engine"]["backend"] == "onnxruntime-fp32"


def test_the_table_shows_intervals(folder, untrained_home):
    done = run_cli(
        "evaluate", folder, "--weights", "untrained", "--backend", "eager", home=untrained_home, env={"COLUMNS": "200"}
    )
    assert "/3 =" in done.stdout
    assert "1 of 4 pictures could not be read" in done.stderr


@pytest.mark.slow
def test_trained_weights_recognise_the_samples_they_should():
    weights_or_skip("compact")
    with open_engine("eager", weights="compact") as engine:
        (found,), _ = evaluate.on_pictures([engine], evaluate.labelled_pictures(samples_dir()))
    assert found.top1.hits >= 4
    assert found.confused


def table_of(folder, text, encoding="utf-8"):
    (folder / "sub").mkdir(parents=True)
    for name in ("a.jpg", "sub/a.jpg"):
        (folder / name).write_bytes((samples_dir() / "cat.jpg").read_bytes())
    (folder / "labels.csv").write_text(text, encoding=encoding)
    return folder


def test_a_name_with_a_folder_means_that_file(tmp_path):
    ((path, right),) = evaluate.labelled_pictures(table_of(tmp_path / "x", "file,acceptable\nsub/a.jpg,281;282\n"))
    assert path == tmp_path / "x" / "sub" / "a.jpg"
    assert right == (281, 282)


def test_a_byte_order_mark_is_taken(tmp_path):
    assert evaluate.labelled_pictures(table_of(tmp_path / "x", "file,acceptable\na.jpg,281\n", "utf-8-sig"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,acceptable\na.jpg\n", "line 2: 'nothing' is no class index"),
        ("file,acceptable\na.jpg,cat\n", "line 2: 'cat' is no class index"),
        ("file,acceptable\na.jpg,1000\n", "line 2: '1000' is no class index"),
        ("file;acceptable\na.jpg;281\n", "split by semicolons; save it with commas"),
        ("name,class\na.jpg,281\n", "needs the columns file and acceptable"),
        ("file,acceptable\n../b.jpg,281\n", "leads out of"),
        ("file,acceptable\n/etc/hosts,281\n", "leads out of"),
        ("file,acceptable\n" + "x" * 200_000 + ",281\n", "line 2: field larger"),
    ],
)
def test_a_wrong_table_is_one_line_that_names_the_row(tmp_path, text, message):
    with pytest.raises(ParameterError) as caught:
        evaluate.labelled_pictures(table_of(tmp_path / "x", text))
    assert message in str(caught.value)


def test_files_that_nobody_chose_are_not_counted(tmp_path):
    folder = tmp_path / "n02123045"
    folder.mkdir()
    for name in ("cat.jpg", ".DS_Store", "Thumbs.db", "._cat.jpg"):
        (folder / name).write_bytes((samples_dir() / "cat.jpg").read_bytes())
    assert [path.name for path, _ in evaluate.labelled_pictures(tmp_path)] == ["cat.jpg"]
