"""No text of a figure is cut or lies over another: asked of every text of every figure."""

from __future__ import annotations

import csv
import importlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_runs import METHODS, MODELS, make_regression_run, make_run, published_runs

from bench.records.measure import COMPARED
from bench.records.result import RunRecord
from bench.report.build import compose, gather
from bench.report.evidence import Evidence
from bench.report.figures.by_dataset import difference_bars
from bench.report.figures.by_method import profiles
from bench.report.figures.critical_difference import critical_difference_diagram
from bench.report.figures.curves import Axis, Curve, Point, curves
from bench.report.figures.drawing import Sheet
from bench.report.html import render_html
from bench.report.merge import merge_runs
from bench.report.sections.grinsztajn import grinsztajn_section
from bench.stats.grinsztajn import read_runs
from bench.store import read_results
from bench.study.cell import Cell, Outcome
from bench.study.figures import Phases, phase_diagram

KEPT = Path(__file__).parents[2] / "results" / "kept"


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Sheet]]:
    """Every sheet drawn; on leaving the texts of each must have been whole and apart."""
    found: list[Sheet] = []
    write = Sheet.svg

    def svg(sheet: Sheet, words: str, class_: str = "plot") -> str:
        found.append(sheet)
        drawn = write(sheet, words, class_)  # places titles and legends
        faults = [f"{sheet.name} ({class_}): {fault}" for fault in trouble(sheet)]
        assert not faults
        return drawn

    monkeypatch.setattr(Sheet, "svg", svg)
    yield found
    assert found


def trouble(sheet: Sheet) -> Iterator[str]:
    """What is wrong with the sheet's texts."""
    from matplotlib.text import Text

    shown = [t for t in sheet.figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    boxes = np.array([t.get_window_extent().extents for t in shown]).reshape(-1, 4)
    low, high = boxes[:, :2], boxes[:, 2:]
    for i in np.flatnonzero(((low < -0.5) | (high > np.array([sheet.width, sheet.height]) + 0.5)).any(axis=1)):
        yield f"{shown[i].get_text()!r} is cut: from {low[i].round(1)} to {high[i].round(1)}"
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    for i, j in np.argwhere(np.triu((shared > 0.5).all(axis=2), 1)):
        yield f"{shown[i].get_text()!r} lies over {shown[j].get_text()!r}"


def test_faults_are_found() -> None:
    sheet = Sheet("s", 100, 50)
    for x, y, words in ((0.5, 0.6, "one"), (0.55, 0.56, "other"), (0.8, 0.2, "a long text")):
        sheet.figure.text(x, y, words, size=12)
    sheet.svg("")
    faults = list(trouble(sheet))
    assert faults[0].startswith("'a long text' is cut")
    assert faults[1:] == ["'one' lies over 'other'"]


FEW = ("rfm", "laplace", "mlp")
NAMES = [f"table-{i}" for i in range(25)]
OWN = ("rfm", "laplace", *(f"a-method-of-my-own-with-a-long-name-{i:02d}" for i in range(16)))
RUNS = {
    "classification": (make_run(NAMES, FEW, ("clean", "published"), details=False), 30),
    "regression": (make_regression_run(NAMES, FEW, lost=[("table-3", "mlp")]), 15),
    "one dataset": (make_run(NAMES[:1]), 10),
    "two datasets": (make_run(NAMES[:2], FEW), 10),
}


@pytest.mark.parametrize(("run", "fewest"), RUNS.values(), ids=RUNS)
def test_of_a_report(sheets: list[Sheet], run: RunRecord, fewest: int) -> None:
    compose(Evidence(merge_runs([run])))
    assert len(sheets) > fewest


def test_with_many_methods_of_long_names(sheets: list[Sheet]) -> None:
    """Each has a marker of its own, which stands once in the page."""
    page = render_html(compose(Evidence(merge_runs([make_run(["t0", "t1", "t2"], OWN, details=False)]))))
    used, symbols = set(re.findall(r'<use href="#(k\d+)"', page)), re.findall(r'<symbol id="(k\d+)"[^>]*>(.*?)</', page)
    assert len(used) == len({drawn for _, drawn in symbols}) == 18
    assert sorted(used) == sorted(name for name, _ in symbols)


@pytest.mark.parametrize(
    ("scale", "task"),
    [(1e-4, "classification"), (0.03, "regression"), (1.0, "classification"), (1.0, "regression"),
     (17.0, "classification")],
)  # fmt: skip
def test_of_any_scale(sheets: list[Sheet], scale: float, task: str) -> None:
    measure = COMPARED[task]  # type: ignore[index]
    values = pd.Series({f"d{i}": float(v) for i, v in enumerate(np.linspace(-scale, 5 * scale, 9))})
    difference_bars("bars", "t", "c", values, ("A name of some length", "another one of some length"), {}, {}, measure)
    steps = np.arange(0.0, 20.01, 0.25)
    shares = pd.DataFrame({m: np.linspace(99.9, 100, len(steps)) for m in METHODS}, index=steps)
    profiles("p", "t", "c", shares, measure)
    ranks = pd.Series({m: 3 + scale * i / 70 for i, m in enumerate(METHODS)})
    critical_difference_diagram("cd", "t", "c", ranks, [list(METHODS), list(METHODS[2:])])


@pytest.mark.parametrize(("count", "models"), [(1, 2), (400, 8)])
def test_among_the_published_runs(sheets: list[Sheet], tmp_path: Path, count: int, models: int) -> None:
    names = (*MODELS, "GradientBoostingTree", "SAINT")[:models]
    published_runs(["pol", "sulfur"], names, count).to_csv(tmp_path / "runs.csv", index=False)
    run = make_regression_run(["pol-num-reg", "sulfur-num-reg"], source="openml", split="grinsztajn-medium")
    grinsztajn_section(gather([run], published_runs=read_runs(tmp_path / "runs.csv")))
    assert [sheet.name for sheet in sheets] == ["grinsztajn-numerical-regression-medium-curves"] * 2


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("low", "high"), [(1e-9, 2.0), (0.9, 1.1), (10.0, 130_064.0), (1e5, 3e6)])
def test_of_curves(sheets: list[Sheet], low: float, high: float, log: bool) -> None:
    values = [Point(x, x, x / 2, x * 2) for x in np.geomspace(low, high, 7)]
    lines = [Curve(f"a method of long name {i}, alpha 1/{i}", i, tuple(values)) for i in range(10)]
    curves("c", "t", "c", lines, Axis("fitted rows", log=log), Axis("root mean squared error", log=log))


def test_of_phases(sheets: list[Sheet]) -> None:
    shares = {(float(r), float(c)): 1.0 for r in (2, 48, 1000) for c in (20, 40, 160, 1000, 2000, 4000, 8000)}
    panels = [Phases(f"a method of long name {i}, with more", shares) for i in range(4)]
    phase_diagram("p", "t", "c", panels, "observations", "nonzeros")


@pytest.mark.parametrize("name", ["lin-rfm", "low-rank"])
def test_of_the_kept_studies(sheets: list[Sheet], name: str) -> None:
    with (KEPT / name / "cells.csv").open(newline="") as file:
        outcomes = [outcome(row) for row in csv.DictReader(file)]
    importlib.import_module(f"bench.study.{name.replace('-', '_')}.findings").find(outcomes)
    assert len(sheets) > 10


def outcome(row: dict[str, str]) -> Outcome:
    cell = Cell(row["kind"], json.loads(row["parameters"]), int(row["seed"]))
    return Outcome(cell, row["status"], json.loads(row["values"]), row["reason"])


@pytest.mark.slow
def test_of_the_kept_comparison(sheets: list[Sheet]) -> None:
    """And its page, of 121 datasets and seven methods under two protocols, stays a small file."""
    record = read_results(KEPT / "comparison")
    kept = [r for r in record.results if r.job.method in METHODS and r.job.protocol in ("clean", "published")]
    page = render_html(compose(gather([replace(record, results=tuple(kept))])))
    assert len(sheets) > 30
    assert len(page.encode()) < 2_800_000
