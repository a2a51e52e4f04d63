"""A wheel, installed in an environment of its own and used outside the clone."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv

import pytest
from support.built_homes import built_home
from support.project import ROOT, samples_dir, ten_lines
from support.running_service import wait_until

IN_THE_WHEEL = ("resnet18_lab", "pyproject.toml", "README.md", "LICENSE", "notebooks", "data", "docs")


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an empty environment with the wheel; its requirements are those installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *IN_THE_WHEEL],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("needs a git clone: the wheel is built from the files git knows")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source], check=True, timeout=300
    )
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    interpreter = folder / "venv" / "bin" / "python"
    site = subprocess.run(
        [interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True, timeout=300)
    with open(f"{site}/requirements.pth", "w", encoding="utf-8") as file:  # noqa: PTH123 - a line of a path file
        file.write(sysconfig.get_path("purelib") + "\n")  # behind the wheel, and without the clone's own hook
    return interpreter


@pytest.fixture
def environment(tmp_path, tmp_path_factory):
    home = built_home(tmp_path_factory, "untrained", "onnx-fp32", "onnx-int8-static", few=True)
    shutil.copy(samples_dir() / "cat.jpg", tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"words")
    return {**os.environ, "RESNET18_LAB_HOME": str(home), "RESNET18_LAB_WEIGHTS": "untrained"}


@pytest.mark.slow
def test_a_wheel_runs_the_ten_lines(python, environment, tmp_path):
    where = subprocess.run(
        [python, "-c", "import resnet18_lab; print(resnet18_lab.__file__)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert str(ROOT) not in where
    done = subprocess.run(
        [python, "-c", ten_lines()], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "broken.jpg not_an_image"


@pytest.mark.slow
def test_a_wheel_serves_the_page(python, environment, tmp_path):
    import re
    import urllib.request

    log = tmp_path / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [python, "-m", "resnet18_lab", "serve", "--port", "0"], cwd=tmp_path, env=environment, stderr=file
        )
    try:
        wait_until(lambda: "serving on" in log.read_text(encoding="utf-8"))
        url = re.search(r"serving on (\S+)", log.read_text(encoding="utf-8")).group(1).rstrip("/")
        for path in ("/", "/static/main.js", "/static/page.css", "/api/v1/model"):
            with urllib.request.urlopen(url + path, timeout=30) as answer:
                assert answer.status == 200, path
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_a_wheel_gives_a_student_a_course_that_runs(python, environment, tmp_path):
    done = subprocess.run(
        [python, "-m", "resnet18_lab", "course", "mine"], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine" / "data" / "labelled" / "labels.csv").is_file()
    notebook = json.loads((tmp_path / "mine" / "notebooks" / "02_classification.ipynb").read_text(encoding="utf-8"))
    lesson = tmp_path / "mine" / "notebooks" / "lesson.py"
    lesson.write_text(
        "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"),
        encoding="utf-8",
    )
    ran = subprocess.run(
        [python, lesson], cwd=lesson.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "pictures of data/labelled" in ran.stdout
    assert str(ROOT) not in ran.stdout
