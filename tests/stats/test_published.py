"""The published study's printed figures, recomputed from its results file alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from refusals import refused

from bench.data.registry import load_registry
from bench.errors import ReportError
from bench.stats.missing import STUDY_2014, ZERO_EVERYWHERE
from bench.stats.published import PublishedStudy, joined_pool, read_published, study_pool
from bench.stats.summary import summarise


@pytest.fixture(scope="module")
def published(published_path: Path) -> PublishedStudy:
    study = read_published(published_path)
    assert study.accuracy.shape == (121, 179)
    assert int(study.accuracy.isna().sum().sum()) == 449
    return study


def test_printed_figures_of_the_2014_study(published: PublishedStudy) -> None:
    table = summarise(study_pool(published, list(published.accuracy.index), STUDY_2014)).round(2)
    printed = {"mean_score": 81.96, "friedman_rank": 32.87, "p90": 84.30, "p95": 71.07, "pma": 94.09}
    assert table.loc["parRF_caret", list(printed)].to_dict() == printed
    assert table.loc["svm_C", "pma"] == 92.26


def test_printed_figures_of_arora_et_al_on_the_small_tables(published: PublishedStudy) -> None:
    small = [entry.name for entry in load_registry().select("small90")]
    table = summarise(study_pool(published, small, ZERO_EVERYWHERE)).round(2)
    printed = {"rf_caret": 81.56, "svm_C": 81.03, "svmPoly_caret": 78.21}
    assert table.loc[list(printed), "mean_score"].to_dict() == printed


HEADER = "problema a_R b_R min max mean std\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "results.txt"
    path.write_text(text)
    return path


def test_small_file_with_a_failure_and_footer(tmp_path: Path) -> None:
    body = "zoo 90.0 -- 90 90 90 0\nyeast 50 60.5 50 60.5 55 5\n-----\nmean 70 60.5\nstd 1 1\n"
    accuracy = read_published(write(tmp_path, HEADER + body)).accuracy
    assert list(accuracy.index) == ["zoo", "yeast"]
    assert accuracy.loc["yeast", "b_R"] == 60.5
    assert pd.isna(accuracy.loc["zoo", "b_R"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "problema"),
        ("dataset a b\n", "problema"),
        ("problema a_R b_R\nzoo 1 2\n", "columns missing"),
        ("problema a_R b_R min max mean\nzoo 1 2 1 2 1\n", "std"),
        (HEADER + "zoo 90 80 80 90 85\n", r":2: 'zoo' has 5 values for 6 columns"),
        (HEADER + "zoo 90 huh 80 90 85 1\n", "'huh' is not an accuracy"),
        (HEADER + "zoo 90 180 80 90 85 1\n", "'180' is not an accuracy"),
        (HEADER + "zoo 90 nan 80 90 85 1\n", "'nan' is not an accuracy"),
        (HEADER + "zoo 90 80 80 90 85 1\nzoo 90 80 80 90 85 1\n", "twice"),
        (HEADER, "no datasets"),
        ("problema a_R a_R min max mean std\nzoo 1 2 1 2 1 1\n", "repeated ones: a_R"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    refused(ReportError, "cannot read", read_published, tmp_path / "nowhere.txt")
    refused(ReportError, message, read_published, write(tmp_path, text))


def test_our_methods_change_the_pools_best(tmp_path: Path) -> None:
    study = read_published(write(tmp_path, HEADER + "zoo 80 40 1 1 1 1\nyeast 50 60 1 1 1 1\nwine 10 20 1 1 1 1\n"))
    ours = pd.DataFrame({"rfm": [100.0, 50.0, 70.0]}, index=["zoo", "yeast", "not-in-study"])
    pool = joined_pool(study, ours)
    assert pool.datasets == ["zoo", "yeast"]
    assert pool.relative.loc["zoo"].tolist() == [0.8, 0.4, 1.0]
    assert pool.ranks.loc["yeast"].tolist() == [2.5, 1.0, 2.5]
    # The study prints one decimal: 0.04 points more than its rounded figure are a tie, not a win.
    nearly = joined_pool(study, ours + 0.04)
    assert nearly.ranks.loc["yeast"].tolist() == [2.5, 1.0, 2.5]
    refused(ReportError, "no dataset", joined_pool, study, ours.loc[["not-in-study"]])
    taken = ours.rename(columns={"rfm": "a_R"})
    refused(ReportError, "both the runs and the published study: a_R", joined_pool, study, taken)
    refused(ReportError, "not in the published study: not-in-study", study_pool, study, ["zoo", "not-in-study"])
