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
    body = Evidence(merge_runs([run]), {"table-07": About(group="small", uci=1, faults=("a fault",))})
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


def column(page: Page, number: int) -> list[str]:
    cells = page.locator(f"#clean-accuracy-rows tbody tr:visible > :nth-child({number})")
    return [words.strip() for words in cells.all_inner_texts()]


def test_sorts_by_click_and_by_key(page: Page) -> None:
    heads = page.locator("#clean-accuracy-rows thead th")
    rows = heads.nth(1)
    rows.locator("button").click()
    assert rows.get_attribute("aria-sort") == "descending"
    sizes = [int(words.replace(",", "")) for words in column(page, 2)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 41
    rows.locator("button").focus()
    page.keyboard.press("Enter")
    assert rows.get_attribute("aria-sort") == "ascending"
    sizes = [int(words.replace(",", "")) for words in column(page, 2)]
    assert sizes == sorted(sizes)
    heads.nth(0).locator("button").click()
    assert rows.get_attribute("aria-sort") == "none"
    names = column(page, 1)
    assert names == sorted(names, key=str.lower)


@LAPTOP
def test_the_first_click_puts_the_best_on_top(page: Page) -> None:
    heads = page.locator("#clean-summary-rows thead th")
    titles = [words.strip() for words in heads.all_inner_texts()]
    for title, best in (("Average rank", min), ("Mean accuracy", max)):
        position = titles.index(title)
        heads.nth(position).locator("button").click()
        cells = page.locator(f"#clean-summary-rows tbody tr > :nth-child({position + 1})")
        values = [float(words) for words in cells.all_inner_texts()]
        assert values[0] == best(values)


def test_missing_results_sort_last_either_way(page: Page) -> None:
    titles = page.locator("#clean-accuracy-rows thead th").all_inner_texts()
    position = [words.strip() for words in titles].index("MLP")
    button = page.locator("#clean-accuracy-rows thead th").nth(position).locator("button")
    for _ in range(2):
        button.click()
        assert column(page, position + 1)[-1] == "timeout"


def test_filters_and_says_how_many(page: Page) -> None:
    box = page.get_by_label("Filter rows of Accuracy by dataset, protocol clean")
    box.fill("TABLE-1")
    assert len(column(page, 1)) == 10
    assert page.locator("#clean-accuracy-table .shown").inner_text() == "10 of 41"
    box.fill("no such table")
    assert column(page, 1) == []
    box.fill("")
    assert len(column(page, 1)) == 41


def test_follows_a_link_to_a_dataset_and_opens_it(page: Page) -> None:
    target = page.locator("details#dataset-table-07")
    assert target.get_attribute("open") is None
    page.locator("#clean-accuracy-rows").get_by_role("link", name="table-07", exact=True).click()
    page.wait_for_function("document.getElementById('dataset-table-07').open")
    target.get_by_text("Known faults of this dataset: a fault").wait_for(state="visible")
    assert 0 <= page.evaluate("document.getElementById('dataset-table-07').getBoundingClientRect().top") < 200
    link = target.get_by_role("link", name="UCI 1")
    assert link.get_attribute("href") == "https://archive.ics.uci.edu/dataset/1"


@LAPTOP
def test_the_same_link_opens_a_section_that_was_closed_again(page: Page) -> None:
    link = page.locator("#clean-accuracy-rows").get_by_role("link", name="table-07", exact=True)
    link.click()
    page.wait_for_function("document.getElementById('dataset-table-07').open")
    page.locator("#dataset-table-07 > summary").click()
    page.wait_for_function("!document.getElementById('dataset-table-07').open")
    link.click()
    page.wait_for_function("document.getElementById('dataset-table-07').open")


@LAPTOP
def test_a_link_into_a_filtered_list_ends_the_filter(page: Page) -> None:
    box = page.get_by_label("Filter Dataset by dataset")
    box.fill("no such table")
    shown = page.locator("p.tools .shown")
    assert shown.inner_text() == "0 of 41"
    page.locator("#clean-accuracy-rows").get_by_role("link", name="table-07", exact=True).click()
    page.wait_for_function("document.getElementById('dataset-table-07').open")
    assert box.input_value() == ""
    assert shown.inner_text() == ""
    assert page.locator("#datasets-list > details:visible").count() == 41


@LAPTOP
def test_tab_stops_are_few_and_none_is_a_dot_of_a_figure(page: Page) -> None:
    assert page.locator("svg a").count() > 200
    assert page.locator("svg a:not([tabindex='-1'])").count() == 0
    idle = page.evaluate(
        "[...document.querySelectorAll('.scroll[tabindex], .drawing[tabindex]')]"
        ".filter(b => !b.closest('details'))"
        ".filter(b => b.scrollWidth <= b.clientWidth && b.scrollHeight <= b.clientHeight).length"
    )
    assert idle == 0


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


@PHONE
def test_figures_are_legible_on_a_phone_and_stay_in_their_box(page: Page) -> None:
    sizes = page.evaluate(
        """[...document.querySelectorAll('svg.plot text')].filter(t => t.getClientRects().length)
        .map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a).filter(size => size > 0)"""
    )
    assert len(sizes) > 50
    assert min(sizes) >= 10.5
    headline = page.locator("#clean-difference-figure svg.plot:visible")
    assert headline.count() == 1
    assert page.evaluate(
        "(b => b.scrollWidth <= b.clientWidth)(document.querySelector('#clean-difference-figure .drawing'))"
    )


@LAPTOP
def test_odd_names_are_shown_as_they_are(page: Page) -> None:
    assert ODD in column(page, 1)
    assert page.locator("i").count() == 0


@pytest.mark.parametrize("page", ["light", "dark", "phone"], indirect=True)
def test_nothing_sticks_out_sideways_and_colours_contrast(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    ink, paper = page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
    assert contrast(ink, paper) > 7


@pytest.mark.parametrize("width", [1200, 1280])
def test_wide_tables_fit_a_laptop(browser: Browser, report: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, offline=True)
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details.fold').forEach(folded => { folded.open = true; })")
    for table in ("clean-leaderboard", "clean-summary", "clean-accuracy"):
        assert page.evaluate(f"(s => s.scrollWidth <= s.clientWidth)(document.querySelector('#{table}-table .scroll'))")
    page.close()


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
    page.wait_for_function("document.getElementById('dataset-table-07').open")
    assert page.locator("#dataset-table-07").is_visible()


def test_any_method_can_be_compared_with(page: Page) -> None:
    box = page.get_by_label("Compare with").first
    assert page.locator("#clean-leaderboard-table").is_visible()
    box.select_option("NTK")
    assert not page.locator("#clean-leaderboard-table").is_visible()
    head = page.locator("#clean-leaderboard-ntk-rows thead")
    assert "NTK − method" in head.inner_text()
    row = page.locator("#clean-leaderboard-ntk-rows tbody tr").filter(has_text="NTK")
    assert "reference" in row.inner_text()


def test_scores_are_shown_as_differences_from_any_method(page: Page) -> None:
    titles = [words.strip() for words in page.locator("#clean-accuracy-rows thead th").all_inner_texts()]
    rfm, ntk = titles.index("RFM") + 1, titles.index("NTK") + 1
    before = [(float(a), float(b)) for a, b in zip(column(page, rfm), column(page, ntk), strict=True)]
    box = page.get_by_label("Show Accuracy by dataset, protocol clean as")
    box.select_option("minus NTK")
    assert column(page, ntk) == ["0.00"] * 41
    shown = [float(words.replace("−", "-")) for words in column(page, rfm)]
    assert shown == pytest.approx([a - b for a, b in before], abs=0.011)
    box.select_option("values")
    assert [float(words) for words in column(page, rfm)] == [a for a, _ in before]


@LAPTOP
def test_the_first_screen_of_a_laptop_has_the_leaderboard(page: Page) -> None:
    last = page.locator("#clean-leaderboard-rows tbody tr").last.bounding_box()
    assert last is not None
    assert last["y"] + last["height"] <= 900


@PHONE
def test_the_leaderboard_needs_no_sideways_scrolling_on_a_phone(page: Page) -> None:
    fits = "(box => box.scrollWidth <= box.clientWidth)(document.querySelector('#clean-leaderboard-table .scroll'))"
    assert page.evaluate(fits)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio of two ``rgb(...)`` colours."""

    def luminance(colour: str) -> float:
        parts = [int(v) / 255 for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@LAPTOP
@pytest.mark.parametrize(
    ("label", "name", "start"),
    [
        (
            "All available datasets, the 40 of 41 that all methods have, protocol clean as CSV",
            "clean-summary.csv",
            "Method,Mean accuracy,SD",
        ),
        ("RFM minus Laplace, dataset by dataset as SVG", "clean-rfm-minus-laplace.svg", "<svg"),
        ("the data of Performance profile as CSV", "clean-profiles.csv", "within_percent_of_best,rfm"),
    ],
)
def test_downloads(page: Page, report: Path, label: str, name: str, start: str) -> None:
    with page.expect_download() as waiting:
        page.get_by_label(f"Download {label}", exact=True).first.click()
    saved = waiting.value
    assert saved.suggested_filename == name
    text = Path(saved.path()).read_text(encoding="utf-8")
    assert text.startswith(start)
    if name == "clean-summary.csv":
        assert len(text.splitlines()) == 8
        assert "±" in text
    if name.endswith(".svg"):
        assert "var(" not in text
        assert "<a " not in text
        beside = report.parent / "figures" / name
        drawn = ET.fromstring(text)
        kept = ET.fromstring(beside.read_text(encoding="utf-8"))
        assert [e.tag for e in drawn.iter()] == [e.tag for e in kept.iter()]
        assert [e.text for e in drawn.iter()] == [e.text for e in kept.iter()]
        assert drawn[1].attrib == kept[1].attrib
