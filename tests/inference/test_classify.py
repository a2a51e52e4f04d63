import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.project import samples_dir

from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.inference.classify import classify_files
from resnet18_lab.inference.predictions import softmax, top_k
from resnet18_lab.inference.registry import open_engine


@pytest.fixture(scope="module")
def engine():
    with open_engine("eager", weights="untrained") as backend:
        yield backend


def test_softmax_does_not_overflow():
    shares = softmax(np.array([[1e4, 0.0, -1e4]], dtype=np.float32))
    assert shares.tolist() == [[1.0, 0.0, 0.0]]


@given(arrays(np.float32, (2, 10), elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_softmax_rows_are_shares_of_one(logits):
    shares = softmax(logits)
    assert np.isfinite(shares).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_equal_logits_come_in_order_of_index():
    logits = np.zeros((1, 1000), dtype=np.float32)
    logits[0, [7, 900]] = 1.0
    assert [prediction.index for prediction in top_k(logits, 4)[0]] == [7, 900, 0, 1]


def test_scores_and_ranks_belong_to_their_classes():
    logits = np.zeros((2, 1000), dtype=np.float32)
    logits[0, 281], logits[1, 967] = 5.0, 9.0
    first, second = top_k(logits, 2)
    assert (first[0].en, first[0].wnid, first[0].rank) == ("tabby", "n02123045", 1)
    assert second[0].en == "espresso"
    assert second[0].score == pytest.approx(np.exp(9.0) / (np.exp(9.0) + 999))


@pytest.mark.parametrize("k", [0, -1, 1001])
def test_an_impossible_k_is_refused(k):
    with pytest.raises(ParameterError, match="1 to 1000"):
        top_k(np.zeros((1, 1000), dtype=np.float32), k)


def test_logits_that_are_no_numbers_are_an_error_not_an_answer():
    with pytest.raises(LabError, match="finite"):
        top_k(np.full((1, 1000), np.nan, dtype=np.float32))


def test_results_keep_the_order_of_the_files_around_bad_ones(engine, tmp_path):
    bad = tmp_path / "text.jpg"
    bad.write_text("no picture", encoding="utf-8")
    files = [samples_dir() / "cat.jpg", bad, samples_dir() / "coffee.jpg", tmp_path / "missing.png"]
    results = list(classify_files(files, engine, batch_size=3))
    assert [result.file for result in results] == [os.fspath(file) for file in files]
    assert [result.error and result.error.code for result in results] == [
        None,
        "not_an_image",
        None,
        "file_not_found",
    ]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 50])
def test_the_batch_size_does_not_change_the_answers(engine, batch_size):
    files = sorted(samples_dir().glob("*.jpg"))[:5]
    alone = list(classify_files(files, engine))
    batched = list(classify_files(files, engine, batch_size=batch_size))
    for one, other in zip(alone, batched, strict=True):
        assert [p.index for p in one.predictions] == [p.index for p in other.predictions]
        assert [p.score for p in one.predictions] == pytest.approx([p.score for p in other.predictions], rel=1e-4)


def test_a_result_in_json_has_the_agreed_shape_and_names_its_engine(engine):
    (result,) = classify_files([samples_dir() / "cat.jpg"], engine, k=2)
    answer = json.loads(json.dumps(result.as_json()))
    assert list(answer) == ["file", "predictions", "warnings", "engine"]
    assert list(answer["predictions"][0]) == ["rank", "index", "wnid", "en", "zh", "score"]
    assert answer["engine"]["backend"] == "eager"
    assert answer["engine"]["weights"] == "untrained"


def test_an_error_in_json_has_the_agreed_shape(engine, tmp_path):
    (result,) = classify_files([tmp_path / "missing.jpg"], engine)
    answer = result.as_json()
    assert list(answer) == ["file", "error"]
    assert list(answer["error"]) == ["code", "message", "message_zh"]


def test_a_small_picture_carries_a_warning(engine, tmp_path):
    from PIL import Image

    Image.new("RGB", (100, 300), "red").save(tmp_path / "small.png")
    (result,) = classify_files([tmp_path / "small.png"], engine)
    assert result.warnings == ("upscaled",)


def test_no_files_give_no_results(engine):
    assert list(classify_files([], engine)) == []
