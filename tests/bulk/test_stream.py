"""The pipeline of worker processes: order, memory, workers that die, and answers by content."""

import itertools
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from PIL import Image
from support.bulk_pictures import CAT, audit_hook, folder_of
from support.pictures import encode
from support.project import samples_dir

from resnet18_lab.base.errors import ArtifactError, EngineError, LabError, ParameterError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.bulk import inputs, pipeline, pool
from resnet18_lab.bulk.answer_cache import AnswerStore
from resnet18_lab.bulk.batch import Job, run_batch
from resnet18_lab.bulk.pipeline import stream
from resnet18_lab.bulk.pool import Pool
from resnet18_lab.inference import artifacts, tuned
from resnet18_lab.inference.classify import classify_files
from resnet18_lab.inference.engine import BaseEngine
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.preprocessing.prepare import InProcess

JOB = Job(weights="untrained")


@pytest.fixture(autouse=True)
def home(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    return untrained_home


def children():
    """The workers of this process; a browser may be open beside them."""
    found = psutil.Process().children()
    return [
        one for one in found if one.status() != psutil.STATUS_ZOMBIE and "resnet18_lab.bulk.worker" in one.cmdline()
    ]


def test_answers_equal_those_of_one_session_and_come_in_order(tmp_path):
    files = [str(path) for path in sorted(samples_dir().glob("*.jpg"))]
    files.insert(3, str(tmp_path / "missing.jpg"))
    with open_engine(weights="untrained", threads=1) as engine:
        expected = list(classify_files(files, engine))
    for workers, batch in ((1, 1), (2, 3), (3, 4)):
        got = list(stream(files, job=JOB, workers=workers, batch=batch))
        assert [answer.as_json() for answer in got] == [answer.as_json() for answer in expected]


def test_no_inputs_give_no_answers_and_leave_no_process():
    assert list(stream([], job=JOB, workers=1)) == []
    assert children() == []


def test_an_endless_list_is_read_only_as_far_as_the_window():
    taken = itertools.count()
    source = (CAT for _ in iter(lambda: next(taken), -1))
    answers = stream(source, job=JOB, workers=1, batch=2)
    for _ in range(5):
        next(answers)
    read = next(taken)
    answers.close()
    assert read <= 5 + (1 * 2 + 2) * 2 + 1
    assert children() == []


def test_instant_errors_do_not_end_the_run_early(tmp_path):
    names = [inputs.Input(f"{tmp_path}/{number}", "permission_denied") for number in range(100)]
    assert [answer.error.code for answer in stream(names, job=JOB, workers=1)] == ["permission_denied"] * 100


@pytest.mark.parametrize("change", [{"workers": 0}, {"workers": 1000}, {"batch": 0}, {"batch": 10**6}])
def test_settings_out_of_range_are_refused(change):
    with pytest.raises(ParameterError):
        next(stream([CAT], job=JOB, **change))


def test_a_missing_artifact_is_one_error_and_leaves_no_process(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    with pytest.raises(ArtifactError, match="resnet18-lab build"):
        next(stream([CAT], job=JOB, workers=2))
    assert children() == []


def test_workers_are_as_many_as_the_usable_cores(monkeypatch):
    monkeypatch.setattr(pipeline, "usable_cores", lambda: 6)
    assert (pipeline.default_workers(), pipeline.default_workers(4), pipeline.default_workers(8)) == (6, 1, 1)
    assert usable_cores() >= 1


@pytest.mark.parametrize(("kept", "expected"), [({}, 6), ({"onnxruntime-fp32": 3}, 3), ({"eager": 3}, 6)])
def test_workers_are_as_many_as_were_tuned_for_the_engine(monkeypatch, kept, expected):
    monkeypatch.setattr(pipeline, "usable_cores", lambda: 6)
    path = artifacts.find_folder("untrained") / tuned.FILENAME
    tuned.write({}, path.parent, kept)
    try:
        assert pipeline.workers_for(JOB) == expected
        assert pipeline.workers_for(Job(weights="untrained", threads=2)) == 3
        path.write_text(json.dumps({"machine": {"cpu": "another"}, "workers": kept}))
        assert pipeline.workers_for(JOB) == 6
    finally:
        path.unlink()


class Engine(BaseEngine):
    """Fails as an engine may, on a picture that is all black."""

    def __init__(self, how):
        self.how = how
        self.engine = None

    def run(self, pictures):
        logits = np.zeros((len(pictures), 1000), dtype=np.float32)
        for row, picture in enumerate(pictures):
            if np.ptp(picture, axis=(1, 2)).max() == 0:
                if self.how is not None:
                    raise self.how
                logits[row] = np.nan
        return logits


class ForeignError(Exception):
    """As ONNX Runtime has them: derived from Exception and nothing else."""


@pytest.mark.parametrize("how", [None, ForeignError("it\nbroke")])
def test_whatever_an_engine_says_of_one_picture_is_that_pictures_error(how):
    good, black = CAT.read_bytes(), encode(Image.new("RGB", (300, 300)), "PNG")
    items = [("1", good), ("2", black), ("3", good)]
    answers = run_batch(JOB, Engine(how), InProcess(), items)
    assert [answer.error and answer.error.code for answer in answers] == [None, "internal_error", None]
    assert "\n" not in answers[1].error.message


def test_a_pool_that_cannot_start_all_its_workers_leaves_none(monkeypatch):
    started = []
    popen = subprocess.Popen

    def only_one(*arguments, **options):
        if started:
            raise OSError(12, "Cannot allocate memory")
        started.append(popen(*arguments, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", only_one)
    with pytest.raises(EngineError, match="--workers"):
        Pool(JOB, 3)
    assert started[0].wait(timeout=10) is not None
    assert children() == []


@pytest.mark.parametrize(("times", "ends"), [(pool.STARTS - 1, True), (pool.STARTS, False)])
def test_replacements_may_die_before_they_are_ready_a_few_times(times, ends):
    killed = []

    def kill():
        while len(killed) <= times:
            for child in children():
                if child.pid not in killed:
                    killed.append(child.pid)
                    child.kill()
            time.sleep(0.01)

    with Pool(JOB, 1) as workers:
        killer = threading.Thread(target=kill)
        killer.start()
        workers.submit([(str(CAT), None)])
        if ends:
            assert workers.wait()[1][0].error is None
        else:
            with pytest.raises(EngineError, match="doctor"):
                workers.wait()
        killer.join()
    assert len(killed) == times + 1
    assert children() == []


def test_a_worker_that_is_killed_costs_no_answer(tmp_path):
    folder = folder_of(tmp_path / "in", 60)
    answers = stream(sorted(folder.iterdir()), job=JOB, workers=2)
    got = [next(answers)]
    children()[0].kill()
    got += list(itertools.islice(answers, 20))
    children()[-1].kill()
    got += list(answers)
    assert [answer.file for answer in got] == [str(path) for path in sorted(folder.iterdir())]
    assert not [answer.error for answer in got if answer.error]


def test_a_picture_that_kills_its_process_is_given_up_and_the_rest_answered(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "in", 9)
    (folder / "poison.jpg").write_bytes(CAT.read_bytes())
    body = "if event == 'open' and 'poison' in str(args[0]): os._exit(9)"
    for name, value in audit_hook(tmp_path, body).items():
        monkeypatch.setenv(name, value)
    answers = list(stream(sorted(folder.iterdir()), job=JOB, workers=1))
    codes = {answer.file: answer.error and answer.error.code for answer in answers}
    assert len(answers) == 10
    assert codes.pop(str(folder / "poison.jpg")) == "worker_died"
    assert set(codes.values()) == {None}


def test_workers_never_import_torch(tmp_path, monkeypatch):
    body = "if event == 'import' and args[0].split('.')[0] in ('torch', 'torchvision', 'pandas'): os._exit(7)"
    for name, value in audit_hook(tmp_path, body).items():
        monkeypatch.setenv(name, value)
    assert next(stream([CAT], job=JOB, workers=1)).error is None


def test_a_script_without_a_main_guard_may_stream(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from resnet18_lab.bulk.pipeline import stream\nfrom resnet18_lab.bulk.batch import Job\n"
        f"print(len(list(stream([{str(CAT)!r}] * 3, job=Job(weights='untrained'), workers=2))))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("3", 0), done.stderr


def test_no_worker_outlives_a_parent_that_is_killed(tmp_path):
    code = (
        "import itertools, time\nfrom resnet18_lab.bulk.pipeline import stream\nfrom resnet18_lab.bulk.batch import Job\n"
        f"answers = stream(itertools.repeat({str(CAT)!r}), job=Job(weights='untrained'), workers=2)\n"
        "next(answers); print('going', flush=True)\nfor answer in answers: pass\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "going\n"
    workers = psutil.Process(parent.pid).children()
    assert len(workers) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []


def engine():
    with Pool(JOB, 1) as pool:
        return pool.engine


def test_identical_bytes_are_run_once_and_all_get_the_answer(tmp_path):
    files = sorted(folder_of(tmp_path / "in", 50).iterdir())
    plain = list(stream(files, job=JOB, workers=2))
    cache = tmp_path / "cache.sqlite"
    assert list(stream(files, job=JOB, workers=2, dedupe=True)) == plain
    assert list(stream(files, job=JOB, workers=2, cache=cache)) == plain
    with sqlite3.connect(cache) as base:
        assert base.execute("SELECT count(*), max(number) FROM answers").fetchone() == (7, 7)  # each written once


def test_the_cache_answers_across_runs_and_only_for_its_own_key(tmp_path):
    cache = tmp_path / "cache.sqlite"
    first = next(stream([CAT], job=JOB, workers=1, cache=cache))
    with sqlite3.connect(cache) as base:  # an answer no engine gives shows where it came from
        base.execute("""UPDATE answers SET answer = '{"predictions": [[7, 0.5]], "warnings": []}'""")
    again = next(stream([CAT], job=JOB, workers=1, cache=cache))
    assert [(one.index, one.score) for one in again.predictions] == [(7, 0.5)]
    other = next(stream([CAT], job=Job(weights="untrained", draft_for=256), workers=1, cache=cache))
    assert other.predictions != again.predictions
    more = next(stream([CAT], job=Job(weights="untrained", top_k=5), workers=1, cache=cache))
    assert more.predictions[:3] == first.predictions


def test_an_answer_of_another_artifact_is_not_taken(tmp_path):
    from dataclasses import replace

    known = engine()
    answer = next(stream([CAT], job=JOB, workers=1))
    with AnswerStore(tmp_path / "c", JOB, known) as store:
        store.put("a" * 64, answer)
        assert store.get("a" * 64).predictions == answer.predictions
    with AnswerStore(tmp_path / "c", JOB, replace(known, sha256="0" * 64)) as store:
        assert store.get("a" * 64) is None


def test_the_cache_is_bounded_and_drops_the_oldest(tmp_path):
    answer = next(stream([CAT], job=JOB, workers=1))
    with AnswerStore(tmp_path / "c", JOB, engine(), max_entries=10) as store:
        for number in range(35):
            store.put(f"{number:064}", answer)
    with AnswerStore(tmp_path / "c", JOB, engine(), max_entries=10) as store:
        assert [number for number in range(35) if store.get(f"{number:064}")] == list(range(25, 35))


def test_two_runs_may_share_a_cache(tmp_path):
    answer = next(stream([CAT], job=JOB, workers=1))
    known = engine()
    problems = []

    def fill(offset):
        try:
            with AnswerStore(tmp_path / "c", JOB, known) as store:
                for number in range(200):
                    store.put(f"{offset + number:064}", answer)
                    store.get(f"{number:064}")
        except LabError as error:
            problems.append(error)

    threads = [threading.Thread(target=fill, args=(offset,)) for offset in (0, 100, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with sqlite3.connect(tmp_path / "c") as base:
        assert base.execute("SELECT count(*) FROM answers").fetchone() == (500,)


def test_two_processes_may_share_a_cache(tmp_path):
    files = sorted(folder_of(tmp_path / "in", 30).iterdir())
    code = (
        "import sys\nfrom pathlib import Path\nfrom resnet18_lab.bulk.pipeline import stream\nfrom resnet18_lab.bulk.batch import Job\n"
        "found = stream(sys.argv[2:], job=Job(weights='untrained'), workers=1, cache=Path(sys.argv[1]))\n"
        "assert not [one for one in found if one.error]"
    )
    line = [sys.executable, "-c", code, str(tmp_path / "cache"), *map(str, files)]
    started = [subprocess.Popen(line, stderr=subprocess.PIPE) for _ in range(2)]
    for process in started:
        _, complaint = process.communicate(timeout=100)
        assert process.returncode == 0, complaint


def test_a_file_that_is_no_cache_is_refused_by_name(tmp_path):
    (tmp_path / "notes.txt").write_text("this is no database " * 100)
    with pytest.raises(LabError, match=r"notes\.txt"):
        list(stream([CAT], job=JOB, workers=1, cache=tmp_path / "notes.txt"))
    assert children() == []


def tree_memory(process):
    return sum(one.memory_info().rss for one in [process, *process.children()])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    folder = folder_of(tmp_path / "in", 600)
    answers = stream(sorted(folder.iterdir()), job=JOB, workers=2)
    peaks = []
    for count in (100, 500):
        peak = 0
        for _ in itertools.islice(answers, count):
            peak = max(peak, tree_memory(psutil.Process()))
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 15e6
