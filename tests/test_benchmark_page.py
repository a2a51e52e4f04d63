"""README and docs/benchmarks.md say what the kept record says."""

import io
from dataclasses import replace

import conftest
import numpy as np
import pytest
from PIL import Image

from resnet18_lab.benchmark import record as records
from resnet18_lab.benchmark.configuration import Configuration
from resnet18_lab.benchmark.record import Row

tool = conftest.tool("make_benchmarks")


@pytest.fixture(scope="module")
def kept():
    return records.load(tool.RECORD)


def test_readme_shows_the_record(kept):
    assert tool.README.read_text(encoding="utf-8") == tool.readme(kept), "run tools/make_benchmarks.py"


def test_the_page_shows_the_record(kept):
    assert tool.PAGE.read_text(encoding="utf-8") == tool.whole_page(kept), "run tools/make_benchmarks.py"


def test_the_record_is_a_whole_full_run(kept):
    assert kept.profile == "full"
    assert not kept.interrupted
    assert all(row.results for row in kept.rows), [row.failures for row in kept.rows if not row.results]


def test_the_figures_show_the_record(kept):
    figures = tool.drawn(kept)
    assert len(figures) == len(tool.page.FIGURES)
    for name, content in figures.items():
        files = (io.BytesIO(content), tool.IMAGES / name)
        fresh, stored = (np.asarray(Image.open(file).convert("L"), dtype=float) for file in files)
        assert fresh.shape == stored.shape, f"{name}: run tools/make_benchmarks.py"
        assert np.abs(fresh - stored).mean() < 1, (
            f"{name}: run tools/make_benchmarks.py"
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


def test_a_readme_without_its_marks_is_left_alone(kept, tmp_path, monkeypatch):
    bare = tmp_path / "README.md"
    bare.write_text("nothing", encoding="utf-8")
    monkeypatch.setattr(tool, "README", bare)
    with pytest.raises(SystemExit, match="lost its marks"):
        tool.readme(kept)
