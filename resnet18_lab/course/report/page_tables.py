"""Tables as a page shows them: headers aligned as their columns are, and what is too wide for a phone made to stack."""

import re
from collections.abc import Iterable

from bs4 import BeautifulSoup, Tag

_NUMBER = re.compile(r"[^A-Za-z\u3400-\u9fff]*\d([eE][-+]?\d)?[^A-Za-z\u3400-\u9fff]*( (ms|s|[kMG]?B|[kMG]))?")
_NO_VALUE = ("", "-", "NaN", "None")
_PHONE, _TABLET = 40, 80
"""Letters beside each other that such a screen shows; longest words of all columns, and room between them."""
_LONG_WORD = 24


def dress_tables(soup: BeautifulSoup) -> None:
    """Give every table of the page its classes, scopes and labels."""
    for style in soup.select(".output style"):
        style.decompose()  # pandas aligns all headers to the right, whatever is below them
    for table in soup.select("main table"):
        _dress(table)


def _dress(table: Tag) -> None:
    body = [list(row.find_all(["th", "td"])) for row in table.select("tbody tr")]
    head = [_spread(row.find_all(["th", "td"])) for row in table.select("thead tr")]
    table.attrs.pop("border", None)
    for row in table.select("thead tr"):
        row.attrs.pop("style", None)
    for cell in table.select("thead th"):
        cell["scope"] = "col"
    for cell in table.select("tbody th"):
        cell["scope"] = "rowgroup" if cell.has_attr("rowspan") else "row"
    if table.select("[rowspan]") or len({len(row) for row in body}) != 1:
        _add_class(table, "loose")
        return
    columns = list(zip(*body, strict=True))
    numeric = [_is_numeric(column) for column in columns]
    for cells in [*head, *body]:
        for cell in cells:  # tags of equal content are equal, so they are told apart by identity
            if all(numeric[place] for place, other in enumerate(cells[: len(numeric)]) if other is cell):
                _add_class(cell, "number")
    for value in table.select("td"):
        if max(map(len, value.get_text().split()), default=0) > _LONG_WORD:
            _add_class(value, "long")
    _stack(table, body, head, columns)


def _spread(cells: Iterable[Tag]) -> list[Tag]:
    """The cells of a row, each as often as it has columns."""
    return [cell for cell in cells for _ in range(int(str(cell.get("colspan") or 1)))]


def _is_numeric(column: Iterable[Tag]) -> bool:
    texts = [cell.get_text().strip() for cell in column if cell.name == "td"]
    values = [text for text in texts if text not in _NO_VALUE]
    return bool(values) and all(_NUMBER.fullmatch(text) for text in values)


def _stack(table: Tag, body: list[list[Tag]], head: list[list[Tag]], columns: list[tuple[Tag, ...]]) -> None:
    """Say from which width on the rows of a table stand below each other, each cell with its header's words."""
    names = [" ".join(_words(row[place] for row in head if place < len(row))) for place in range(len(columns))]
    least = 0
    for name, column in zip(names, columns, strict=True):
        words = [word for text in (name, *(cell.get_text() for cell in column)) for word in text.split()]
        least += min(_LONG_WORD, max(map(len, words), default=0)) + 2
    if least > _PHONE and head:
        _add_class(table, "wide" if least <= _TABLET else "wider")
        if [cell.get_text().strip() for cell in columns[0]] == [str(place) for place in range(len(body))]:
            _add_class(table, "counted")  # the rows have no names of their own
        for row in body:
            for name, cell in zip(names, row, strict=True):
                cell["data-label"] = name


def _words(cells: Iterable[Tag]) -> list[str]:
    return list(dict.fromkeys(text for cell in cells if (text := cell.get_text().strip())))


def _add_class(tag: Tag, name: str) -> None:
    names = " ".join(str(one) for one in tag.get_attribute_list("class") if one).split()
    if name not in names:
        tag["class"] = " ".join([*names, name])
