import json
import shutil

import pytest
from support.project import run_cli, samples_dir, weights_or_skip

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.inference import evaluate
from resnet18_lab.inference.labelled import LabelsAre, labelled
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
        ("file,acceptable\na.jpg\n", "line 2: nothing is no class index"),
        ("file,acceptable\na.jpg,cat\n", "line 2: cat is no class index"),
        ("file,acceptable\na.jpg,1000\n", "line 2: 1000 is no class index"),
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


def made(tmp_path, **folders):
    for name, count in folders.items():
        (tmp_path / name).mkdir(parents=True)
        for number in range(count):
            shutil.copy(samples_dir() / "cat.jpg", tmp_path / name / f"{number}.jpg")
    return tmp_path


def indexes(found):
    return [right for _, (right,) in found.pictures]


def test_sub_folders_may_be_named_in_english_where_one_class_has_the_name(tmp_path):
    found = labelled(made(tmp_path, **{"Egyptian_cat": 1, "espresso": 2, "n02123045": 1, "Cardigan": 3, "expreso": 1}))
    assert indexes(found) == [285, 967, 967, 281]
    assert found.unknown == {"Cardigan": 3, "expreso": 1}
    assert "their 4 files" in found.unknown_words()
    assert "Cardigan (two classes: n02113186 and n02963159)" in found.unknown_words()
    assert "expreso (is espresso, n07920052, meant?)" in found.unknown_words()


def test_an_index_is_taken_only_where_it_is_said_to_be_one(tmp_path):
    folder = made(tmp_path, **{"2": 1, "10": 1, "281": 1, "1000": 1, "01": 1})
    with pytest.raises(ParameterError, match="--labels-are index"):
        labelled(folder)
    found = labelled(folder, LabelsAre.index)
    assert sorted(indexes(found)) == [2, 10, 281]
    assert found.unknown == {"01": 1, "1000": 1}


def test_what_is_said_to_be_a_name_is_no_wnid(tmp_path):
    folder = made(tmp_path, **{"n02123045": 1, "espresso": 1})
    assert indexes(labelled(folder, LabelsAre.name)) == [967]
    assert indexes(labelled(folder, LabelsAre.wnid)) == [281]


def test_a_folder_of_splits_is_explained(tmp_path):
    made(tmp_path, **{"train/espresso": 1, "val/espresso": 1})
    with pytest.raises(ParameterError, match=rf"holds train and val.*{tmp_path / 'val'}"):
        labelled(tmp_path)


@pytest.mark.slow
def test_the_command_names_unknown_folders_once(tmp_path, untrained_home):
    folder = made(tmp_path / "in", **{"espresso": 1, "unknown_thing": 2})
    done = run_cli("evaluate", folder, "--weights", "untrained", "--json", home=untrained_home)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("unknown_thing") == 1
    assert json.loads(done.stdout)["unknown_folders"] == {"unknown_thing": 2}
    refused = run_cli("evaluate", folder, "--labels-are", "index", "--weights", "untrained", home=untrained_home)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


def test_a_picture_that_is_missing_is_no_reason_to_stop_after_the_table(tmp_path, monkeypatch):
    """Whether INT8 was calibrated on a picture is asked of those that can be read."""
    there = samples_dir() / "cat.jpg"
    seen = {"calibration": {"pictures_sha256": [evaluate.hashing.sha256(there)]}}
    manifest = {"weights": {}, "files": {evaluate._INT8.filename(): seen}}
    folder = evaluate.artifacts.ArtifactFolder(tmp_path, "auto", manifest)
    monkeypatch.setattr(evaluate.artifacts, "open_folder", lambda _: folder)
    pictures = [(tmp_path / "missing.jpg", (1,)), (there, (281,)), (tmp_path, (2,))]
    assert evaluate.calibrated_on(pictures) == [there]
