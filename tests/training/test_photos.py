"""What a folder of labelled pictures may look like, and the one line for each that cannot be learned from."""

import os

import pytest

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.training.photos import read_photos


def files(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def many(folder, *places, count=5):
    return files(folder, *(f"{place}/{number}.jpg" for place in places for number in range(count)))


def test_classes_are_sorted_by_name_and_hidden_files_are_none(tmp_path):
    found = read_photos(files(many(tmp_path, "10", "2", "Zebra"), "2/.DS_Store", ".git/x", "2/Thumbs.db"))
    assert found.classes == ("10", "2", "Zebra")
    assert len(found.photos) == 15
    assert found.judged_on == ""


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val"])
def test_a_validation_folder_by_any_of_its_names_is_judged_on(tmp_path, name):
    found = read_photos(many(tmp_path, "train/a", "train/b", f"{name}/a"))
    assert found.judged_on == "val"
    assert {photo.path.parent.parent.name for photo in found.photos if photo.held} == {name}
    assert found.name_of(found.photos[-1].path).count("/") == 2


def test_with_a_test_folder_that_one_is_judged_on_and_val_is_learned_from(tmp_path):
    found = read_photos(many(tmp_path, "train/a", "train/b", "val/a", "test/b"))
    assert found.judged_on == "test"
    assert {photo.path.parts[-3] for photo in found.photos if not photo.held} == {"train", "val"}


def test_a_table_names_file_class_and_split(tmp_path):
    many(tmp_path, "p", count=12)
    lines = [f"p/{number}.jpg,{'ab'[number % 2]},{'val' if number > 9 else ''}" for number in range(12)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,class,split", *lines]), encoding="utf-8")
    found = read_photos(tmp_path)
    assert found.classes == ("a", "b")
    assert sum(photo.held for photo in found.photos) == 2


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (["a"], "holds one class, a"), ([], "holds no class"), (["Cat", "cat"], "differ in case only"),
        (["train/a", "train/b", "more/a"], "holds train and also more"), (["a", "b", "c/"], "c is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_one_line(tmp_path, places, words):
    many(tmp_path, *(place for place in places if not place.endswith("/")))
    for place in places:
        (tmp_path / place).mkdir(exist_ok=True)
    with pytest.raises(ParameterError, match=words) as refusal:
        read_photos(tmp_path)
    assert "\n" not in str(refusal.value)


def test_too_few_pictures_of_a_class_are_said_with_their_number(tmp_path):
    many(tmp_path, "a", "b")
    files(tmp_path, "c/1.jpg", "c/2.jpg")
    with pytest.raises(ParameterError, match=r"c \(2\): too few pictures to learn from; give each class at least 5"):
        read_photos(tmp_path)
    with pytest.raises(ParameterError, match="is no folder"):
        read_photos(tmp_path / "none")


def test_a_series_goes_on_in_another_split(tmp_path):
    found = read_photos(many(tmp_path, "train/a", "train/b", "val/a"))
    assert {found.series_name(photo.path).split("/")[0] for photo in found.photos} == {"a", "b"}
    plain = read_photos(many(tmp_path / "train", "c", "d"))
    assert plain.series_name(plain.photos[0].path) == "a/0.jpg"


def test_a_class_name_that_is_not_utf_8_is_one_line(tmp_path):
    many(tmp_path, "a", "b")
    many(tmp_path, os.fsdecode(b"\xc4\xe3"))
    with pytest.raises(ParameterError, match="a name that tables cannot hold"):
        read_photos(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [("name,class\nx,y", "needs the columns file and class"), ("file,class\n../out.jpg,a", "is no file below"),
     ("file,class\np/0.jpg,", "has no class"), ("file,class,split\np/0.jpg,a,later", "the split 'later' is unknown"),
     ("file,class\n\xff\xfe", "no file below|UTF-8"), ("file,class\n/etc/hostname,a", "is no file below"),
     ("file,class\np\x00/0.jpg,a", "is no file below|no CSV")],
)  # fmt: skip
def test_a_wrong_table_names_the_line(tmp_path, text, words):
    many(tmp_path, "p")
    (tmp_path.parent / "out.jpg").write_bytes(b"x")
    (tmp_path / "labels.csv").write_text(text, encoding="latin-1")
    with pytest.raises(ParameterError, match=words):
        read_photos(tmp_path)
