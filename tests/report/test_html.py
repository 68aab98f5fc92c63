"""The page as text: self-contained, well-formed, everything escaped, small."""

from __future__ import annotations

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from synthetic_runs import make_run

from bench.report.blocks import Cell, Column, Document, Figure, Section, Table
from bench.report.build import write_report
from bench.report.evidence import Evidence
from bench.report.figures.style import palette
from bench.report.html import padding
from bench.report.markdown import escaped, render_markdown
from bench.report.merge import merge_runs

VOID = {"meta", "input", "br", "link"}
HOSTILE = "<script>alert(\"1\")</script> & 'quoted'"


class Structure(HTMLParser):
    """Checks nesting; collects attributes of interest."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.ids, self.loads, self.anchors = list[str](), list[str](), list[str](), list[str]()
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.scripts += tag == "script"
        self.ids += [found["id"] or ""] if "id" in found else []
        self.loads += [v or "" for k, v in attrs if k in ("src", "srcset", "action") or (k == "href" and tag == "link")]
        if tag == "a" and "href" in found:
            self.anchors.append(found["href"] or "")
        assert not any(k.startswith("on") for k, _ in attrs), f"an event handler in <{tag}>"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def structure(page: str) -> Structure:
    parser = Structure()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a written report."""
    names = [HOSTILE, "iris", "wine", "zoo", *(f"table-{i}" for i in range(8))]
    failures = {("wine", "mlp"): ("error", HOSTILE)}
    run = make_run(names, ["rfm", "laplace", "mlp"], ("clean", "published"), failures=failures, folder=HOSTILE)
    return write_report(Evidence(merge_runs([run])), tmp_path_factory.mktemp("report")).html.parent


@pytest.fixture(scope="module")
def page(report: Path) -> str:
    return (report / "index.html").read_text(encoding="utf-8")


def test_well_formed_with_distinct_ids_and_no_dead_anchor(page: str) -> None:
    found = structure(page)
    assert len(found.ids) == len(set(found.ids))
    inside = [a[1:] for a in found.anchors if a.startswith("#")]
    assert set(inside) <= set(found.ids)
    assert len(inside) > 50


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    found = structure(page)
    assert found.loads == []
    assert not re.search(r"url\(|@import", page)
    assert "default-src 'none'" in page
    outside = {a for a in found.anchors if not a.startswith("#")}
    known = ("https://www.openml.org/d/", "https://archive.ics.uci.edu/dataset/", "https://arxiv.org/abs/")
    assert all(address.startswith(known) for address in outside)


def test_hostile_names_are_text(page: str) -> None:
    assert structure(page).scripts == 1
    assert 'alert("1")' not in page
    assert "&lt;script&gt;alert(" in page
    section = Section(HOSTILE, HOSTILE, (Figure(HOSTILE, HOSTILE, HOSTILE, "", "data"),))
    text = render_markdown(Document(HOSTILE, HOSTILE, (), (section, section)))
    assert "<script" not in text
    assert 'id="&lt;script&gt;alert(&quot;1&quot;)' in text


def test_the_policy_admits_the_pages_own_script(page: str) -> None:
    script = page.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.replace("&#39;", "'")


def test_figure_files_are_xml_without_links_into_the_page_in_literal_colours(report: Path) -> None:
    """Renderers outside browsers know no custom properties: CairoSVG and the like paint var(...) black."""
    drawings = sorted((report / "figures").glob("*.svg"))
    assert len(drawings) >= 15
    for path in drawings:
        text = path.read_text(encoding="utf-8")
        root = ET.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not root.findall(".//{http://www.w3.org/2000/svg}a")
        ground = root.find("{http://www.w3.org/2000/svg}rect")
        assert ground is not None
        assert ground.attrib == {"width": "100%", "height": "100%", "fill": palette()["paper"]}
        assert not [words for words in ("var(", "--", "@media") if words in text]
        assert f"fill:{palette()['ink']}" in text or f"fill:{palette()['muted']}" in text
    referenced = set(re.findall(r"\(figures/([^)]+)\)", (report / "report.md").read_text(encoding="utf-8")))
    assert referenced == {p.name for p in (report / "figures").iterdir()}
    assert list(report.glob(".*")) == []


def numbers(*texts: str) -> list[str]:
    rows = tuple((Cell("row"), Cell(text)) for text in texts)
    return [line[1] for line in padding(Table("t", (Column("a", "text"), Column("b")), rows, "c"))]


def test_decimal_points_of_a_column_stand_below_one_another() -> None:
    digit, point = "\u2007", "\u2008"
    assert numbers("0.52", "12.3", "1,234", "\u2212" + "3.45") == ["", digit, point + 2 * digit, ""]
    assert numbers("< 0.001", "0.05", "\u2013") == ["", digit, ""]
    assert numbers("timeout", "90 / 1 / 3", "+1.0 ± 0.30") == ["", "", ""]
    assert padding(Table("t", (Column("a"),), (), "c")) == ()


def test_columns_are_explained_where_a_keyboard_or_a_finger_gets_at_it(page: str) -> None:
    summary = page.split('id="clean-summary-table"')[1].split("</figure>")[0]
    told = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", summary.split('<details class="hints">')[1])
    titles = [re.sub("<[^>]+>", "", head) for head in re.findall(r"<th scope=\"col\".*?</th>", summary)]
    assert {title for title, _ in told} == set(titles) - {"Method"}
    assert all(words for _, words in told)
    before_list = page.split('id="datasets-list"')[0].rsplit('<details class="hints">', 1)[1]
    assert before_list.count("<dt>Validation</dt>") == 1


def test_markdown_text_is_literal() -> None:
    assert escaped("a_b <c> | *d* `e` [f](g) & ~h\\") == (r"a\_b &lt;c&gt; \| \*d\* \`e\` \[f\](g) &amp; \~h\\")
    assert escaped("two\nlines") == "two lines"
