"""What the README's block is made of: sentences and tables from scores of several seeds, and thin scores."""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_runs import make_run

from bench.data.registry import load_registry
from bench.report.claims import (
    claims,
    kept_scores,
    leak_sentence,
    reproduction,
    results_in_readme,
    results_page,
)
from bench.report.places import place_sentences, places_of
from bench.stats.frame import scores_frame
from bench.stats.published import PublishedStudy

REGISTRY = load_registry()
NAMES = [entry.name for entry in REGISTRY.select("all121")][:24]
SMALL = {entry.name for entry in REGISTRY.select("small90")} & set(NAMES)


def scores(
    *protocols: str, methods: tuple[str, ...] = ("rfm", "laplace", "mlp"), seeds: tuple[int, ...] = (0, 1)
) -> pd.DataFrame:
    runs = [make_run(NAMES, methods, protocols, seed=s, details=False) for s in seeds]
    return scores_frame(result for run in runs for result in run.results)


def test_each_protocol_has_its_sentences_and_its_table() -> None:
    table = scores("clean", "relearn", "published")
    text = results_page(table, REGISTRY)
    families = {REGISTRY.entry(name).family or name for name in SMALL}
    assert f"- `clean`, {len(SMALL)} small datasets ({len(families)} families, 2 seeds): RFM averages " in text
    assert f"- `published`, {len(NAMES)} datasets (" in text
    assert text.count("| method | small datasets (") == 3
    by_hand = means(table[table["dataset"].isin(SMALL)], "clean")["mlp"]
    assert f"| MLP | {by_hand:.2f} | +" in text
    for claim in claims(table, REGISTRY):
        for c in claim.comparisons:
            assert claim.lead(c.second).endswith(" *") == c.significant
            assert ("better than" in claim.sentence) == any(x.verdict == "better" for x in claim.comparisons)
    lead = {p: (m := means(table, p))["rfm"] - m["laplace"] for p in ("published", "relearn")}
    told = leak_sentence(table, REGISTRY)
    assert f"is Δ {lead['published']:+.2f} ± " in told
    assert f"it is {lead['relearn']:+.2f} ± " in told
    assert f"{lead['relearn'] - lead['published']:+.2f}".replace("-", "−") in told


def test_the_readme_has_a_leaderboard_and_a_line_a_protocol() -> None:
    table = scores("clean", "clean-cv", "clean-cv-greedy", "clean-cv-nominal", "published", "relearn")
    text = results_in_readme(table, REGISTRY)
    assert text.startswith(f"Leaderboard: `clean-cv`, {len(SMALL)} small datasets")
    heads = (
        "| method | mean accuracy, single, % | δ accuracy (rfm − method), pp | mean accuracy, greedy ensemble, % | δ"
    )
    assert heads in text.lower()
    row = line_of(text.splitlines(), "| MLP |").split("|")
    for protocol, cell in (("clean-cv", row[2]), ("clean-cv-greedy", row[4])):
        assert float(cell) == pytest.approx(means(table[table["dataset"].isin(SMALL)], protocol)["mlp"], abs=0.005)
    (greedy,) = claims(table[table["dataset"].isin(SMALL)], REGISTRY, ["clean-cv-greedy"])
    assert f"\n\n`clean-cv-greedy` (greedy ensemble): {greedy.sentence}\n\n" in text
    lines = [line.split("`")[1] for line in text.splitlines() if line.startswith("- `")]
    assert lines == ["published", "relearn", "clean", "clean-cv"]
    assert text.endswith(leak_sentence(table, REGISTRY))


def test_ensembles_and_coded_columns_have_their_tables_after_the_plain_protocols() -> None:
    text = results_page(scores("clean-cv", "clean-cv-greedy", "clean-cv-greedy-nominal", seeds=(0,)), REGISTRY)
    titles = [line for line in text.splitlines() if line.startswith("`clean-cv")]
    assert titles == [
        "`clean-cv`: the same, selected by 5-fold cross-validation",
        "`clean-cv-greedy`: greedy ensemble",
        "`clean-cv-greedy-nominal`: greedy ensemble, coded nominal columns",
    ]
    assert [line.split("`")[1] for line in text.splitlines() if line.startswith("- `")][::2] == [
        line.split("`")[1] for line in titles
    ]


def test_most_of_the_others_are_counted_instead_of_named() -> None:
    methods = ("rfm", "laplace", "ntk", "mlp", "xgboost", "svm_rbf", "extra_trees")
    table = scores("clean", methods=methods, seeds=(0,))
    table.loc[table["method"] == "mlp", "accuracy"] -= 30
    others = table["method"].isin(methods[1:3] + methods[4:])
    table.loc[others, "accuracy"] = table.loc[table["method"] == "rfm", "accuracy"].repeat(5).to_numpy()
    (claim, _) = claims(table, REGISTRY)
    assert claim.sentence.endswith(
        "it is significantly better than MLP, not significantly different from the 5 others."
    )


def means(table: pd.DataFrame, protocol: str) -> pd.Series:
    by_dataset = table[table["protocol"] == protocol].groupby(["dataset", "method"])["accuracy"].mean()
    return by_dataset.groupby("method").mean()


def test_one_method_and_one_protocol_have_nothing_to_be_compared_with() -> None:
    alone = scores("clean", methods=("rfm",), seeds=(0,))
    text = results_page(alone, REGISTRY)
    assert "one seed): RFM averages" in text
    assert "significantly better than M" not in text
    assert leak_sentence(alone, REGISTRY) == ""
    assert reproduction(alone, REGISTRY, "here").startswith("| protocol |")
    assert claims(scores("clean", methods=("mlp",)), REGISTRY) == []


@pytest.mark.parametrize(
    ("seeds", "fewer"), [((0, 1), "2 seeds, one on {} datasets"), ((0, 1, 2), "3 seeds, fewer on {} datasets")]
)
def test_datasets_that_have_fewer_seeds_are_told(seeds: tuple[int, ...], fewer: str) -> None:
    table = scores("clean", seeds=seeds)
    last = seeds[-1]
    small, whole = claims(table[(table["seed"] != last) | table["dataset"].isin(SMALL)], REGISTRY)
    assert small.where.endswith(f", {len(seeds)} seeds)")
    assert whole.where.endswith(f", {fewer.format(len(NAMES) - len(SMALL))})")
    assert {seed for c in small.comparisons for seed, _ in c.difference.by_seed} == set(seeds)
    assert {seed for c in whole.comparisons for seed, _ in c.difference.by_seed} == set(seeds[:-1])  # same datasets


def test_scores_of_before_there_was_regression_are_of_classes(tmp_path: Path) -> None:
    table = scores("clean", seeds=(0,))
    table.drop(columns=["task", "metric"]).to_csv(tmp_path / "scores.csv", index=False)
    read = kept_scores(tmp_path / "scores.csv")
    assert set(read["task"]) == {"classification"}
    assert results_page(read, REGISTRY) == results_page(table, REGISTRY)


@pytest.mark.parametrize("seeds", [(0,), (3, 5)])
def test_the_page_on_the_paper_agrees_with_the_readme(seeds: tuple[int, ...]) -> None:
    table = scores("clean-cv", "published", seeds=seeds)
    shown = {c.protocol: c.lead("laplace") for c in claims(table, REGISTRY) if c.subset == "small90"}
    lines = reproduction(table, REGISTRY, "here").splitlines()
    for protocol, lead in shown.items():
        assert line_of(lines, f"| `{protocol}` |").endswith(f"| {lead} |")


def line_of(lines: list[str], start: str) -> str:
    return next(line for line in lines if line.startswith(start))


def study(classifiers: int = 30) -> PublishedStudy:
    """Made-up accuracies of so many classifiers on the datasets of these tests."""
    drawn = np.random.default_rng(3).uniform(60, 100, size=(len(NAMES), classifiers)).round(1)
    return PublishedStudy(pd.DataFrame(drawn, index=NAMES, columns=[f"c{i}_R" for i in range(classifiers)]))


def test_a_line_for_each_protocol_says_where_rfm_stands() -> None:
    table = scores("clean", "published", methods=("rfm", "laplace", "ntk"))
    places = places_of(table, study(), REGISTRY)
    lines = place_sentences(places).splitlines()
    rows = places[(places["method"] == "rfm") & (places["subset"] == "small90")].set_index("protocol")
    for protocol in ("clean", "published"):
        r = rows.loc[protocol]
        (line,) = [x for x in lines if x.startswith(f"- `{protocol}`: ")]
        assert f"{r['place_by_rank']} / {r['place_by_mean']} of 33 on the {r['datasets']} small datasets" in line
        assert line.endswith("on the 24 that both have.")
    assert place_sentences(places) in results_page(table, REGISTRY, places)
    told = reproduction(table, REGISTRY, "here", places).splitlines()
    mean = f"{places.set_index(['protocol', 'method', 'subset'])['mean_accuracy']['clean', 'ntk', 'small90']:.2f}"
    (row,) = [x for x in told if x.startswith(f"| `clean` | NTK | {mean} | ")]
    assert row.count("|") == line_of(told, "| protocol | method |").count("|")


def test_a_method_that_ran_on_few_datasets_leaves_the_others_theirs() -> None:
    table = scores("published", seeds=(0,))
    table = table[(table["method"] != "mlp") | table["dataset"].isin(SMALL)]
    first, second = claims(table, REGISTRY)
    assert (set(first.means.index), set(second.means.index)) == ({"rfm", "laplace", "mlp"}, {"rfm", "laplace"})
    assert (first.datasets, second.datasets) == (len(SMALL), len(NAMES))
    assert second.sentence.endswith("Laplace kernel, the only other method with results on all of them.")
    text = results_page(table, REGISTRY)
    assert re.search(r"^\| MLP \| [\d.]+ \| .* \| – \| – \|$", text, re.MULTILINE)
    assert "A dash: too few results there." in text
    assert "A dash" not in results_page(scores("published", seeds=(0,)), REGISTRY)


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """tools/readme_table.py on a folder of its own, with what is typed after it."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "results" / "kept" / "comparison").mkdir(parents=True)
    for page in ("README.md", "docs/results.md", "docs/reproduce-the-paper.md"):
        (tmp_path / page).write_text("before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n")
    monkeypatch.delenv("BENCH_PUBLISHED", raising=False)
    main = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "readme_table.py"))["main"]

    def run(*typed: str) -> int:
        monkeypatch.setattr(sys, "argv", ["readme_table.py", *typed])
        return int(main(tmp_path))

    return run


def test_the_tool_needs_the_study_once(tool: Callable[..., int], tmp_path: Path) -> None:
    kept = tmp_path / "results" / "kept" / "comparison"
    scores("clean", seeds=(0,)).to_csv(kept / "scores.csv.gz", index=False)
    with pytest.raises(SystemExit, match=r"places\.csv is not there: give the 2014 study's results with --published"):
        tool()
    results = tmp_path / "results.txt"
    made = study().accuracy
    lines = [" ".join(["problema", *made.columns, "min max mean std"])]
    lines += [" ".join([name, *map(str, row), "0 0 0 0"]) for name, row in zip(NAMES, made.to_numpy(), strict=True)]
    results.write_text("\n".join(lines) + "\n")
    assert tool("--published", str(results)) == 0
    assert (tmp_path / "README.md").read_text().startswith("before\n<!-- results: begin -->\nLeaderboard: `clean`, ")
    page = (tmp_path / "docs" / "results.md").read_text()
    assert page.startswith("before\n<!-- results: begin -->\n- `clean`, ")
    assert " of 33 on the " in page
    assert "\nold\n" not in page
    assert tool("--check") == 0
    recorded = {"methods": {"laplace": {"title": "not this"}, "mine": {"title": "Mine, by title"}}}
    (kept / "provenance.json").write_text(json.dumps([{"run": "r", "invocations": [{}, recorded]}]))
    scores("clean", methods=("rfm", "laplace", "mine"), seeds=(0,)).to_csv(kept / "scores.csv.gz", index=False)
    assert tool("--published", str(results)) == 0
    page = (tmp_path / "docs" / "results.md").read_text()
    assert "| Laplace kernel |" in page
    assert "| Mine, by title |" in page
    assert tool("--check", "--published", str(results)) == 0
    (tmp_path / "docs" / "results.md").write_text(page.replace(" of 33 ", " of 34 "))
    assert tool("--check") == 1
    scores("clean", seeds=(1,)).to_csv(kept / "scores.csv.gz", index=False)
    with pytest.raises(SystemExit, match=r"places\.csv is not of these scores"):
        tool()
    with pytest.raises(SystemExit, match="cannot read the published results"):
        tool("--published", str(tmp_path / "nowhere"))
