"""Reports of regression, alone and beside classification, of further measures, and of what selected."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from shown import column, sections, tables, titles
from synthetic_runs import make_regression_run, make_run, store_run, with_measures

from bench.cli.report import headline_text
from bench.records.result import JobResult, RunRecord
from bench.report.blocks import Document, Items, Notice, Strong
from bench.report.build import compose, gather
from bench.report.html import render_html
from bench.report.markdown import render_details, render_markdown
from bench.store import read_run

pytestmark = pytest.mark.usefixtures("undrawn")
NAMES = [f"table-{i}" for i in range(11)] + ["lost"]
METHODS = ["rfm", "laplace", "mlp"]


def numbers(protocols: tuple[str, ...] = ("clean", "clean-cv"), selected_by: str = "") -> RunRecord:
    """On one hold-out of ``lost`` the MLP has an R2 of less than minus a thousand."""
    return make_regression_run(NAMES, METHODS, protocols, lost=[("lost", "mlp")], selected_by=selected_by)


def classes() -> RunRecord:
    return with_measures(make_run(["iris", "wine", "letter", "adult"], METHODS, ("clean", "published", "relearn")))


@pytest.fixture(scope="module")
def alone(undrawn: None) -> Document:
    return compose(gather([numbers()]))


@pytest.fixture(scope="module")
def mixed(undrawn: None) -> Document:
    return compose(gather([classes(), numbers(("clean",))]))


def done(run: RunRecord, method: str) -> list[JobResult]:
    """The results of a method under ``clean``."""
    return [r for r in run.results if (r.job.method, r.job.protocol) == (method, "clean")]


def means(run: RunRecord, method: str, key: str) -> dict[str, float]:
    """By dataset, straight from the results."""
    return {r.job.dataset: sum(h.measures[key] for h in r.holdouts) / 4 for r in done(run, method)}


def test_means_are_of_r2_cut_at_0_and_the_lowest_r2_is_shown(alone: Document) -> None:
    """All further measures as they are exported: ``tests/cli/test_export.py``."""
    summary, further = tables(alone)["clean-regression-summary"], tables(alone)["clean-regression-further"]
    shown = ["Mean R2 (cut at 0)", "Average rank", "Median R2", "Lowest R2", "Normalised score"]
    assert titles(further)[1:] == shown
    cut = [sum(max(h.score, 0.0) for h in r.holdouts) / 4 for r in done(numbers(), "mlp")]
    for table in (summary, further):
        assert column(table, "Mean R2 (cut at 0)")["MLP"].value == pytest.approx(sum(cut) / len(cut))
    lowest = column(further, "Lowest R2")["MLP"]
    assert (lowest.value, lowest.hint) == (pytest.approx(min(means(numbers(), "mlp", "r2").values())), "on lost")


def test_r2_is_shown_as_it_is_and_marked_where_it_counts_otherwise(alone: Document) -> None:
    table = tables(alone)["clean-regression-r2"]
    lost = column(table, "MLP")["lost"]
    assert re.fullmatch(r"−[\d,]+\.\d{3}†", lost.text)
    assert lost.value == pytest.approx(means(numbers(), "mlp", "r2")["lost"])
    assert re.fullmatch(r"counts as 0\.\d{3}: R2 \(cut at 0\)", lost.hint)
    assert "† cut at 0 in means" in table.note
    assert "c" not in titles(table)
    negative = {r.job.dataset for r in done(numbers(), "rfm") if min(h.score for h in r.holdouts) < 0}
    assert {row[0].text for row in table.rows if row[3].text.endswith("†")} == negative
    for key in ("rmse", "mae"):
        of_unit = tables(alone)[f"clean-regression-{key}"]
        assert "in the target's unit" in of_unit.note
        assert column(of_unit, "RFM")["table-3"].value == pytest.approx(means(numbers(), "rfm", key)["table-3"])
        (best,) = (c.value for row in of_unit.rows if row[0].text == "table-3" for c in row if c.strong)
        assert best == pytest.approx(min(means(numbers(), m, key)["table-3"] for m in METHODS))


def test_a_test_fold_without_variance_is_marked() -> None:
    run = numbers(("clean",))

    def flat(result: JobResult) -> JobResult:
        """On the second hold-out of ``table-3`` all targets are 7, which only the MLP predicts."""
        if result.job.dataset != "table-3":
            return result
        r2 = float(result.job.method == "mlp")
        first, second, *others = result.holdouts
        told = {"r2": r2, "r2_cut": r2, "rmse": 1 - r2, "mae": 1 - r2}
        return replace(result, holdouts=(first, replace(second, score=r2, measures=told), *others))

    shown = tables(compose(gather([replace(run, results=tuple(map(flat, run.results)))])))["clean-regression-r2"]
    assert [row[0].text for row in shown.rows if row[0].text.endswith("‡")] == ["table-3 ‡"]
    assert "‡ The targets of a test fold are all the same number: R2 is not defined there" in shown.note
    assert "‡" not in tables(compose(gather([run])))["clean-regression-r2"].note
    assert "The difference is of values cut at 0." in shown.note


def test_a_report_of_regression_says_nothing_of_accuracy_or_2014(alone: Document) -> None:
    assert not {"leak", "study", "printed", "clean", "selection"} & set(sections(alone))
    assert {"clean-regression", "clean-cv-regression", "selection-regression"} <= set(sections(alone))
    words = render_markdown(alone) + render_details(alone)
    for gone in ("accura", "points", "percent of", "2014", " classes", "Brier"):
        assert gone not in words
    for said in ("R2 selects; equal ones go to the smaller squared error.", "RFM averages 0.", "in R2 (cut at 0)"):
        assert said in words
    [row] = [line for line in render_details(alone).splitlines() if line.startswith("| **RFM** |")][:1]
    assert len(row.split("|")) == 2 + 12  # mean, four hold-outs, RMSE and MAE among them


def test_kinds_never_share_a_table(mixed: Document) -> None:
    found = tables(mixed)
    numeric, named = set(NAMES), {"iris", "wine", "letter", "adult"}
    for table in found.values():
        datasets = {cell.text for row in table.rows for cell in row} & (numeric | named)
        if table.name != "failures":
            assert not (datasets & numeric and datasets & named)
    assert {"clean-summary", "clean-regression-summary", "cost", "cost-regression"} <= set(found)
    (guide,) = (b for b in sections(mixed)["reading"].blocks if isinstance(b, Items))
    told = [line[0].text for line in guide.lines if isinstance(line[0], Strong)]
    assert told == ["Mean accuracy", "Mean R2 (cut at 0)", "SD", "P90", "P95", "PMA", "Average rank"]
    assert "on all 4 datasets" in found["clean-summary"].note
    for said in ("Protocol clean (regression)", "on all 12 datasets"):
        assert said in found["clean-regression-summary"].note
    assert {"leak", "printed"} <= set(sections(mixed))
    first = render_markdown(mixed)
    for which in ("4 datasets (4", "12 regression datasets (12"):
        assert f"Under `clean`, on {which} families, one seed), **RFM averages" in first
    render_html(mixed)


def test_classification_is_reported_beside_regression_as_it_is_alone(mixed: Document) -> None:
    whole = compose(gather([classes()]))
    for name, table in tables(whole).items():
        if name.startswith(("clean", "relearn", "published", "leak")):
            assert tables(mixed)[name] == table


def test_further_measures_are_means_and_dashes_where_scores_are_no_probabilities(mixed: Document) -> None:
    table = tables(mixed)["clean-further"]
    for said in ("Normalised score, among these methods: ", "q the 10 % quantile", "scores of kernel methods are none"):
        assert said in table.note
    assert titles(table) == ["Method", "Balanced accuracy", "AUC", "Brier score", "Log loss", "Normalised score"]
    losses = column(table, "Log loss")
    assert (losses["RFM"].text, losses["RFM"].value) == ("–", None)
    assert losses["MLP"].value == pytest.approx(sum(means(classes(), "mlp", "log_loss").values()) / 4)


def test_a_run_stored_before_there_were_several_measures_is_reported(tmp_path: Path) -> None:
    run = make_run(["iris", "wine", "letter"], METHODS)
    assert not any(h.measures for r in run.results for h in r.holdouts)
    found = tables(compose(gather([read_run(store_run(tmp_path / "run", run))])))
    assert found["clean-summary"] == tables(compose(gather([run])))["clean-summary"]
    assert not [name for name in found if name.endswith("further")]


def test_what_selected_is_said_where_it_is_not_the_usual_one(alone: Document) -> None:
    document = compose(gather([numbers(("clean",), selected_by="mae")]))
    said = "Hyperparameters for regression were selected by MAE (--select), not by R2."
    found = sections(document)
    for anchor in ("notes", "clean-regression"):
        assert (said,) in [b.spans for b in found[anchor].blocks if isinstance(b, Notice)]
    assert "validation MAE along the iteration path" in render_details(document)
    assert "MAE selects; equal ones go to the smaller squared error." in render_markdown(document)
    hints = {c.title: c.hint for name, t in tables(document).items() for c in t.columns if name.startswith("dataset-")}
    said_there = "MAE of what was selected, in standard deviations of the training part's targets"
    assert hints["Validation"].endswith(said_there)
    assert said not in render_markdown(alone)


def test_plain_text_has_a_table_for_each_kind() -> None:
    text = headline_text(gather([classes(), numbers(("clean",))]))
    heads = [line for line in text.splitlines() if line.startswith("protocol ")]
    assert heads[0] == "protocol clean: 4 common datasets of 4, 4 families, one seed; accuracy in percent"
    assert heads[-1] == "protocol clean: 12 common datasets of 12, 12 families, one seed; R2 (cut at 0)"
    below = [h.score for r in numbers(("clean",)).results for h in r.holdouts if h.score < 0]
    said = f"  {len(below)} test folds below 0 count as 0 (lowest {min(below):.3f}: lost/mlp)"
    assert [line for line in text.splitlines() if "count as 0" in line] == [said]
