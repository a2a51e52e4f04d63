"""The last touch on a page's HTML: its contents list, its tables, the width of its texts, and the language of names."""

import re
import unicodedata

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

from resnet18_lab.course.report.page_cells import NOT_RUN
from resnet18_lab.course.report.page_tables import dress_tables

_CHINESE = re.compile(
    r"([\u3000-\u303f\u3400-\u9fff\uff00-\uffef]*[\u3400-\u9fff][\u3000-\u303f\u3400-\u9fff\uff00-\uffef]*)"
)

_GAP = re.compile(r"\S {2,}\S")
"""What stands in columns has such gaps."""
_PHONE_COLUMNS = 60
"""Letters of a line that a phone shows in the smallest print; longer ones are broken in any case."""


def finished(html: str) -> str:
    """The page with what can only be told from the whole of it."""
    soup = BeautifulSoup(html, "html.parser")
    _put_facts_below_title(soup)
    _fill_contents(soup)
    dress_tables(soup)
    for text in soup.select(".output pre"):
        lines = text.get_text().splitlines()
        if (
            sum(bool(_GAP.search(line)) for line in lines) > 1
            and (columns := max(map(_width, lines))) <= _PHONE_COLUMNS
        ):
            text["style"] = f"--columns: {columns}"
    _mark_chinese(soup)
    return str(soup)


def _put_facts_below_title(soup: BeautifulSoup) -> None:
    title, facts = soup.select_one("main h1"), soup.select_one("main section.about")
    if title and facts:
        title.insert_after(facts.extract())


def _fill_contents(soup: BeautifulSoup) -> None:
    """A link for each section; one of which no cell ran says so."""
    target = soup.select_one("#contents")
    if target is None:
        return
    sections: list[tuple[Tag, list[str]]] = []
    for found in soup.select("main h2, main [data-state]"):
        if found.name == "h2":
            sections.append((found, []))
        elif sections:
            sections[-1][1].append(str(found["data-state"]))
    used: set[str] = set()
    for number, (heading, states) in enumerate(sections, start=1):
        identity = str(heading.get("id") or f"section-{number}")
        identity = f"{identity}-{number}" if identity in used else identity
        used.add(identity)
        heading["id"] = identity
        link = soup.new_tag("a", href=f"#{identity}")
        link.string = heading.get_text().strip()
        entry = soup.new_tag("li")
        entry.append(link)
        if states and set(states) == {NOT_RUN}:
            entry.append(f" ({NOT_RUN})")
        target.append(entry)


def _width(line: str) -> int:
    """Letters of a line; Chinese ones count twice."""
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in line)


def _mark_chinese(soup: BeautifulSoup) -> None:
    """Chinese in its own language, so that it is spoken, and drawn, as such."""
    main = soup.select_one("main")
    for text in main.find_all(string=_CHINESE) if main else []:
        pieces: list[NavigableString | Tag] = []
        for place, piece in enumerate(_CHINESE.split(text)):
            if place % 2:
                tag = soup.new_tag("span", lang="zh-Hans")
                tag.string = piece
                pieces.append(tag)
            elif piece:
                pieces.append(NavigableString(piece))
        text.replace_with(*pieces)
