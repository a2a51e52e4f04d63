import io
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font

from resnet18_lab.base.samples import load_samples
from resnet18_lab.benchmark.style import CHART, CHINESE_FONT, new_figure, styled
from resnet18_lab.course.classification.figures import gallery, overlays, steps, tiles, top_k, variants
from resnet18_lab.inference import labels
from resnet18_lab.inference.predictions import Prediction, Result
from resnet18_lab.preprocessing.refusals import TEXTS

CROP = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)


def predictions(count=3):
    return [
        Prediction(rank, index, "n", labels.by_index(index).en, labels.by_index(index).zh, 0.3)
        for rank, index in enumerate(range(count), 1)
    ]


def texts(figure):
    from matplotlib.text import Text

    return " ".join(text.get_text() for text in figure.findobj(Text))


@styled  # which makes the font known to matplotlib
def test_the_font_has_a_glyph_for_every_chinese_name_and_message():
    font = FT2Font(findfont(FontProperties(family=CHINESE_FONT), fallback_to_default=False))
    known = set(map(chr, font.get_charmap()))
    wanted = {character for label in labels.all_labels() for character in label.zh}
    wanted |= {character for pair in TEXTS.values() for character in pair[1]}
    assert wanted - known == set()


@styled
@pytest.mark.slow
def test_every_name_is_drawn_without_a_missing_glyph():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of each glyph it lacks
        for start in range(0, 1000, 50):
            figure = Figure(figsize=(6, 12))
            for row, label in enumerate(labels.all_labels()[start : start + 50]):
                figure.text(0.1, 1 - row / 50, f"{label.en} {label.zh}")
            figure.savefig(io.BytesIO(), format="png")


@pytest.mark.parametrize("weights", ["compact", "untrained"])
def test_figures_say_when_the_weights_are_untrained(weights):
    chosen = load_samples()[:2]
    results = [Result("a.jpg", tuple(predictions())), Result("b.jpg", tuple(predictions()))]
    heat = np.zeros((224, 224), dtype=np.float32)
    figures = [
        steps([("one", CROP), ("two", CROP)], weights),
        top_k(CROP, predictions(), weights),
        gallery(chosen, [CROP, CROP], results, weights),
        variants([("a", [("right", CROP, predictions()[0]), ("BGR", CROP, predictions()[1])])], weights),
        tiles(np.zeros((4, 7, 7), dtype=np.float32), 2, "maps", weights),
        overlays(CROP, [("heat", heat)], weights),
    ]
    for figure in figures:
        assert ("UNTRAINED" in texts(figure)) == (weights == "untrained")


def test_bars_carry_both_names():
    figure = top_k(CROP, predictions(), "compact")
    figure.draw_without_rendering()  # tick labels get their text when drawn
    shown = texts(figure)
    assert "tench" in shown
    assert "丁鱥" in shown


def test_photographs_are_stored_as_jpeg_and_charts_as_png():
    photograph, chart = steps([("one", CROP), ("two", CROP)], "compact"), new_figure(4, 3, None, CHART)
    assert photograph._repr_jpeg_()[:2] == b"\xff\xd8"
    assert photograph._repr_png_() is None
    assert chart._repr_png_()[:4] == b"\x89PNG"
    assert chart._repr_jpeg_() is None
