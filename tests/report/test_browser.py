"""The page in a real browser, opened from disk with the network off."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from synthetic_runs import make_run

from bench.report.build import write_report
from bench.report.evidence import About, Evidence
from bench.report.merge import merge_runs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LAPTOP = pytest.mark.parametrize("page", ["light"], indirect=True)
PHONE = pytest.mark.parametrize("page", ["phone"], indirect=True)
ODD = '<i>odd</i> & "quoted"'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = [ODD, *(f"table-{i:02d}" for i in range(40))]
    run = make_run(names, protocols=("clean", "published"), failures={("table-03", "mlp"): ("timeout", "60 s")})
    body = Evidence(
        merge_runs([run]),
        {
            "table-07": About(
                group="small", pages=(("UCI 1", "https://archive.ics.uci.edu/dataset/1"),), faults=("a fault",)
            )
        },
    )
    return write_report(body, tmp_path_factory.mktemp("report")).html


@pytest.fixture(params=["light", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, report: Path) -> Iterator[Page]:
    """The open page; on leaving, nothing may have gone wrong or been asked of the network."""
    size = {"width": 390, "height": 844} if request.param == "phone" else {"width": 1360, "height": 900}
    scheme = "dark" if request.param == "dark" else "light"
    context = browser.new_context(viewport=size, color_scheme=scheme, offline=True, accept_downloads=True)
    opened = context.new_page()
    trouble: list[str] = []
    requests: list[str] = []
    opened.on("console", lambda message: trouble.append(message.text))
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("request", lambda asked: requests.append(asked.url))
    opened.goto(report.as_uri())
    opened.evaluate("document.querySelectorAll('details.fold').forEach(folded => { folded.open = true; })")
    yield opened
    assert trouble == []
    assert [r for r in requests if not r.startswith(("file:", "blob:"))] == []
    context.close()


def column(page: Page, number: int, table: str = "clean-accuracy") -> list[str]:
    cells = page.locator(f"#{table}-rows tbody tr:visible > :nth-child({number})")
    return [words.strip() for words in cells.all_inner_texts()]


def titles(page: Page, table: str = "clean-accuracy") -> list[str]:
    return [words.strip() for words in page.locator(f"#{table}-rows thead th").all_inner_texts()]


def test_sorts_by_click_and_by_key_with_missing_results_last_and_odd_names_as_they_are(page: Page) -> None:
    heads = page.locator("#clean-accuracy-rows thead th")
    rows, number = heads.nth(1), titles(page).index("MLP")
    for press, order in (
        (rows.locator("button").click, "descending"),
        (lambda: page.keyboard.press("Enter"), "ascending"),
    ):
        press()
        assert rows.get_attribute("aria-sort") == order
        sizes = [int(words.replace(",", "")) for words in column(page, 2)]
        assert sizes == sorted(sizes, reverse=order == "descending")
        assert len(sizes) == 41
        rows.locator("button").focus()
    heads.nth(0).locator("button").click()
    assert rows.get_attribute("aria-sort") == "none"
    names = column(page, 1)
    assert names == sorted(names, key=str.lower)
    assert ODD in names
    assert page.locator("i").count() == 0
    for _ in range(2):
        heads.nth(number).locator("button").click()
        assert column(page, number + 1)[-1] == "timeout"


@LAPTOP
def test_the_first_click_puts_the_best_on_top(page: Page) -> None:
    heads = page.locator("#clean-summary-rows thead th")
    for title, best in (("Average rank", min), ("Mean accuracy", max)):
        position = titles(page, "clean-summary").index(title)
        heads.nth(position).locator("button").click()
        values = [float(words) for words in column(page, position + 1, "clean-summary")]
        assert values[0] == best(values)


@LAPTOP
def test_filters_and_says_how_many(page: Page) -> None:
    box = page.get_by_label("Filter rows of Accuracy by dataset, protocol clean")
    box.fill("TABLE-1")
    assert len(column(page, 1)) == 10
    assert page.locator("#clean-accuracy-table .shown").inner_text() == "10 of 41"
    box.fill("no such table")
    assert column(page, 1) == []
    box.fill("")
    assert len(column(page, 1)) == 41


def test_a_link_to_a_dataset_opens_it_and_again_once_it_is_closed_and_ends_a_filter(page: Page) -> None:
    target = page.locator("details#dataset-table-07")
    link = page.locator("#clean-accuracy-rows").get_by_role("link", name="table-07", exact=True)

    def follow() -> None:
        assert target.get_attribute("open") is None
        link.click()
        page.locator("details#dataset-table-07[open]").wait_for()

    follow()
    target.get_by_text("Known faults of this dataset: a fault").wait_for(state="visible")
    assert 0 <= page.evaluate("document.getElementById('dataset-table-07').getBoundingClientRect().top") < 200
    uci = target.get_by_role("link", name="UCI 1")
    assert uci.get_attribute("href") == "https://archive.ics.uci.edu/dataset/1"
    for words in ("", "no such table"):
        page.locator("#dataset-table-07 > summary").click()
        page.locator("details#dataset-table-07:not([open])").wait_for()
        box, shown = page.get_by_label("Filter Dataset by dataset"), page.locator("p.tools .shown")
        box.fill(words)
        assert shown.inner_text() == ("0 of 41" if words else "")
        follow()
        assert (box.input_value(), shown.inner_text()) == ("", "")
        assert page.locator("#datasets-list > details:visible").count() == 41


@LAPTOP
def test_a_bar_is_found_by_the_pointer_over_the_whole_height(page: Page) -> None:
    area = page.locator("#clean-rfm-minus-laplace-figure svg.plot:visible .hits path").nth(3)
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    found = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).closest('a')?.getAttribute('href')",
        [box["x"] + box["width"] / 2, box["y"] + box["height"] - 5],
    )
    assert found == area.locator("xpath=ancestor::*[local-name()='a']").get_attribute("href")


@pytest.mark.parametrize("page", ["light", "dark", "phone"], indirect=True)
def test_nothing_sticks_out_sideways_and_colours_contrast(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    ink, paper = page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
    assert contrast(ink, paper) > 7


@LAPTOP
def test_on_a_laptop_wide_tables_fit_the_leaderboard_is_on_the_first_screen_and_tab_stops_are_few(page: Page) -> None:
    last = page.locator("#clean-leaderboard-rows tbody tr").last.bounding_box()
    assert last is not None
    assert last["y"] + last["height"] <= 900
    assert page.locator("svg a").count() > 200
    assert page.locator("svg a:not([tabindex='-1'])").count() == 0  # none is a dot of a figure
    idle = page.evaluate(
        "[...document.querySelectorAll('.scroll[tabindex], .drawing[tabindex]')]"
        ".filter(b => !b.closest('details'))"
        ".filter(b => b.scrollWidth <= b.clientWidth && b.scrollHeight <= b.clientHeight).length"
    )
    assert idle == 0
    for width in (1280, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        for table in ("clean-leaderboard", "clean-summary", "clean-accuracy"):
            assert fits(page, f"#{table}-table .scroll"), (width, table)


@PHONE
def test_on_a_phone_the_leaderboard_and_the_figures_fit_and_are_legible(page: Page) -> None:
    assert fits(page, "#clean-leaderboard-table .scroll")
    assert page.locator("#clean-difference-figure svg.plot:visible").count() == 1
    assert fits(page, "#clean-difference-figure .drawing")
    sizes = page.evaluate(
        """[...document.querySelectorAll('svg.plot text')].filter(t => t.getClientRects().length)
        .map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a).filter(size => size > 0)"""
    )
    assert len(sizes) > 50
    assert min(sizes) >= 10.5


def fits(page: Page, selector: str) -> bool:
    """Whether it needs no scrolling to the side."""
    return bool(page.evaluate(f"(b => b.scrollWidth <= b.clientWidth)(document.querySelector('{selector}'))"))


def test_one_protocol_is_shown_at_a_time_and_arrow_keys_go_from_tab_to_tab(page: Page) -> None:
    clean, published = (page.get_by_role("tab", name=name) for name in ("clean", "published"))
    assert page.locator(".panel:visible").count() == 1
    published.click()
    assert published.get_attribute("aria-selected") == "true"
    assert page.locator("#published-panel").is_visible()
    assert not page.locator("#clean-panel").is_visible()
    page.keyboard.press("ArrowRight")
    assert clean.get_attribute("aria-selected") == "true"
    assert clean.evaluate("tab => tab === document.activeElement")
    assert page.locator("#clean-panel").is_visible()


@LAPTOP
def test_a_link_into_another_tab_selects_it_and_opens_what_is_folded(page: Page, report: Path) -> None:
    page.goto(f"{report.as_uri()}#published-datasets")
    page.reload()
    assert page.locator("#published-panel").is_visible()
    assert page.locator("#published-accuracy-rows").is_visible()
    assert not page.locator("#clean-panel").is_visible()
    page.evaluate("location.hash = '#dataset-table-07'")
    page.locator("details#dataset-table-07[open]").wait_for()
    assert page.locator("#dataset-table-07").is_visible()


@LAPTOP
def test_any_method_can_be_compared_with(page: Page) -> None:
    box = page.get_by_label("Compare with").first
    assert page.locator("#clean-leaderboard-table").is_visible()
    box.select_option("NTK")
    assert not page.locator("#clean-leaderboard-table").is_visible()
    head = page.locator("#clean-leaderboard-ntk-rows thead")
    assert "NTK − method" in head.inner_text()
    row = page.locator("#clean-leaderboard-ntk-rows tbody tr").filter(has_text="NTK")
    assert "reference" in row.inner_text()


@LAPTOP
def test_scores_are_shown_as_differences_from_any_method(page: Page) -> None:
    rfm, ntk = (titles(page).index(name) + 1 for name in ("RFM", "NTK"))
    before = [(float(a), float(b)) for a, b in zip(column(page, rfm), column(page, ntk), strict=True)]
    box = page.get_by_label("Show Accuracy by dataset, protocol clean as")
    box.select_option("minus NTK")
    assert column(page, ntk) == ["0.00"] * 41
    shown = [float(words.replace("−", "-")) for words in column(page, rfm)]
    assert shown == pytest.approx([a - b for a, b in before], abs=0.011)
    box.select_option("values")
    assert [float(words) for words in column(page, rfm)] == [a for a, _ in before]


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio of two ``rgb(...)`` colours."""

    def luminance(colour: str) -> float:
        parts = [int(v) / 255 for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


COMMON = "All available datasets, the 40 of 41 that all methods have, protocol clean as CSV"


@LAPTOP
def test_downloads(page: Page, report: Path) -> None:
    def downloaded(label: str, name: str) -> str:
        with page.expect_download() as waiting:
            page.get_by_label(f"Download {label}", exact=True).first.click()
        assert waiting.value.suggested_filename == name
        return Path(waiting.value.path()).read_text(encoding="utf-8")

    table = downloaded(COMMON, "clean-summary.csv")
    assert table.startswith("Method,Mean accuracy,SD")
    assert len(table.splitlines()) == 8
    assert "±" in table
    data = downloaded("the data of Performance profile as CSV", "clean-profiles.csv")
    assert data.startswith("within_percent_of_best,rfm")
    text = downloaded("RFM minus Laplace, dataset by dataset as SVG", "clean-rfm-minus-laplace.svg")
    assert not [words for words in ("var(", "<a ") if words in text]
    drawn = ET.fromstring(text)
    kept = ET.fromstring((report.parent / "figures" / "clean-rfm-minus-laplace.svg").read_text(encoding="utf-8"))
    assert [(e.tag, e.text) for e in drawn.iter()] == [(e.tag, e.text) for e in kept.iter()]
    assert drawn[1].attrib == kept[1].attrib
