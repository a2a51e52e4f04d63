import base64
import io
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from resnet18_lab.base.machine import cpu_model
from resnet18_lab.benchmark.style import CHART, chart, new_figure, show
from resnet18_lab.course.report.execution import Failure, Run
from resnet18_lab.course.report.pages import Card, write_index, write_page
from resnet18_lab.weights.find import WeightsFile

WEIGHTS = WeightsFile("untrained", None, "0" * 64, "made here")
DECLARED = 'weights: str = "auto"  # which weights\ncount: int = 3  # how many\nresults_dir: str = ""  # where to'
RESOURCE = re.compile(r"""(?:src|href|url|import)\s*[=(]\s*["']?\s*(https?:)?//""", re.IGNORECASE)
CLIPPED = """() => {
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push(`document: ${document.documentElement.scrollWidth}`);
  for (const part of document.querySelectorAll("body *")) {
    const style = getComputedStyle(part), box = part.getBoundingClientRect();
    const name = `${part.tagName}.${part.className}: ${part.textContent.slice(0, 40)}`;
    if (box.width && box.right > innerWidth + 1) found.push(`outside: ${name}`);
    if (style.display !== "inline" && part.clientWidth && part.scrollWidth > part.clientWidth + 1)
      found.push(`clipped: ${name}`);
  }
  return found;
}"""


def code(source, *outputs, ran=True, **metadata):
    return nbformat.v4.new_code_cell(
        source, outputs=list(outputs), execution_count=1 if ran else None, metadata=metadata
    )


def text(words):
    return nbformat.v4.new_output("stream", name="stdout", text=words)


def shown(figure_or_table):
    if isinstance(figure_or_table, pd.DataFrame):
        data, metadata = {"text/html": figure_or_table.to_html(), "text/plain": "table"}, {}
    else:
        data, metadata = figure_or_table._repr_mimebundle_()
    return nbformat.v4.new_output("execute_result", data=data, metadata=metadata, execution_count=1)


def plain_png(width=40):
    out = io.BytesIO()
    Image.new("RGB", (width, 30)).save(out, "PNG")
    data = {"image/png": base64.b64encode(out.getvalue()).decode("ascii")}
    return nbformat.v4.new_output("display_data", data=data)


def markdown(source):
    return nbformat.v4.new_markdown_cell(source)


@pytest.fixture
def page_of(tmp_path):
    """Renders cells behind a title and the parameters; the page as soup, with its card."""

    def page_of(*cells, failure=None, noisy=(), parameters=None, neighbours=(None, None)):
        notebook = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        )
        notebook.cells = [markdown("# A lesson"), code(DECLARED, tags=["parameters"]), *cells]
        nbformat.write(notebook, tmp_path / "02_lesson.ipynb")
        run = Run("02_lesson", tmp_path / "02_lesson.ipynb", 3.0, parameters or {}, failure, noisy)
        card = write_page(run, WEIGHTS, tmp_path / "02_lesson.html", neighbours=neighbours)
        page_of.path, page_of.card = tmp_path / "02_lesson.html", card
        return BeautifulSoup((tmp_path / "02_lesson.html").read_text(encoding="utf-8"), "html.parser")

    return page_of


def index_of(tmp_path, *cards):
    write_index(list(cards), WEIGHTS, "fast", tmp_path / "index.html")
    return BeautifulSoup((tmp_path / "index.html").read_text(encoding="utf-8"), "html.parser")


def test_cells_are_numbered_over_all_cells_as_failures_are(page_of):
    page = page_of(markdown("## One"), code("a = 1"), markdown("words"), code("b = 2"))
    assert [summary.get_text() for summary in page.select("details.code > summary")] == ["cell 2", "cell 4", "cell 6"]
    assert "b = 2" in page.select_one("#cell-6").get_text()


def test_papermills_own_notices_are_left_out_and_do_not_count(page_of):
    notice = markdown("An Exception was encountered at 'In [2]'")
    notice.metadata["tags"] = ["papermill-error-cell-tag"]
    page = page_of(notice, code("1 / 0"))
    assert "Exception was encountered" not in page.get_text()
    assert "1 / 0" in page.select_one("#cell-3").get_text()


def test_contents_lead_to_every_section_even_to_two_of_one_name(page_of):
    page = page_of(markdown("## What *is* it?"), markdown("## Again"), markdown("## Again\n\n### Not listed"))
    links = page.select("#contents a")
    assert [link.get_text() for link in links] == ["What is it?", "Again", "Again"]
    targets = [link["href"].removeprefix("#") for link in links]
    assert len(set(targets)) == 3
    assert all(page.find(id=target).name == "h2" for target in targets)


def test_neighbours_and_the_index_are_linked_at_both_ends(page_of):
    page = page_of(neighbours=("01_first", "03_last"))
    for pages in page.select("nav.pages"):
        assert [link["href"] for link in pages.select("a")] == ["index.html", "01_first.html", "03_last.html"]
    assert len(page.select("nav.pages")) == 2
    alone = page_of()
    assert {link["href"] for link in alone.select("nav.pages a")} == {"index.html"}


def test_parameters_given_and_defaults_and_the_processor_are_named(page_of):
    page = page_of(parameters={"count": 7, "weights": "auto"})
    said = [" ".join(entry.get_text(" ").split()) for entry in page.select(".parameters li")]
    assert said == [
        "weights = 'auto' which weights",
        "count = 7 given; default 3 how many",
        "results_dir = '' where to",
    ]
    assert cpu_model() in page.get_text()
    assert "usable core" in page.get_text()


def test_a_run_that_went_well_says_so(page_of, tmp_path):
    page = page_of(code("print(1)", text("1")))
    assert page.select_one(".state").get_text() == "ran"
    assert not page.select(".stopped, .noise, .unfounded, .not-run")
    assert index_of(tmp_path, page_of.card).select_one(".cards .state").get_text() == "ran"


def test_a_noisy_run_lists_what_was_withheld(page_of, tmp_path):
    page = page_of(code("print(1)"), noisy=("threads: others had <30 %>",))
    assert page.select_one(".state").get_text() == "ran, noisy"
    assert [entry.get_text() for entry in page.select(".noise li")] == ["threads: others had <30 %>"]
    index = index_of(tmp_path, page_of.card)
    assert index.select_one(".cards .state").get_text() == "ran, noisy"
    assert "threads: others had <30 %>" in index.get_text()


FAILED = (
    markdown("## One"), code("1 / 0"), markdown("## Two"), code("print('later')", ran=False),
    markdown("## Summary\n\n- All is well."),
)  # fmt: skip


def test_in_a_failed_run_what_did_not_run_is_marked_and_the_summary_is_doubted(page_of, tmp_path):
    page = page_of(*FAILED, failure=Failure("OTHER", 4, "1 / 0", "ZeroDivisionError: division by <zero>"))
    assert page.select_one(".state").get_text() == "failed"
    assert page.select_one(".stopped a")["href"] == "#cell-4"
    assert "division by <zero>" in page.select_one(".stopped").get_text()
    assert [cell["data-state"] for cell in page.select(".numbered")] == ["", "failed", "not run"]
    assert page.select_one("#cell-4 details").has_attr("open")
    assert "not run" in page.select_one("#cell-6 summary").get_text()
    assert [entry.get_text() for entry in page.select("#contents li")] == ["One", "Two (not run)", "Summary"]
    doubt = page.select_one(".unfounded")
    assert doubt.find_previous("h2").get_text() == "Summary"
    assert "Not founded" in doubt.get_text()
    assert "cell 4" in doubt.get_text()
    assert index_of(tmp_path, page_of.card).select_one(".cards .state").get_text() == "failed"


def test_where_the_cell_is_not_known_those_without_a_count_did_not_run(page_of):
    page = page_of(*FAILED, failure=Failure("KERNEL_DIED", None, "", "the kernel died"))
    assert [cell["data-state"] for cell in page.select(".numbered")] == ["", "", "not run"]
    assert page.select_one(".unfounded")


def test_what_is_still_to_come_has_no_link_in_the_index(tmp_path):
    waiting = Card("03_last", "03_last", 0.0, None, Failure("NOT_RUN", None, "", "the report ended before it"))
    index = index_of(tmp_path, waiting)
    assert index.select_one(".cards .state").get_text() == "not run"
    assert not index.select(".cards a")
    assert cpu_model() in index.select_one(".facts").get_text()


def test_a_figure_describes_itself(page_of, tmp_path):
    figure, axes = chart("Time by threads", "threads", "ms", None)
    axes.plot([1, 2], [3, 4], label="eager")
    figure.legend()
    pictures = new_figure(4, 2, None)
    show(pictures.subplots(), np.zeros((8, 8, 3), dtype=np.uint8), "a black square")
    bars = new_figure(4, 2, None, CHART)
    drawn = bars.subplots()
    drawn.bar_label(drawn.barh(["cup", "cat"], [1, 2]), ["10 %", "20 %"])
    page = page_of(code("a", shown(figure)), code("b", shown(pictures)), code("c", shown(bars)))
    assert [image["alt"] for image in page.select("main img")] == [
        "Chart: Time by threads, across: threads, up: ms; series: eager.",
        "Pictures: a black square.",
        "Chart: of: cup 10 % / cat 20 %.",
    ]
    assert "Time by threads" in index_of(tmp_path, page_of.card).select_one(".cards img")["alt"]


def test_a_figure_that_says_nothing_is_described_by_the_words_before_it(page_of):
    section = markdown("## All samples\n\nMany of them.\n\nSee [this](x.md). Look at the *last* row.")
    page = page_of(code("a", plain_png()), section, code("b", plain_png()))
    first, second = (image["alt"] for image in page.select("main img"))
    assert second == 'Figure in the section "All samples": Look at the last row.'
    assert first
    assert "No description" not in str(page)


def test_headers_stand_as_their_columns_do_and_no_cell_is_cut(page_of):
    words = "a long remark that goes on " * 6
    table = pd.DataFrame({"name": ["a", "b"], "ms": [1.5, 12.25], "size": ["1.0 MB", "22 MB"], "note": [words, ""]})
    assert words.strip() in table._repr_html_()
    page = page_of(code("a", shown(table)))
    numeric = [header.get_text() for header in page.select("thead th.number")]
    assert numeric == ["ms", "size"]
    assert len(page.select("tbody td.number")) == 4
    assert not page.select("thead tr[style], .output style")
    assert all(header["scope"] == "col" for header in page.select("thead th"))


def test_chinese_is_marked_as_such(page_of):
    page = page_of(code("a", text("espresso 意式浓缩咖啡 (967)")))
    assert page.html["lang"] == "en"
    assert [span.get_text() for span in page.select('[lang="zh-Hans"]')] == ["意式浓缩咖啡"]


def broad_page(page_of):
    broad = pd.DataFrame({f"column {number}": [f"value-{number}", "12.5 ± 0.3"] for number in range(14)})
    path = pd.DataFrame({"file": ["/a" * 90], "sha256": ["0f" * 32]})
    grouped = pd.concat({"with skip connections": broad.iloc[:, :4], "all cut": broad.iloc[:, :4]}, axis=1)
    return page_of(
        markdown(f"## {'Very' * 30}\n\n`{'code_' * 60}`"),
        code("x = " + "1 + " * 90 + "1", text("unbroken" * 80 + "\n" + "words and " * 60)),
        code("broad", shown(broad), shown(path), shown(grouped)),
        code("figure", shown(new_figure(22, 2, None, CHART)), plain_png(3000)),
        code("raise", nbformat.v4.new_output("error", ename="E", evalue="x", traceback=["E: " + "trace" * 90])),
        failure=Failure("OTHER", 6, "raise", "E: " + "trace" * 90),
        parameters={"results_dir": "/folder" * 40},
        neighbours=("01_" + "first" * 20, "03_" + "last" * 20),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1600, 900), (390, 844)])
def test_nothing_is_clipped_on_a_projector_or_a_phone(page_of, tmp_path, browser, width, height):
    broad_page(page_of)
    card = page_of.card
    index_of(tmp_path, card, Card("03", "n" * 90, 1.0, None, None, ("noise" * 40,)))
    context = browser.new_context(viewport={"width": width, "height": height})
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    for name in ("02_lesson.html", "index.html"):
        page.goto((tmp_path / name).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert page.evaluate(CLIPPED) == [], name
    context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.slow
def test_the_page_is_used_with_the_keyboard_alone(page_of, browser):
    page_of(markdown("## One"), code("a = 1"), neighbours=("01_first", None))
    page = browser.new_page()
    page.goto(page_of.path.as_uri())
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent"))
    assert reached[:4] == ["↑ all notebooks", "← 01 first", "Show all code", "One"]
    assert reached[4:6] == ["cell 2", "cell 4"]
    page.locator("#toggle").press("Enter")
    assert page.locator("details[open]").count() == 2
    page.close()


def test_a_page_loads_nothing(page_of):
    broad_page(page_of)
    assert not RESOURCE.search(page_of.path.read_text(encoding="utf-8"))
