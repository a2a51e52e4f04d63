"""README and docs/benchmarks.md say what the kept record says."""

import io
from dataclasses import replace

import benchmark_page
import numpy as np
import pytest
from PIL import Image
from support import project as conftest

from resnet18_lab.benchmark import record as records
from resnet18_lab.benchmark.configuration import EFFORTS, Configuration, shortened
from resnet18_lab.benchmark.record import Row
from resnet18_lab.benchmark.results.conclusions import sessions

tool = conftest.tool("pages/benchmarks")


@pytest.fixture(scope="module")
def kept():
    return records.read(tool.RECORD)


def test_readme_shows_the_record(kept):
    assert tool.README.read_text(encoding="utf-8") == tool.readme(kept), "run tools/pages/benchmarks.py"


def test_the_page_shows_the_record(kept):
    assert tool.PAGE.read_text(encoding="utf-8") == tool.whole_page(kept), "run tools/pages/benchmarks.py"


def test_the_record_is_a_whole_full_run(kept):
    assert kept.profile == "full"
    assert not kept.interrupted
    assert all(row.results for row in kept.rows), [row.failures for row in kept.rows if not row.results]


def test_the_figures_show_the_record(kept):
    figures = tool.drawn(kept)
    assert len(figures) == len(benchmark_page.FIGURES)
    for name, content in figures.items():
        files = (io.BytesIO(content), tool.IMAGES / name)
        fresh, stored = (np.asarray(Image.open(file).convert("L"), dtype=float) for file in files)
        assert fresh.shape == stored.shape, f"{name}: run tools/pages/benchmarks.py"
        assert np.abs(fresh - stored).mean() < 1, (
            f"{name}: run tools/pages/benchmarks.py"
        )  # fonts may be hinted otherwise


@pytest.mark.parametrize(
    "change", [{"interrupted": True}, {"profile": "fast"}, {"rows": [Row(Configuration("latency", "eager"))]}]
)
def test_half_a_run_does_not_take_the_place_of_the_kept_record(kept, change, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "RECORD", tmp_path / "kept.json")
    replace(kept, **change).save(tmp_path / "new.json")
    with pytest.raises(SystemExit, match="kept record stays"):
        tool.adopt(tmp_path / "new.json")
    assert not tool.RECORD.exists()


def test_a_whole_run_takes_its_place_and_one_without_a_suite_does_not(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "RECORD", tmp_path / "kept.json")
    whole = replace(kept, effort=EFFORTS["full"])
    whole.save(tmp_path / "whole.json")
    tool.adopt(tmp_path / "whole.json")
    assert tool.RECORD.exists()
    before = tool.RECORD.read_bytes()
    replace(whole, rows=whole.of("latency")).save(tmp_path / "part.json")
    with pytest.raises(SystemExit) as refused:
        tool.adopt(tmp_path / "part.json")
    assert "suites missing: throughput, memory, cold-start, stages, sizes, end-to-end, peak" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert tool.RECORD.read_bytes() == before


def test_the_page_says_how_many_starts_each_suite_had_and_what_repeats_it(kept):
    few = replace(
        kept, rows=[replace(row, results=row.results[: 1 + (row.configuration.suite != "stages")]) for row in kept.rows]
    )
    assert benchmark_page.starts_of(few) == "2 process starts of each row (1 in stages)"
    assert 'ARGS="--pictures .../photographs"' in benchmark_page.markdown_page(
        replace(kept, pictures={**kept.pictures, "folder": "photographs"}), str
    )
    assert "`make bench` measures anew" in benchmark_page.markdown_page(
        replace(kept, pictures={**kept.pictures, "folder": "data/samples"}), str
    )


def test_a_shorter_profile_is_said_on_the_page(kept):
    said = shortened(EFFORTS["fast"])
    assert said in benchmark_page.markdown_page(replace(kept, effort=EFFORTS["fast"]), str)
    assert "Shorter than the protocol" not in benchmark_page.markdown_page(replace(kept, effort=EFFORTS["full"]), str)


def test_what_the_page_says_of_sessions_follows_from_the_rows(kept):
    assert sessions(kept) in benchmark_page.markdown_page(kept, str)
    alike = [
        replace(
            row,
            results=[
                {**result, "samples": [0.01 * row.configuration.batch * row.configuration.workers] * 5}
                for result in row.results
            ],
        )
        if row.configuration.suite == "throughput"
        else row
        for row in kept.rows
    ]
    text = benchmark_page.markdown_page(replace(kept, rows=alike), str)
    assert "which decides nothing" in text
    assert "sessions of one thread answer 1.0" not in text.replace("several sessions", "")


def test_a_readme_without_its_marks_is_left_alone(kept, tmp_path, monkeypatch):
    bare = tmp_path / "README.md"
    bare.write_text("nothing", encoding="utf-8")
    monkeypatch.setattr(tool, "README", bare)
    with pytest.raises(SystemExit, match="lost its marks"):
        tool.readme(kept)
