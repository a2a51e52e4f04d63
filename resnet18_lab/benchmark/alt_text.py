"""What a figure shows, in words, for those who do not see it: all of it is read off the figure itself."""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

_MOST = 1200
"""Letters of a description; a reader that speaks cannot skip within it."""


def alt_text(figure: Figure) -> str:
    """A description of the figure: its kind, then of each panel the title, axes, legend, names and words in it."""
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    drawn = [axes for axes in panels if axes.axison]
    kind = "Chart" if drawn else "Pictures" if any(axes.images for axes in panels) else "Drawing"
    parts = [figure.get_suptitle(), figure.get_supxlabel(), *(_panel(axes) for axes in panels)]
    parts += [_listed("series", (text.get_text() for text in legend.get_texts())) for legend in figure.legends]
    said = "; ".join(_distinct(parts))
    if len(said) > _MOST:
        said = said[:_MOST].rsplit(" ", 1)[0] + " … and more"
    return f"{kind}: {said}." if said else f"{kind} of {len(panels)} panel{'s' if len(panels) != 1 else ''}."


def _panel(axes: Axes) -> str:
    parts = [axes.get_title()]
    words = [word for word in _distinct(text.get_text() for text in axes.texts) if any(map(str.isalpha, word))]
    if axes.axison:
        parts += [
            f"{name}: {text}" for name, text in (("across", axes.get_xlabel()), ("up", axes.get_ylabel())) if text
        ]
        names = _categories(axes.yaxis) or _categories(axes.xaxis)
        labels = [text.get_text() for text in axes.texts]
        if names and len(names) == len(labels):  # a bar each, with what is written at its end
            names, words = [f"{name} {_one_line(label)}" for name, label in zip(names, labels, strict=True)], []
        parts.append(_listed("of", names))
    if legend := axes.get_legend():
        parts.append(_listed("series", (text.get_text() for text in legend.get_texts())))
    parts.append(_listed("marked", words))
    return ", ".join(_distinct(parts))


def _categories(axis: Axis) -> list[str]:
    """Names along an axis; nothing where it counts."""
    names = _distinct(label.get_text() for label in axis.get_ticklabels())
    has_words = any(any(letter.isalpha() for letter in name) for name in names if "$" not in name)  # $10^2$ is a number
    return names if has_words else []


def _listed(name: str, texts: Iterable[str]) -> str:
    found = _distinct(texts)
    return f"{name}: {' / '.join(found)}" if found else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(line for text in texts if (line := _one_line(text))))
