"""Each lesson has the form that lessons of this course have, and the test of that form can fail."""

import json
import re
import shutil

import pytest
from support.lesson_form import problems, sources
from support.project import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_has_goals_questions_answers_and_sources(path):
    assert problems(path) == []


def test_every_source_is_used_by_a_lesson():
    known = sources((ROOT / "notebooks" / "references.bib").read_text(encoding="utf-8"))
    assert len(known) > 20
    text = "".join(path.read_text(encoding="utf-8") for path in NOTEBOOKS)
    assert [ident for ident in known if ident not in text] == []
    for entry in known.values():
        assert re.fullmatch(r"\d{4}", entry["year"])
        assert entry["author"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("**Goals.**", "Goals", "goals"),
        ("**Before you start:**", "Before", "known before"),
        (" minutes to read", " minutes", "how long"),
        ("## Predict before you run", "## Questions", "predict"),
        ("## Were you right?", "## Answers", "answer"),
        ("lesson.answers(", "str(", "answer"),
        ("show_source(", "print(", "source"),
        ("1512.03385](", "1512.00000](", "references.bib"),
        ("Deep Residual Learning", "Deep Learning", "other words"),
        ("progress(", "nothing(", "progress"),
    ],
)
def test_what_is_missing_is_noticed(tmp_path, old, new, words):
    notebook = tmp_path / NOTEBOOKS[0].name
    content = json.loads(NOTEBOOKS[0].read_text(encoding="utf-8"))
    content["cells"][-3]["metadata"]["seconds"] = 0 if words != "progress" else 9
    for cell in content["cells"]:
        cell["source"] = "".join(cell["source"]).replace(old, new)
    notebook.write_text(json.dumps(content), encoding="utf-8")
    shutil.copy(ROOT / "notebooks" / "references.bib", tmp_path)
    assert any(words in problem for problem in problems(notebook)), problems(notebook)
