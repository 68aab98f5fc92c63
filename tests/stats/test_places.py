"""Places among the 2014 study's classifiers computed anew with pandas and scipy: a made-up study, the real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from bench.data.registry import load_registry
from bench.report.claims import kept_scores
from bench.report.places import outdated, places_of
from bench.stats.places import COLUMNS, SUBSETS, places_frame, standing, standings, study_alone
from bench.stats.published import PublishedStudy, read_published

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "results" / "kept" / "comparison"


def expected(study: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Our methods in the study's pool on the datasets of ``ours``: its rule for missing results, its one decimal."""
    pool = pd.concat([study.loc[ours.index], ours.round(1)], axis=1).to_numpy(dtype=float)
    averages = np.nanmean(pool, axis=1, keepdims=True)
    ranks = rankdata(-np.where(np.isnan(pool), averages, pool).round(9), axis=1).mean(axis=0)
    means = np.r_[np.nanmean(study.loc[ours.index], axis=0), np.nanmean(ours, axis=0)]
    zeros = np.nan_to_num(pool, nan=0.0)
    best = zeros.max(axis=1, keepdims=True)
    return pd.DataFrame(
        {
            "mean_accuracy": means,
            "p90": 100 * (zeros >= 0.9 * best - 1e-9).mean(axis=0),
            "p95": 100 * (zeros >= 0.95 * best - 1e-9).mean(axis=0),
            "pma": 100 * (zeros / best).mean(axis=0),
            "friedman_rank": ranks,
            "place_by_rank": rankdata(ranks.round(9), method="min"),
            "place_by_mean": rankdata(-means.round(9), method="min"),
        },
        index=[*study.columns, *ours.columns],
    )


def agrees(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    """Rows of ``places.csv`` (of one protocol and subset) and the computation of this file."""
    found = found.set_index("method")
    for key in wanted.columns:
        assert found[key].to_dict() == pytest.approx(wanted.loc[found.index, key].to_dict(), abs=1e-5), key


GROUPS: dict[str, str | None] = {f"s{i}": "small" for i in range(25)} | {"l0": "large", "t0": "test-file", "own": None}


@pytest.fixture
def made_up() -> tuple[PublishedStudy, pd.DataFrame]:
    """Eight classifiers, some of which failed, and three methods on the 27 datasets and one more."""
    generator = np.random.default_rng(5)
    level = generator.uniform(50, 95, size=(27, 1))
    names = [name for name in GROUPS if name != "own"]
    theirs = (level + generator.normal(0, 3, (27, 8))).clip(0, 100).round(1)
    theirs[[2, 5, 9], [1, 1, 6]] = np.nan
    study = PublishedStudy(pd.DataFrame(theirs, index=names, columns=[f"c{i}_R" for i in range(8)]))
    ours = pd.DataFrame(
        np.vstack([level + generator.normal(1, 2, (27, 3)), [[99.0, 98.0, 97.0]]]).clip(0, 100),
        index=[*names, "own"],
        columns=["rfm", "laplace", "mlp"],
    )
    return study, ours


def test_places_on_a_made_up_study(made_up: tuple[PublishedStudy, pd.DataFrame]) -> None:
    study, ours = made_up
    ours.loc["s3", "mlp"] = np.nan  # 26 of 27, 25 of 26, 24 of 25: as many as the rule for missing results takes
    table = places_frame(standings(study, {"clean": ours}, GROUPS))
    assert tuple(table.columns) == COLUMNS
    assert set(table["subset"]) == set(SUBSETS)
    for (subset, groups), count in zip(SUBSETS.items(), (27, 26, 25), strict=True):
        rows = table[table["subset"] == subset]
        assert set(rows["datasets"]) == {count}
        agrees(rows, expected(study.accuracy, ours.loc[[d for d in ours.index if GROUPS[d] in groups]]))
        assert sorted(rows.loc[rows["whose"] == "ours", "method"]) == ["laplace", "mlp", "rfm"]
        assert rows["whose"].eq("study").sum() == 5
        assert set(rows["pool"]) == {11}
        assert rows["friedman_rank"].is_monotonic_increasing
    assert table.set_index(["subset", "method"])["missing"]["small90", "mlp"] == 1


def test_a_method_with_few_results_is_left_out_and_a_set_that_adds_nothing_too(
    made_up: tuple[PublishedStudy, pd.DataFrame],
) -> None:
    study, ours = made_up
    ours.loc[[f"s{i}" for i in range(5)], "mlp"] = np.nan
    ours.loc["l0"] = np.nan
    found = {s.subset: s for s in standings(study, {"clean": ours}, GROUPS)}
    assert list(found) == ["all121", "small90"]
    assert found["small90"].left_out == {"mlp": 20}
    assert found["small90"].ours == ["rfm", "laplace"]
    assert len(found["small90"].pool.datasets) == 25
    assert standing(study, "clean", ours.loc[["own"]], "all121", GROUPS) is None
    assert places_frame([]).empty


def test_the_study_alone_is_placed_among_itself(made_up: tuple[PublishedStudy, pd.DataFrame]) -> None:
    study, ours = made_up
    found = standings(study, {"clean": ours, "clean-cv": ours.iloc[:10]}, GROUPS)
    alone = study_alone(study, found)["small90"]
    wanted = expected(study.accuracy, pd.DataFrame(index=study.accuracy.index[:25]))
    agrees(alone.reset_index(names="method"), wanted[[c for c in wanted.columns if c in alone.columns]])


def test_a_classifier_that_failed_on_all_datasets_has_no_place(made_up: tuple[PublishedStudy, pd.DataFrame]) -> None:
    study, ours = made_up
    on = ours.loc[["s2", "s5"]]  # c1_R failed on both
    found = standings(study, {"clean": on}, GROUPS)
    others = study.accuracy.drop(columns="c1_R")
    table = places_frame(found).query("whose == 'ours'")
    agrees(table, expected(others, on).loc[on.columns])
    assert set(table["pool"]) == {7 + 3}
    alone = study_alone(study, found)["small90"]
    assert sorted(alone.index) == sorted(others.columns)
    assert set(alone["place_by_mean"]) == set(others.loc[on.index].mean().rank(method="min", ascending=False))


def test_places_of_other_scores_are_noticed() -> None:
    """The kept ones of two protocols; ``tests/test_readme.py`` asks it of all."""
    few = "protocol in ('clean', 'published') and method in ('rfm', 'laplace')"
    scores, places = kept_scores(KEPT / "scores.csv.gz").query(few), pd.read_csv(KEPT / "places.csv").query(few)
    assert outdated(places, scores, load_registry()) == []
    changed = scores.copy()
    changed.loc[(changed["protocol"] == "published") & (changed["method"] == "rfm"), "accuracy"] -= 0.5
    assert "rfm under published on small90" in outdated(places, changed, load_registry())
    assert "clean" in outdated(places[places["protocol"] != "clean"], scores, load_registry())


def test_the_kept_places_are_those_of_the_kept_scores_and_the_study(published_path: Path) -> None:
    fresh = places_of(kept_scores(KEPT / "scores.csv.gz"), read_published(published_path), load_registry()).round(6)
    assert fresh.to_csv(index=False, lineterminator="\n") == (KEPT / "places.csv").read_text(encoding="utf-8")
