"""Axes, ticks and marks stay where they belong."""

from __future__ import annotations

import csv
import io
import itertools
import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.records.measure import COMPARED
from bench.report import wording
from bench.report.figures.by_dataset import Panel, difference_bars, sparkline, trend_scatter
from bench.report.figures.by_method import Interval, intervals, profiles, score_rank
from bench.report.figures.critical_difference import critical_difference_diagram
from bench.report.figures.drawing import Sheet, key
from bench.report.figures.style import COLOURS, dashed, fitted, styled, text_width, zero_line
from bench.report.html import asset
from bench.stats.paired import OverDatasets, PairedDifference
from bench.stats.trend import Trend

if TYPE_CHECKING:
    from matplotlib.axis import Axis

SVG = "{http://www.w3.org/2000/svg}"
ODD = '<b> & "c"'


def ticks(axis: Axis) -> list[tuple[float, str, float, float]]:
    """Of each label within the axis' limits: its value and words, and where it begins and ends in pixels."""
    along = "xy".index(axis.axis_name)
    low, high = sorted(axis.get_view_interval())
    shown = [label for label in axis.get_ticklabels() if low <= label.get_position()[along] <= high]
    ends = [label.get_window_extent().get_points()[:, along] for label in shown]
    return [(t.get_position()[along], t.get_text(), *end) for t, end in zip(shown, ends, strict=True)]


def empty(width: float, low: float, high: float, *, log: bool, upright: bool = False) -> list[Any]:
    """The ticks of axes without data on a sheet of this width."""
    with styled():
        sheet = Sheet("s", width)
        axes = sheet.figure.subplots()
        scale = "log" if log else "linear"
        axes.set(**({"ylim": (low, high), "yscale": scale} if upright else {"xlim": (low, high), "xscale": scale}))
        sheet.svg("")
        return ticks(axes.yaxis if upright else axes.xaxis)


@settings(max_examples=30, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.floats(180, 760), st.booleans(), st.booleans())
def test_ticks_are_even_and_their_labels_have_room(
    low: float, width: float, room: float, log: bool, upright: bool
) -> None:
    low = abs(low) + 0.1 if log else low
    found = empty(room, low, low + width, log=log, upright=upright)
    assert all(a[3] < b[2] for a, b in itertools.pairwise(found))
    values = [value for value, *_ in found]
    if not log and len(values) > 2:
        assert np.allclose(np.diff(values), values[1] - values[0], rtol=1e-5)


def test_log_axes_show_decades_evenly() -> None:
    found = empty(660, 10, 1000, log=True)
    assert [value for value, *_ in found] == pytest.approx([10, 30, 100, 300, 1000])
    middles = [(found[i][2] + found[i][3]) / 2 for i in (0, 2, 4)]
    assert middles[1] - middles[0] == pytest.approx(middles[2] - middles[1], abs=0.5)
    assert [value for value, *_ in empty(160, 10, 1000, log=True)] == pytest.approx([10, 100, 1000])
    assert "100" in [words for _, words, *_ in empty(360, 80, 130, log=True)]
    assert empty(660, 1, 1e5, log=True)[-1][1] == "100,000"
    assert empty(360, 1e-9, 1, log=True, upright=True)[0][1] == "10\u207b\u2079"


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [-3.0], [2.0, 4.0]])
def test_limits_are_never_empty_and_zero_is_among_them(values: list[float]) -> None:
    with styled():
        axes = Sheet("s", 360).figure.subplots()
        axes.scatter(values, values)
        zero_line(axes)
        low, high = axes.get_ylim()
        assert low < min([0.0, *values]) <= max([0.0, *values]) < high
        low, high = axes.get_xlim()
        assert low < min(values) <= max(values) < high


def test_marker_and_dash_tell_many_series_apart_without_colour() -> None:
    def shape(series: int) -> str:
        return re.sub(r"s\d", "", re.sub("fill:var.--paper.", "hollow", key(series)))

    dash = [str(dashed(series)["linestyle"]) for series in range(56)]
    assert len({shape(series) for series in range(7)}) == len(set(dash[:7])) == 7
    assert len({(shape(series), dash[series]) for series in range(56)}) == 56


def test_names_too_long_for_their_place_lose_their_middle() -> None:
    assert fitted("Random forest", 120) == "Random forest"
    cut = fitted("A method of a remarkably long name, alpha 1/4", 120)
    assert re.fullmatch("A met.*\u2026.*1/4", cut)
    assert text_width(cut, 13) <= 120


MACHADO = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Severity 1.0, on linear RGB: Machado, Oliveira and Fernandes, IEEE TVCG 15, 2009."""


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB under D65 of linear RGB."""
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    t = np.array(to_xyz) @ np.clip(rgb, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_seven_colours_stay_apart_for_the_colour_blind_and_stand_out_from_the_ground(scheme: str) -> None:
    css = asset("palette.css").split("@media")[scheme == "dark"]
    palette = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", css))
    colours = [linear(palette[f"s{i}"]) for i in range(10)]
    paper = np.array([0.2126, 0.7152, 0.0722]) @ linear(palette["paper"])
    for colour in colours:
        low, high = sorted((np.array([0.2126, 0.7152, 0.0722]) @ colour, paper))
        assert (high + 0.05) / (low + 0.05) >= 3  # WCAG 2.1, 1.4.11
    for name, matrix in MACHADO.items():
        seen = [lab(np.array(matrix) @ colour) for colour in colours[:7]]
        for i, j in itertools.combinations(range(7), 2):
            assert np.linalg.norm(seen[i] - seen[j]) > 15, f"{name}: s{i} and s{j} (colour difference CIE 1976)"
    for a, b in itertools.combinations([lab(colour) for colour in colours], 2):
        assert np.linalg.norm(a - b) > 20


def inside(svg: str) -> ET.Element:
    """Parsed; every coordinate lies within the drawing."""
    root = ET.fromstring(svg)
    _, _, width, height = (float(v) for v in root.attrib["viewBox"].split())
    shapes = {e.attrib["id"]: e for e in root.iter(f"{SVG}path") if "id" in e.attrib}
    for element in root.iter():
        x, y = (float(element.attrib.get(name, 0)) for name in "xy")
        pairs = [(x, y)]
        if element.tag == f"{SVG}use":
            pairs = [(x + px, y + py) for px, py in points(shapes[element.attrib["href"][1:]])]
        elif element.tag == f"{SVG}path" and "id" not in element.attrib:
            pairs = points(element)
        assert all(-1 <= px <= width + 1 and -1 <= py <= height + 1 for px, py in pairs), element.attrib
    return root


def points(path: ET.Element) -> list[tuple[float, float]]:
    numbers = [float(v) for v in re.findall(r"-?[\d.]+", path.attrib["d"])]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def classed(root: ET.Element, class_: str) -> list[ET.Element]:
    return [e for e in root.iter(f"{SVG}g") if e.attrib.get("class") == class_]


def hovers(root: ET.Element) -> list[str]:
    return [e.text or "" for e in root.iter(f"{SVG}title")]


def test_bars_are_sorted_named_and_linked() -> None:
    values = pd.Series({"b": -2.0, ODD: 3.0, "tie": 0.0})
    anchors = {"b": "b", ODD: "odd", "tie": "t"}
    figure = difference_bars("bars", "t", "Caption.", values, ("A", "B"), {ODD: "n 5"}, anchors, ACCURACY)
    root = inside(figure.svg)
    assert hovers(root) == [f"{ODD}: +3.00 pp (n 5)", "tie: 0.00 pp", "b: −2.00 pp"]
    assert [a.attrib["href"] for a in root.iter(f"{SVG}a")] == ["#odd", "#t", "#b"]
    assert {a.attrib["tabindex"] for a in root.iter(f"{SVG}a")} == {"-1"}  # the tables carry the same links
    bars = [e for e in root.iter(f"{SVG}path") if re.search("fill:var", e.attrib.get("style", ""))]
    assert [re.search(r"--(\w+)", e.attrib["style"])[1] for e in bars] == ["s0", "s1", "muted"]
    assert figure.caption == f"Caption. Largest gains: {ODD} +3.0; largest losses: b −2.0."
    assert (
        "All ties." in difference_bars("bars", "t", "C.", pd.Series({"x": 0.0}), ("A", "B"), {}, {}, ACCURACY).caption
    )


ACCURACY = COMPARED["classification"]
TWO = pd.DataFrame({"x": [10.0, 1000.0], "y": [-1.0, 1.0]}, index=["a", "b"])


def test_a_band_wider_than_the_points_is_clipped() -> None:
    x = np.array([10.0, 100.0, 1000.0])
    trend = Trend(x, np.array([0.0, 50.0, -900.0]), np.full(3, -500.0), np.full(3, 500.0))
    inside(trend_scatter("s", "t", "c", TWO, [Panel("%", "y", "%", trend)], "n", "n {:g}", {}).svg)


def test_panels_share_their_datasets_and_x() -> None:
    table = pd.DataFrame({"x": [10.0, 1000.0], "points": [-1.0, 1.0], "percent": [-30.0, 30.0]}, index=["a", ODD])
    panels = [Panel("difference", "points", "points", None), Panel("reduction", "percent", "%", None)]
    figure = trend_scatter("s", "t", "c", table, panels, "rows n (log scale)", "n {:g}", {ODD: "odd"})
    root = inside(figure.svg)
    circles = [(e.attrib["x"], float(e.attrib["y"])) for g in classed(root, "dots") for e in g.iter(f"{SVG}use")]
    assert [x for x, _ in circles[:2]] == [x for x, _ in circles[2:]]
    assert max(y for _, y in circles[:2]) < min(y for _, y in circles[2:])
    assert hovers(root)[1::2] == [f"{ODD}: +1.00 points (n 1000)", f"{ODD}: +30.00 % (n 1000)"]
    assert [a.attrib["href"] for a in root.iter(f"{SVG}a")] == ["#odd"] * 2
    assert sum(e.text == "rows n (log scale)" for e in root.iter(f"{SVG}text")) == 1
    assert figure.data.splitlines()[:2] == ["dataset,x,points,percent", "a,10.0,-1.0,-30.0"]


def test_interval_of_one_dataset_has_no_whisker() -> None:
    nan = float("nan")
    one = PairedDifference(1, 1, 2.0, nan, nan, nan, 1.0, 1, 1, 0, 0, OverDatasets(nan, nan, nan, 1.0), ((0, 2.0),))
    single = OverDatasets(0.4, -1.9, -0.1, 0.1)
    many = PairedDifference(9, 7, -1.0, 0.5, -2.1, 0.1, 0.2, -1, 2, 1, 6, single, ((0, -1.5), (1, 0.25)))
    figure = intervals("i", "t", "c", [Interval("one", 0, one), Interval(ODD, 1, many)], ACCURACY)
    root = inside(figure.svg)
    lines = [len(points(line)) for g in classed(root, "whisker") for line in g.findall(f"{SVG}path")]
    assert [count for count in lines if count > 1] == [3]
    assert hovers(root) == [
        "one: +2.00 pp, one family of datasets: no interval; seed 0 alone; 1 wins, 0 ties, 0 losses on 1 dataset",
        f"{ODD}: −1.00 pp, 95 % interval −2.10 to +0.10; −1.50 to +0.25, signs differ; 2 wins, 1 ties, 6 losses on 9 "
        "datasets",
    ]
    assert [",".join(row) for row in csv.reader(io.StringIO(figure.data))] == [
        "name,datasets,families,mean_difference,se,low95,high95,wins,ties,losses,wilcoxon_p,seed_low,seed_high,"
        "single_se,single_low95,single_high95,single_wilcoxon_p",
        "one,1,1,2.0,,,,1,0,0,1.0,,,,,,1.0",
        f"{ODD},9,7,-1.0,0.5,-2.1,0.1,2,1,6,0.2,-1.5,0.25,0.4,-1.9,-0.1,0.1",
    ]
    phone = inside(figure.phone)
    assert hovers(phone) == hovers(root)
    assert float(phone.attrib["width"]) <= 360  # drawn at about its own size on a phone: text keeps its size


def test_crowded_methods_are_told_apart_by_a_legend_in_order_of_rank() -> None:
    names = ["rfm", "laplace", "ntk"]
    table = pd.DataFrame({"mean_score": [80.0] * 3, "friedman_rank": [3.2, 3.0, 3.1]}, index=names)
    far = pd.DataFrame({"mean_score": [60.0, 50.0], "friedman_rank": [9.0, 8.0]}, index=["other", "left out"])
    root = inside(score_rank("r", "t", "c", pd.concat([table, far]), names, ACCURACY, shown=1).svg)
    legend = [text for text in root.iter(f"{SVG}text") if text.text in ("Laplace kernel", "NTK", "RFM")]
    assert [text.text for text in legend] == ["Laplace kernel", "NTK", "RFM"]
    assert min(np.diff([float(text.attrib["y"]) for text in legend])) > 14
    assert hovers(root) == [
        "left out: rank 8.00, mean accuracy 50.00 %",
        "RFM: rank 3.20, mean accuracy 80.00 %",
        "NTK: rank 3.10, mean accuracy 80.00 %",
        "Laplace kernel: rank 3.00, mean accuracy 80.00 %",
    ]


def test_diagram_draws_a_bar_per_group_from_first_to_last() -> None:
    ranks = pd.Series({"rfm": 1.2, "laplace": 2.1, "ntk": 2.7})
    root = inside(critical_difference_diagram("cd", "t", "c", ranks, [["laplace", "ntk"]]).svg)
    ((left, top), (right, bottom)) = (p for g in classed(root, "clique") for p in points(g.find(f"{SVG}path")))
    assert left == right
    heights = {e.text: float(e.attrib["y"]) for e in root.iter(f"{SVG}text")}
    covered = [name for name, y in heights.items() if top < y < bottom]
    assert covered == ["Laplace kernel\u20022.10", "NTK\u20022.70"]
    assert "no significant difference: Laplace kernel, NTK" in hovers(root)


def test_long_names_stay_inside_the_diagram_and_whole_on_hover() -> None:
    long = "a method of a remarkably long name"
    root = inside(critical_difference_diagram("cd", "t", "c", pd.Series({long: 1.0, "b": 2.0}), []).svg)
    shown = next(e.text or "" for e in root.iter(f"{SVG}text") if (e.text or "").startswith("a method"))
    assert re.fullmatch("a method of.*name\u20021\\.00", shown)
    assert f"{long}: mean rank 1.00" in hovers(root)


def test_a_plugin_has_its_colour_where_a_figure_leaves_another_out() -> None:
    own = {f"own {i}": 1.0 + i for i in range(3)}
    with wording.naming({}, ["rfm", *own]):
        series = [wording.series(name) for name in own]
        diagram = critical_difference_diagram("cd", "t", "c", pd.Series({"own 1": 1.0, "own 2": 2.0}), [])
    assert series == list(range(series[0], series[0] + 3))
    marks = [mark.attrib["style"] for mark in inside(diagram.svg).iter(f"{SVG}use") if "--s" in mark.attrib["style"]]
    assert [f"--s{s % COLOURS})" in mark for s, mark in zip(series[1:], marks, strict=True)] == [True, True]


def test_profiles_tell_curves_apart_by_dash_and_marker_in_plot_and_legend() -> None:
    steps = np.arange(0.0, 20.01, 0.25)
    names = ["rfm", "ntk", *(f"own {i}" for i in range(16))]
    table = pd.DataFrame({m: np.linspace(20 + i, 100, len(steps)) for i, m in enumerate(names)}, index=steps)
    with wording.naming({}, names):
        figure = profiles("p", "t", "c", table, ACCURACY)
    for drawing in (figure.svg, figure.phone):
        root = inside(drawing)
        groups = classed(root, "curve")
        assert len(groups) == len(names)
        inside_curves = {e for group in groups for e in group.iter()}
        rest = [e for e in root.iter() if e not in inside_curves]
        samples = {e.attrib["style"] for e in rest if e.tag == f"{SVG}path" and "style" in e.attrib}
        in_legend = {e.attrib["href"] for e in rest if e.tag == f"{SVG}use"}
        for group in groups:
            assert group.find(f"{SVG}path").attrib["style"] in samples  # the legend shows the same dash and colour
            marks = [mark.attrib["href"] for mark in group.iter(f"{SVG}use")]
            assert len(marks) >= 4
            assert set(marks) <= in_legend


def test_profiles_and_sparklines_survive_constants() -> None:
    flat = pd.DataFrame({"rfm": [100.0, 100.0], "ntk": [100.0, 100.0]}, index=[0.0, 20.0])
    figure = profiles("p", "t", "c", flat, ACCURACY)
    for drawing in (figure.svg, figure.phone):
        inside(drawing)
    line = ET.fromstring(sparkline([([0.0, 1.0], [50.0, 50.0], 1.0)], 0, "words"))
    assert len(line.findall("path")) == 2
    assert "nan" not in ET.tostring(line, encoding="unicode")


def test_threads_draw_the_same_bytes_whatever_the_users_style_and_leave_it_alone() -> None:
    import matplotlib

    def draw(_: int) -> str:
        return trend_scatter("s", "t", "c", TWO, [Panel("%", "y", "%", None)], "n", "n {:g}", {}).svg

    alone = draw(0)
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "svg.fonttype": "path"}):
        before = dict(matplotlib.rcParams)
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(draw, range(8))) == {alone}
        assert dict(matplotlib.rcParams) == before


def test_a_name_is_never_taken_for_mathematics_or_for_a_variable_of_the_page() -> None:
    name = "$x^2$ var(--ink) \u4e2d"
    table = pd.DataFrame({"mean_score": [80.0], "friedman_rank": [1.0]}, [name])
    figure = score_rank("r", "t", "c", table, [name], ACCURACY)
    assert [e.text for e in inside(figure.svg).iter(f"{SVG}text")][-1] == name
