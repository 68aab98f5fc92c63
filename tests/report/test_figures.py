"""Scales, ticks and marks stay where they belong."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report.figures.by_dataset import Dot, Panel, difference_bars, trend_scatter
from bench.report.figures.by_method import Interval, accuracy_rank, intervals, profiles
from bench.report.figures.critical_difference import critical_difference_diagram
from bench.report.figures.inline import sparkline
from bench.report.svg import Scale, marker, nice_ticks, padded
from bench.stats.significance import PairedDifference
from bench.stats.trend import Trend

SVG = "{http://www.w3.org/2000/svg}"
ODD = '<b> & "c"'


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.integers(2, 9))
def test_ticks_are_round_even_and_inside(low: float, width: float, count: int) -> None:
    ticks = nice_ticks(low, low + width, count)
    assert len(ticks) <= count + 1
    assert all(low - 1e-6 * width <= t <= low + width * (1 + 1e-6) for t in ticks)
    steps = np.diff(ticks)
    assert len(steps) == 0 or np.allclose(steps, steps[0], rtol=1e-5)


def test_log_scale_maps_decades_evenly() -> None:
    scale = Scale(10, 1000, 0, 100, log=True)
    assert (scale(10), scale(100), scale(1000)) == pytest.approx((0, 50, 100))
    assert scale.ticks() == [10, 30, 100, 300, 1000]
    assert 100 in Scale(80, 130, 0, 1, log=True).ticks()


def test_limits_are_never_empty() -> None:
    for values in ([0.0], [5.0, 5.0], [-3.0]):
        low, high = padded(values)
        assert low < min(values) <= max(values) < high
    assert padded([2.0, 4.0], zero=True)[0] < 0


def test_the_first_seven_series_differ_in_shape() -> None:
    shapes = {re.sub(r' class="[^"]*"', "", marker(0, 0, series)) for series in range(7)}
    assert len(shapes) == 7


def inside(svg: str) -> ET.Element:
    """Parsed; every coordinate lies within the drawing."""
    root = ET.fromstring(svg)
    _, _, width, height = (float(v) for v in root.attrib["viewBox"].split())
    for element in root.iter():
        pairs = [tuple(map(float, p.split(","))) for p in element.attrib.get("points", "").split()]
        for x, y in ("cx", "cy"), ("x1", "y1"), ("x2", "y2"), ("x", "y"):
            if x in element.attrib and y in element.attrib:
                pairs.append((float(element.attrib[x]), float(element.attrib[y])))
        for px, py in pairs:
            assert math.isfinite(px)
            assert -1 <= px <= width + 1
            assert -1 <= py <= height + 1
    return root


def hovers(root: ET.Element) -> list[str]:
    return [e.text or "" for e in root.iter(f"{SVG}title")]


def test_bars_are_sorted_named_and_linked() -> None:
    dots = [Dot("b", 0, -2.0, "", "#b"), Dot(ODD, 0, 3.0, "n 5", "#odd"), Dot("tie", 0, 0.0, "", "#t")]
    figure = difference_bars("bars", "t", "Caption.", dots, ("A", "B"))
    root = inside(figure.svg)
    assert hovers(root) == [f"{ODD}: +3.00 points (n 5)", "tie: 0.00 points", "b: −2.00 points"]
    assert [a.attrib["href"] for a in root.iter(f"{SVG}a")] == ["#odd", "#t", "#b"]
    assert [r.attrib["class"] for r in root.iter(f"{SVG}rect")][::2] == ["bar up", "bar even", "bar down"]
    assert figure.caption == f"Caption. Largest gains: {ODD} +3.0; largest losses: b −2.0."
    assert "All ties." in difference_bars("bars", "t", "C.", [Dot("x", 0, 0.0)], ("A", "B")).caption


def test_a_band_wider_than_the_points_is_clipped() -> None:
    x = np.array([10.0, 100.0, 1000.0])
    trend = Trend(x, np.array([0.0, 50.0, -900.0]), np.full(3, -500.0), np.full(3, 500.0))
    dots = [Dot("a", 10.0, -1.0), Dot("b", 1000.0, 1.0)]
    inside(trend_scatter("s", "t", "c", [Panel("%", "y", "%", dots, trend)], "n").svg)


def test_panels_share_their_datasets_and_x() -> None:
    one = [Dot("a", 10.0, -1.0, "n 10", "#a"), Dot(ODD, 1000.0, 1.0, "n 1000", "#odd")]
    other = [replace(dot, y=30 * dot.y) for dot in one]
    panels = [Panel("difference", "points", "points", one, None), Panel("reduction", "percent", "%", other, None)]
    figure = trend_scatter("s", "t", "c", panels, "rows n (log scale)")
    root = inside(figure.svg)
    circles = [(e.attrib["cx"], float(e.attrib["cy"])) for e in root.iter(f"{SVG}circle")]
    assert [x for x, _ in circles[:2]] == [x for x, _ in circles[2:]]
    assert max(y for _, y in circles[:2]) < min(y for _, y in circles[2:])
    assert hovers(root)[1::2] == [f"{ODD}: +1.00 points (n 1000)", f"{ODD}: +30.00 % (n 1000)"]
    assert sum(e.text == "rows n (log scale)" for e in root.iter(f"{SVG}text")) == 1
    assert figure.data.splitlines()[:2] == ["dataset,x,points,percent", "a,10.0,-1.0,-30.0"]


def test_interval_of_one_dataset_has_no_whisker() -> None:
    nan = float("nan")
    one = PairedDifference(1, 2.0, nan, nan, nan, 1, 0, 0, 1.0)
    many = PairedDifference(9, -1.0, 0.5, -2.1, 0.1, 2, 1, 6, 0.2)
    figure = intervals("i", "t", "c", [Interval("one", 0, one), Interval(ODD, 1, many)], "points")
    root = inside(figure.svg)
    assert sum("whisker" in e.attrib.get("class", "") for e in root.iter()) == 1
    assert (
        hovers(root)[1] == f"{ODD}: −1.00 points, 95 % interval −2.10 to +0.10; 2 wins, 1 ties, 6 losses on 9 datasets"
    )
    assert figure.data.splitlines()[1] == "one,1,2.0,,,,1,0,0,1.0"


def test_crowded_methods_are_told_apart_by_a_legend_in_order_of_rank() -> None:
    names = ["rfm", "laplace", "ntk"]
    table = pd.DataFrame({"mean_accuracy": [80.0] * 3, "friedman_rank": [3.2, 3.0, 3.1]}, index=names)
    far = pd.DataFrame({"mean_accuracy": [60.0, 50.0], "friedman_rank": [9.0, 8.0]}, index=["other", "left out"])
    root = inside(accuracy_rank("r", "t", "c", pd.concat([table, far]), names, shown=1).svg)
    legend = [text for text in root.iter(f"{SVG}text") if text.attrib.get("class") == "name"]
    assert [text.text for text in legend] == ["Laplace kernel", "NTK", "RFM"]
    heights = [float(text.attrib["y"]) for text in legend]
    assert min(np.diff(heights)) > 14
    assert hovers(root) == [
        "left out: rank 8.00, mean accuracy 50.00 %",
        "RFM: rank 3.20, mean accuracy 80.00 %",
        "NTK: rank 3.10, mean accuracy 80.00 %",
        "Laplace kernel: rank 3.00, mean accuracy 80.00 %",
    ]


def test_diagram_draws_a_bar_per_group_from_first_to_last() -> None:
    ranks = pd.Series({"rfm": 1.2, "laplace": 2.1, "ntk": 2.7})
    root = inside(critical_difference_diagram("cd", "t", "c", ranks, [["laplace", "ntk"]], 0.8).svg)
    bars = [e for e in root.iter(f"{SVG}line") if e.attrib["class"] == "clique"]
    assert len(bars) == 1
    assert float(bars[0].attrib["x1"]) < float(bars[0].attrib["x2"])
    assert "no significant difference: Laplace kernel, NTK" in hovers(root)


def test_profiles_and_sparklines_survive_constants() -> None:
    flat = pd.DataFrame({"rfm": [100.0, 100.0], "ntk": [100.0, 100.0]}, index=[0.0, 20.0])
    inside(profiles("p", "t", "c", flat).svg)
    line = ET.fromstring(sparkline([([0.0, 1.0], [50.0, 50.0], 1.0)], 0, "words"))
    assert line.find("circle") is not None
    assert "nan" not in ET.tostring(line, encoding="unicode")
