"""The kept comparison computed anew with pandas, scipy and the registry's file alone: means, intervals, p, verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from statsmodels.stats.multitest import multipletests

from bench.data.registry import load_registry
from bench.report import wording
from bench.report.blocks import Choice
from bench.report.build import gather
from bench.report.claims import claims, kept_scores
from bench.report.evidence import Evidence
from bench.report.sections.leaderboard import leaderboard
from bench.store.exported import read_results

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "results" / "kept" / "comparison"
SETS = [("clean-cv", "small90"), ("clean", "all121"), ("relearn", "small90"), ("published", "all121")]


@pytest.fixture(scope="module")
def kept() -> pd.DataFrame:
    return kept_scores(KEPT / "scores.csv.gz")


Registry = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def registry() -> Registry:
    """What ``datasets.yaml`` says, read without the harness."""
    return dict(yaml.safe_load((ROOT / "datasets.yaml").read_text(encoding="utf-8"))["datasets"])


def datasets_of(registry: Registry, subset: str) -> list[str]:
    groups = ("small",) if subset == "small90" else ("small", "large", "test-file")
    return [name for name, entry in registry.items() if entry.get("group") in groups]


def common(kept: pd.DataFrame, protocol: str, datasets: list[str]) -> pd.DataFrame:
    """Mean accuracies, datasets x methods, of the datasets that all methods have; without methods that have less than
    95 % of the best-covered one's."""
    rows = kept[(kept["protocol"] == protocol) & kept["dataset"].isin(datasets) & (kept["status"] == "ok")]
    means = rows.groupby(["dataset", "method", "seed"])["accuracy"].mean().groupby(level=[0, 1]).mean().unstack()
    return means.loc[:, means.count() >= 0.95 * means.count().max()].dropna()


def signed_rank(values: np.ndarray) -> float:
    """Exact up to 50 without equal magnitudes, as the harness has it; here none is so few that ties would be exact."""
    values = np.round(values, 9)
    values = values[values != 0]
    assert len(values) > 13
    exact = len(values) <= 50 and len(np.unique(np.abs(values))) == len(values)
    return float(stats.wilcoxon(values, method="exact" if exact else "approx").pvalue)


def bootstrap(grouped: Any, seed: int) -> Any:
    """SciPy's, of the mean over all values, families drawn."""
    return stats.bootstrap(
        (grouped.sum().to_numpy(), grouped.count().to_numpy()),
        lambda sums, counts, axis=-1: sums.sum(axis=axis) / counts.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=9_999,
        method="percentile",
        rng=np.random.default_rng(seed),
    )


def family_means(difference: pd.Series, registry: Registry) -> Any:
    """``difference`` by dataset, grouped into families."""
    return difference.groupby([registry[name].get("family", name) for name in difference.index])


def expected(table: pd.DataFrame, method: str, registry: Registry) -> dict[str, float]:
    """What comes out of RFM minus ``method``."""
    difference = table["rfm"] - table[method]
    grouped = family_means(difference, registry)
    drawn = bootstrap(grouped, 99)
    return {
        "mean": float(difference.mean()),
        "se": float(drawn.standard_error),
        "low": float(drawn.confidence_interval.low),
        "high": float(drawn.confidence_interval.high),
        "p": signed_rank(grouped.mean().to_numpy()),
        "single_se": float(difference.sem()),
        "single_low": float(stats.ttest_1samp(difference, 0.0).confidence_interval().low),
        "single_p": signed_rank(difference.to_numpy()),
        "families": float(grouped.ngroups),
    }


@pytest.mark.parametrize(("protocol", "subset"), SETS)
def test_figures_and_verdicts_are_those_of_an_independent_computation(
    kept: pd.DataFrame, registry: Registry, protocol: str, subset: str
) -> None:
    table = common(kept, protocol, datasets_of(registry, subset))
    others = [m for m in table.columns if m != "rfm"]
    found = [expected(table, m, registry) for m in others]
    (claim,) = (c for c in claims(kept, load_registry(), [protocol]) if c.subset == subset)
    assert claim.means.to_dict() == pytest.approx(table.mean().to_dict())
    ours = {c.second: c for c in claim.comparisons}
    assert set(ours) == set(others)
    verdicts = {}
    for method, values, p in zip(others, found, multipletests([f["p"] for f in found], method="holm")[1], strict=True):
        c, d = ours[method], ours[method].difference
        assert (d.datasets, d.families) == (len(table), values["families"])
        assert d.mean == pytest.approx(values["mean"], abs=1e-9)
        assert (d.p, c.p, d.single.p) == pytest.approx((values["p"], p, values["single_p"]), rel=1e-6)
        assert (d.single.se, d.single.low) == pytest.approx((values["single_se"], values["single_low"]))
        noise = 0.15 * values["se"]  # of other draws: four times the standard deviation of the difference of two ends
        for end in ("se", "low", "high"):
            assert getattr(d, end) == pytest.approx(values[end], abs=noise)
        if p < 0.05:
            assert min(abs(values["low"]), abs(values["high"])) > noise, "an end near 0: draw more"
        better = p < 0.05 and values["low"] > 0 and values["mean"] > 0
        worse = p < 0.05 and values["high"] < 0 and values["mean"] < 0
        verdicts[method] = "better" if better else "worse" if worse else "not significant"
    assert {method: c.verdict for method, c in ours.items()} == verdicts


@pytest.fixture(scope="module")
def page() -> Evidence:
    return gather([read_results(KEPT)])


@pytest.mark.parametrize("protocol", ["clean", "clean-cv"])
def test_the_leaderboard_is_that_of_an_independent_computation(
    kept: pd.DataFrame, registry: Registry, page: Evidence, protocol: str
) -> None:
    with wording.naming(page.titles, page.methods):
        shown = leaderboard(page, page.views[protocol])[0]
        titles = {method: wording.title(method) for method in page.methods}
    assert isinstance(shown, Choice)
    board = shown.options[0][1]
    rows = {row[0].text: {c.title: cell for c, cell in zip(board.columns, row, strict=True)} for row in board.rows}
    wanted = kept[(kept["protocol"] == protocol) & (kept["status"] == "ok")]
    means = wanted.groupby(["dataset", "method"])["accuracy"].mean().unstack()
    table = means.loc[:, means.count() >= 0.5 * means.count().max()].dropna()
    order = table.mean().sort_values(ascending=False)
    assert list(rows) == [titles[m] for m in order.index]
    ranks = (-table.round(9)).rank(axis=1).mean()
    for method in table.columns:
        row = rows[titles[method]]
        assert row["Mean accuracy"].value == pytest.approx(table[method].mean())
        assert row["Average rank"].value == pytest.approx(ranks[method])
        lead = (table[[method]].to_numpy() - table.drop(columns=method).to_numpy()).round(9)
        assert row["Win rate"].value == pytest.approx(100 * ((lead > 0) + (lead == 0) / 2).mean())
        drawn = bootstrap(family_means(table[method], registry), 7)
        ends = [float(end) for end in row["95 % interval"].text.split(" to ")]
        assert ends == pytest.approx(list(drawn.confidence_interval), abs=0.15 * drawn.standard_error)
        part = wanted[(wanted["method"] == method) & wanted["dataset"].isin(table.index)]
        fitting = (part["fit_seconds"] - part["predict_seconds"].fillna(0)) / part["train_samples"]
        for title, seconds in (
            ("Train, s per 1,000", 1e3 * fitting),
            ("Predict, ms per 1,000", 1e6 * part["predict_seconds"] / part["test_samples"]),
        ):
            assert row[title].value == pytest.approx(seconds.groupby(part["dataset"]).mean().median())
