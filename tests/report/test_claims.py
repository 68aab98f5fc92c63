"""What the README's block is made of: sentences and tables from scores of several seeds, and thin scores."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from synthetic_runs import make_run

from bench.data.registry import load_registry
from bench.report.claims import claims, kept_scores, leak_sentence, reproduction, results_in_readme
from bench.stats.frame import scores_frame

REGISTRY = load_registry()
NAMES = [entry.name for entry in REGISTRY.select("all121")][:24]


def scores(
    *protocols: str, methods: tuple[str, ...] = ("rfm", "laplace", "mlp"), seeds: tuple[int, ...] = (0, 1)
) -> pd.DataFrame:
    runs = [make_run(NAMES, methods, protocols, seed=s, details=False) for s in seeds]
    return scores_frame(result for run in runs for result in run.results)


def test_each_protocol_has_its_sentences_and_its_table() -> None:
    table = scores("clean", "relearn", "published")
    text = results_in_readme(table, REGISTRY)
    small = {e.name for e in REGISTRY.select("small90")} & set(NAMES)
    families = {REGISTRY.entry(name).family or name for name in small}
    assert f"- `clean`, {len(small)} small datasets ({len(families)} families, 2 seeds): RFM averages " in text
    assert f"- `published`, {len(NAMES)} datasets (" in text
    assert text.count("| method | small datasets (") == 3
    by_hand = table[(table["protocol"] == "clean") & (table["method"] == "mlp")]
    assert (
        f"| MLP | {by_hand[by_hand['dataset'].isin(small)].groupby('dataset')['accuracy'].mean().mean():.2f} | +"
        in text
    )
    for claim in claims(table, REGISTRY):
        for c in claim.comparisons:
            assert claim.lead(c.second).endswith(" *") == c.significant
            assert ("better than" in claim.sentence) == any(x.verdict == "better" for x in claim.comparisons)
    lead = {p: (m := _means(table, p))["rfm"] - m["laplace"] for p in ("published", "relearn")}
    told = leak_sentence(table, REGISTRY)
    assert f"is Δ {lead['published']:+.2f} ± " in told
    assert f"it is {lead['relearn']:+.2f} ± " in told
    assert f"{lead['relearn'] - lead['published']:+.2f}".replace("-", "−") in told


def _means(table: pd.DataFrame, protocol: str) -> pd.Series:
    return (
        table[table["protocol"] == protocol].groupby(["dataset", "method"])["accuracy"].mean().groupby("method").mean()
    )


def test_one_method_and_one_protocol_have_nothing_to_be_compared_with() -> None:
    alone = scores("clean", methods=("rfm",), seeds=(0,))
    text = results_in_readme(alone, REGISTRY)
    assert "one seed): RFM averages" in text
    assert "significantly better than M" not in text
    assert leak_sentence(alone, REGISTRY) == ""
    assert reproduction(alone, REGISTRY, "here").startswith("| protocol |")
    assert claims(scores("clean", methods=("mlp",)), REGISTRY) == []


def test_scores_of_before_there_was_regression_are_of_classes(tmp_path: Path) -> None:
    table = scores("clean", seeds=(0,))
    table.drop(columns=["task", "metric"]).to_csv(tmp_path / "scores.csv", index=False)
    read = kept_scores(tmp_path / "scores.csv")
    assert set(read["task"]) == {"classification"}
    assert results_in_readme(read, REGISTRY) == results_in_readme(table, REGISTRY)


@pytest.mark.parametrize("seeds", [(0,), (3, 5)])
def test_the_page_on_the_paper_agrees_with_the_readme(seeds: tuple[int, ...]) -> None:
    table = scores("clean-cv", "published", seeds=seeds)
    shown = {c.protocol: c.lead("laplace") for c in claims(table, REGISTRY) if c.subset == "small90"}
    lines = reproduction(table, REGISTRY, "here").splitlines()
    for protocol, lead in shown.items():
        assert next(x for x in lines if x.startswith(f"| `{protocol}` |")).endswith(f"| {lead} |")
