"""From a folder to a model that answers with its own classes, calls unknown what is none of them, and travels."""

import hashlib
import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image
from support.built_homes import built_home
from support.own_pictures import CLASSES, write_folder
from support.page_actions import choose
from support.page_driver import open_page, running_service
from support.project import run_cli, samples_dir, trained_or_skip

from resnet18_lab.bulk.journal import locked
from resnet18_lab.course.lesson import OF_ANY_CLASSES, network_for
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.preprocessing.transform import preprocess
from resnet18_lab.service import client
from resnet18_lab.training.material import runs_folder

expect = pytest.importorskip("playwright.sync_api", reason="needs the test extra: playwright").expect
pytestmark = pytest.mark.slow
FORMATS = ("onnx-fp32", "onnx-int8-static", "onnx-embedding")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = write_folder(tmp_path_factory.mktemp("photos"), range(30))
    (folder / "discs" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory, photos):
    """A home with a trained parent and the model ``shapes`` made of it, without torch."""
    pytest.importorskip("sklearn", reason="needs the extra: training")
    parent = trained_or_skip()
    place = built_home(tmp_path_factory, parent, *FORMATS)
    blocker = tmp_path_factory.mktemp("no-torch")
    (blocker / "torch.py").write_text("raise ImportError('torch must not be imported')")
    done = run_cli(
        "finetune",
        photos,
        "--name",
        "shapes",
        "--weights",
        parent.name,
        home=place,
        env={"PYTHONPATH": str(blocker), "PYTHONSAFEPATH": ""},
    )
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(autouse=True)
def _home(home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(home))


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("unseen"), range(100, 110))


def classified(home, *files, **options):
    done = run_cli("classify", *files, "--weights", "shapes", "-f", "json", home=home, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_card_says_what_it_is_made_of_and_how_good_it_is(home):
    card = json.loads((home / "models" / "shapes" / "card.json").read_text(encoding="utf-8"))
    assert list(card["data"]["classes"]) == sorted(CLASSES)
    assert list(card["data"]["broken"]) == ["discs/broken.png"]
    assert card["data"]["judged_on"] == "a part held out here"
    assert card["parent"]["licence"]
    assert card["results"]["top1"]["share"] > 0.8
    assert card["results"]["int8"]["same_answer"] > 0.9
    assert 0 < card["unknown"]["threshold"] < 1
    assert sum(map(sum, card["results"]["confusion"])) == card["results"]["pictures"]
    names = {path.name for path in (home / "models" / "shapes").iterdir()}
    assert names == {"weights.safetensors", "labels.csv", "card.json", "card.md", "split.csv", "features.npz"}


def test_it_answers_with_its_own_classes_and_no_wnid(home, unseen):
    answers = classified(home, *(unseen / kind / f"{kind}-100.png" for kind in CLASSES))
    assert [answer["predictions"][0]["en"] for answer in answers] == list(CLASSES)
    assert {answer["predictions"][0]["wnid"] for answer in answers} == {None}
    assert [answer["unknown"] for answer in answers] == [False] * 3
    assert len(answers[0]["predictions"]) == 3
    assert answers[0]["engine"]["weights"] == "shapes"


def test_a_photograph_of_something_else_is_unknown(home):
    answers = classified(home, samples_dir() / "cat.jpg", samples_dir() / "coffee.jpg")
    assert [answer["unknown"] for answer in answers] == [True, True]
    assert min(answer["distance"] for answer in answers) > 0


def test_eager_float_and_int8_agree(unseen):
    batch = np.concatenate([preprocess(decode(path)) for path in sorted(unseen.rglob("*.png"))[:6]])
    with open_engine("eager", weights="shapes") as eager:
        expected = eager.run(batch)
        assert [label.en for label in eager.labels] == list(CLASSES)
    for name, allowed in (("onnxruntime-fp32", 1e-4), ("onnxruntime-int8", 0.2)):
        with open_engine(name, weights="shapes") as engine:
            assert np.abs(engine.run(batch) - expected).max() <= allowed * np.abs(expected).max(), name


def test_the_table_says_unknown_and_shows_no_wnid(home):
    done = run_cli("classify", samples_dir() / "cat.jpg", "--weights", "shapes", home=home)
    assert done.returncode == 0, done.stderr
    assert "unknown, distance" in done.stdout
    assert "None" not in done.stdout


def test_a_model_of_two_classes_answers_embeds_and_is_rebuilt(home, tmp_path):
    two = write_folder(tmp_path / "two", range(12), CLASSES[:2])
    parent = trained_or_skip().name
    assert run_cli("finetune", two, "--name", "two", "--weights", parent, home=home).returncode == 0
    picture = two / "discs" / "discs-000.png"
    done = run_cli("classify", picture, "--weights", "two", "-f", "json", home=home)
    assert [best["en"] for best in json.loads(done.stdout)[0]["predictions"]] == ["discs", "checks"]
    assert run_cli("embed", picture, "-o", tmp_path / "v.jsonl", "--weights", "two", home=home).returncode == 0
    built = run_cli("build", "--weights", "two", "--only", "onnx-fp32", "--only", "onnx-int8-static", home=home)
    assert built.returncode == 0, built.stderr
    assert built.stdout.count("kept") == 2
    assert (
        run_cli("finetune", two, "--name", "two", "--weights", parent, "--seed", "1", "--force", home=home).returncode
        == 0
    )
    assert run_cli("models", "remove", "two", home=home).returncode == 0
    assert not list((home / "artifacts").glob("two-*"))
    assert run_cli("classify", picture, "--weights", "two", home=home).returncode == 2


def test_a_class_whose_pictures_are_all_alike_is_one_line(home, tmp_path):
    folder = write_folder(tmp_path / "p", range(8), CLASSES[:2])
    (folder / "same").mkdir()
    for number in range(8):
        shutil.copy(folder / "discs" / "discs-000.png", folder / "same" / f"{number}.png")
    done = run_cli("finetune", folder, "--name", "alike", "--weights", trained_or_skip().name, home=home)
    assert done.returncode == 2
    assert "two are needed" in done.stderr
    assert not (home / "models" / "alike").exists()


def test_another_parent_than_the_one_it_was_made_of_is_noticed(home, tmp_path):
    from safetensors.numpy import load_file, save_file

    copy = tmp_path / "home"
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("artifacts"))
    path = copy / "models" / "shapes" / "weights.safetensors"
    told = {"resnet18_lab": json.dumps({"depth": "head", "parent": trained_or_skip().name, "parent_sha256": "0" * 64})}
    save_file(load_file(path), path, metadata=told)
    card = json.loads((path.parent / "card.json").read_text(encoding="utf-8"))
    card["files"]["weights.safetensors"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "card.json").write_text(json.dumps(card), encoding="utf-8")
    done = run_cli("classify", samples_dir() / "cat.jpg", "--weights", "shapes", "--backend", "eager", home=copy)
    assert done.returncode == 2
    assert "SHA-256 000000" in done.stderr


@pytest.mark.parametrize(
    "command",
    [("report", "--notebook", "classification"), ("distill", "{photos}", "--name", "x", "--teacher", "auto:shapes")],
)
def test_where_imagenet_is_meant_a_model_of_ones_own_is_refused(home, photos, tmp_path, command):
    parts = [part.format(photos=photos) for part in command]
    more = ("--weights", "shapes", "--output", tmp_path) if command[0] == "report" else ()
    done = run_cli(*parts, *more, home=home)
    assert done.returncode == 2
    assert "classes of its own" in done.stderr


@pytest.mark.parametrize("lesson", OF_ANY_CLASSES)
def test_lessons_that_rest_on_no_class_of_imagenet_take_it(lesson):
    assert network_for(lesson, "shapes").classes == len(CLASSES)


def test_more_answers_than_classes_are_refused(home, unseen):
    done = run_cli("classify", unseen / "discs" / "discs-100.png", "--weights", "shapes", "--top-k", "4", home=home)
    assert done.returncode == 2
    assert "give 1 to 3" in done.stderr


def test_folders_named_by_its_classes_are_evaluated(home, unseen):
    done = run_cli("evaluate", unseen, "--weights", "shapes", "--json", home=home)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["engines"]
    assert row["top1"]["of"] == 30
    assert row["top1"]["share"] > 0.8


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_bulk_outputs_hold_unknown_and_distance(home, unseen, tmp_path, suffix):
    shutil.copy(samples_dir() / "cat.jpg", tmp_path / "cat.jpg")
    out = tmp_path / f"out.{suffix}"
    done = run_cli(
        "classify", unseen / "discs", tmp_path / "cat.jpg", "--weights", "shapes", "-o", out, "--dedupe", home=home
    )
    assert done.returncode == 0, done.stderr
    if suffix == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        rows = parquet.read_table(out).to_pylist()
    elif suffix == "csv":
        import csv

        rows = list(csv.DictReader(out.open(encoding="utf-8")))
        rows = [{**row, "unknown": row["unknown"] == "true", "distance": float(row["distance"])} for row in rows]
    else:
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["unknown"] for row in rows if "cat" in row["file"]] == [True]
    assert sum(row["unknown"] for row in rows) <= 3
    assert all(row["distance"] > 0 for row in rows)


def test_the_same_pictures_give_the_same_model(home, photos):
    first = (home / "models" / "shapes" / "weights.safetensors").read_bytes()
    again = run_cli("finetune", photos, "--name", "shapes", "--weights", trained_or_skip().name, home=home)
    assert again.returncode == 2
    assert "There is a model shapes already" in again.stderr
    done = run_cli("finetune", photos, "--name", "shapes", "--weights", trained_or_skip().name, "--force", home=home)
    assert done.returncode == 0, done.stderr
    assert (home / "models" / "shapes" / "weights.safetensors").read_bytes() == first


def test_two_runs_of_one_name_do_not_meet(home, photos):
    with locked(runs_folder("shapes")):
        done = run_cli("finetune", photos, "--name", "shapes", "--force", home=home)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("resnet18-lab: Another run is writing")


@pytest.mark.parametrize("name", ["auto", "compact", "resnet18", "Ünd", "../x", "resnet34-untrained", "-a", ""])
def test_names_that_mean_something_else_are_refused(home, photos, name):
    done = run_cli("finetune", photos, f"--name={name}", home=home)
    assert done.returncode == 2
    assert "name" in done.stderr


def test_it_travels_to_another_home_and_a_service_names_its_classes(archive, unseen, tmp_path):
    other = tmp_path / "other"
    assert not [name for name in zipfile.ZipFile(archive).namelist() if name.endswith((".png", ".jpg"))]
    done = run_cli("models", "import", archive, "--name", "formen", home=other)
    assert done.returncode == 0, done.stderr
    assert "formen" in run_cli("models", "list", home=other).stdout
    with running_service(other, "--weights", "formen") as running:
        names = [label["en"] for label in client.get(running.url, "/api/v1/labels")[1]]
        answer = client.classify(running.url, (unseen / "stripes" / "stripes-101.png").read_bytes(), "s.png")
        cat = client.classify(running.url, (samples_dir() / "cat.jpg").read_bytes(), "cat.jpg")
    assert names == list(CLASSES)
    assert answer["predictions"][0]["en"] == "stripes"
    assert answer["unknown"] is False
    assert cat["unknown"] is True
    assert run_cli("models", "remove", "formen", home=other).returncode == 0
    assert "no models yet" in run_cli("models", "list", home=other).stderr


def test_the_page_shows_its_classes_and_calls_something_else_unknown(home, unseen, browser):
    with running_service(home, "--weights", "shapes") as running, open_page(browser, running.url) as page:
        expect(page.locator("#note")).to_contain_text("a share among 3 classes")
        expect(page.locator("#classes")).to_have_text("The 3 classes")
        choose(page, unseen / "discs" / "discs-100.png")
        page.click("#recognise")
        expect(page.locator("#list li.done")).to_have_count(1)
        expect(page.locator("#predictions .best .name")).to_have_text("discs")
        expect(page.locator("#predictions .best .id")).to_have_text("class 1")
        expect(page.locator("#unknown")).to_be_hidden()
        choose(page, samples_dir() / "cat.jpg")
        page.click("#recognise")
        expect(page.locator("#list li.done")).to_have_count(2)
        expect(page.locator("#unknown")).to_contain_text("unknown")
        assert page.evaluate(
            "document.getElementById('unknown').scrollWidth <= document.getElementById('unknown').clientWidth"
        )
        page.click("[data-language=zh]")
        expect(page.locator("#note")).to_contain_text("3 个类别")
        expect(page.locator("#unknown")).to_contain_text("未知")
        assert page.evaluate(
            "document.getElementById('unknown').scrollWidth <= document.getElementById('unknown').clientWidth"
        )


@pytest.fixture(scope="module")
def archive(home, tmp_path_factory):
    target = tmp_path_factory.mktemp("packed") / "shapes.zip"
    done = run_cli("models", "export", "shapes", "-o", target, home=home)
    assert done.returncode == 0, done.stderr
    return target


def hostile(archive, target, change):
    """A copy of the archive with entries changed: name -> (new name, new bytes, attributes) or None to leave it out."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            name, data, mode = change(entry.filename, old.read(entry))
            if name:
                info = zipfile.ZipInfo(name)
                info.external_attr = mode << 16
                info.compress_type = zipfile.ZIP_DEFLATED if len(data) == 50_000_000 else zipfile.ZIP_STORED
                new.writestr(info, data)
    return target


PLAIN, LINK = 0o100644, 0o120777


def card_with(change):
    """A change of an archive that alters the card."""

    def changed(name, data):
        if name.endswith("card.json"):
            card = json.loads(data)
            change(card)
            data = json.dumps(card).encode()
        return name, data, PLAIN

    return changed


def swapped(file, change):
    """A change of an archive that alters a file, and the hash of it in the card, as an attacker would."""
    made = {}

    def changed(name, data):
        if name.endswith(f"model/{file}"):
            made["data"] = data = change(data)
        if name.endswith("card.json"):
            card = json.loads(data)
            card["files"][file] = hashlib.sha256(made["data"]).hexdigest()
            data = json.dumps(card).encode()
        return name, data, PLAIN

    return changed


def packed_features():
    """Gigabytes of zeros in a few kilobytes, as features could be packed."""
    out = io.BytesIO()
    np.savez_compressed(out, features=np.zeros((20_000, 512), np.float16), threshold=np.float64(0.2))
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda name, data: ("../" + name, data, PLAIN), "which no model has"),
        (lambda name, data: ("/tmp/" + name, data, PLAIN), "which no model has"),
        (lambda name, data: (name.replace("card.md", "run.py"), data, PLAIN), "which no model has"),
        (lambda name, data: (name, data, LINK if name.endswith("card.md") else PLAIN), "which no model has"),
        (lambda name, data: (name, data + b"x" if name.endswith("safetensors") else data, PLAIN), "is not the file"),
        (lambda name, data: (name, data + b"x" if name.endswith("labels.csv") else data, PLAIN), "is not the file"),
        (lambda name, data: (name, b"0" * 50_000_000 if name.endswith("card.md") else data, PLAIN), "packed 50 times"),
        (lambda name, data: (name, b"{" * 9_000 if name.endswith("card.json") else data, PLAIN), "damaged"),
        (lambda name, data: ("" if name.endswith("card.json") else name, data, PLAIN), "damaged"),
        (lambda name, data: (name, data + b"x" if name.endswith("fp32.onnx") else data, PLAIN), "its manifest describes"),
        (card_with(lambda card: card["network"].update(name="../../x")), "damaged"),
        (card_with(lambda card: card["network"]["preprocessing"].update(crop=100_000)), "damaged"),
        (card_with(lambda card: card.update(files=list(card["files"]))), "damaged"),
        (card_with(lambda card: card.pop("results")), "damaged"),
        (card_with(lambda card: card["recipe"].clear() or card["unknown"].clear()), "lacks"),
        (swapped("labels.csv", lambda data: data.replace(b"checks", b"=cmd()")), "other classes"),
        (swapped("labels.csv", lambda data: data.replace(b"\n0,", b"\n5,")), "order of their index"),
        (swapped("labels.csv", lambda data: b"index"), "refused"),
        (swapped("features.npz", lambda data: packed_features()), "training features"),
        (swapped("features.npz", lambda data: data[:-100]), "training features"),
    ],
    ids=["parent", "absolute", "script", "link", "weights", "labels", "bomb", "card", "no card", "onnx", "network", "crop",
         "files", "results", "recipe", "other labels", "order", "no labels", "packed", "cut"],
)  # fmt: skip
def test_a_hostile_archive_is_refused_and_leaves_nothing(archive, tmp_path, change, words):
    bad = hostile(archive, tmp_path / "bad.zip", change)
    done = run_cli("models", "import", bad, "--name", "bad", home=tmp_path / "other")
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") <= 2
    assert not [path for path in (tmp_path / "other").rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_no_archive_and_no_model_are_one_line(home, tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK, nearly")
    assert "is no archive of a model" in run_cli("models", "import", tmp_path / "x.zip", home=home).stderr
    assert "Did you mean shapes" in run_cli("models", "show", "shape", home=home).stderr


def test_damaged_files_of_a_model_are_noticed(home, tmp_path, unseen):
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    (copy / "models" / "shapes" / "labels.csv").write_text("index,key,en,zh\n0,a,a,a\n1,b,b,b\n2,c,c,c\n")
    done = run_cli("classify", unseen / "discs" / "discs-100.png", "--weights", "shapes", home=copy)
    assert done.returncode == 2
    assert "labels.csv is not the file that card.json beside it describes" in done.stderr


def test_a_picture_of_one_colour_is_answered(home, tmp_path):
    Image.new("RGB", (50, 50), "red").save(tmp_path / "red.png")
    (answer,) = classified(home, tmp_path / "red.png")
    assert np.isfinite(answer["distance"])
