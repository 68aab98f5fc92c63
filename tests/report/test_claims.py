"""What the README's block is made of, where the kept scores do not show it: several seeds, thin scores, the tool.

``tests/test_readme.py`` compares the pages themselves with what is made of the kept scores."""

from __future__ import annotations

import json
import re
import runpy
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
from bench.report.places import places_table
from bench.stats.frame import scores_frame

TOOLS = Path(__file__).parents[2] / "tools"
REGISTRY = load_registry()
NAMES = [entry.name for entry in REGISTRY.select("all121")][:24]
SMALL = {entry.name for entry in REGISTRY.select("small90")} & set(NAMES)


def scores(
    *protocols: str, methods: tuple[str, ...] = ("rfm", "laplace", "mlp"), seeds: tuple[int, ...] = (0, 1)
) -> pd.DataFrame:
    runs = [make_run(NAMES, methods, protocols, seed=s, details=False) for s in seeds]
    return scores_frame(result for run in runs for result in run.results)


def means(table: pd.DataFrame, protocol: str) -> pd.Series:
    by_dataset = table[table["protocol"] == protocol].groupby(["dataset", "method"])["accuracy"].mean()
    return by_dataset.groupby("method").mean()


def test_means_and_leads_are_over_seeds() -> None:
    table = scores("clean", "relearn", "published")
    text = results_page(table, REGISTRY)
    families = {REGISTRY.entry(name).family or name for name in SMALL}
    assert f"- `clean`, {len(SMALL)} small datasets ({len(families)} families, 2 seeds): RFM averages " in text
    assert f"- `published`, {len(NAMES)} datasets (" in text
    assert f"| MLP | {means(table[table['dataset'].isin(SMALL)], 'clean')['mlp']:.2f} | +" in text
    lead = {p: (m := means(table, p))["rfm"] - m["laplace"] for p in ("published", "relearn")}
    told = leak_sentence(table, REGISTRY)
    assert f"is Δ {lead['published']:+.2f} ± " in told
    assert f"it is {lead['relearn']:+.2f} ± " in told
    assert f"{lead['relearn'] - lead['published']:+.2f}".replace("-", "−") in told


def test_the_readme_has_a_leaderboard_and_a_line_a_protocol() -> None:
    plain = ("clean", "clean-cv", "published", "relearn")
    text = results_in_readme(scores(*plain, "clean-cv-greedy", "clean-cv-nominal", seeds=(0,)), REGISTRY)
    assert text.startswith(f"Leaderboard: `clean-cv`, {len(SMALL)} small datasets")
    assert re.findall(r"mean accuracy, ([\w ]+), %", text) == ["single", "greedy ensemble"]
    lines = [line.split("`")[1] for line in text.splitlines() if line.startswith("- `")]
    assert lines == ["published", "relearn", "clean", "clean-cv"]


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        (30.0, "significantly better than MLP, not significantly different from the 5 others."),
        (0.0, "not significantly different from any of the 6 others."),
    ],
)
def test_most_of_the_others_are_counted_instead_of_named(lead: float, said: str) -> None:
    methods = ("rfm", "laplace", "ntk", "mlp", "xgboost", "svm_rbf", "extra_trees")
    table = scores("clean", methods=methods, seeds=(0,))
    of_rfm = table.loc[table["method"] == "rfm", "accuracy"].to_numpy()
    for method in methods[1:]:
        table.loc[table["method"] == method, "accuracy"] = of_rfm - lead * (method == "mlp")
    (claim, _) = claims(table, REGISTRY)
    assert claim.sentence.endswith(f"; it is {said}")


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
    main = runpy.run_path(str(TOOLS / "readme_table.py"))["main"]

    def run(*typed: str) -> int:
        monkeypatch.setattr("sys.argv", ["readme_table.py", *typed])
        return int(main(tmp_path))

    return run


def test_the_tool_needs_the_study_once(tool: Callable[..., int], tmp_path: Path) -> None:
    kept = tmp_path / "results" / "kept" / "comparison"
    scores("clean", seeds=(0,)).to_csv(kept / "scores.csv.gz", index=False)
    with pytest.raises(SystemExit, match=r"places\.csv is not there: give the 2014 study's results with --published"):
        tool()
    results = tmp_path / "results.txt"
    drawn = np.random.default_rng(3).uniform(60, 100, size=(len(NAMES), 30)).round(1)
    lines = [" ".join(["problema", *(f"c{i}_R" for i in range(30)), "min max mean std"])]
    lines += [" ".join([name, *map(str, row), "0 0 0 0"]) for name, row in zip(NAMES, drawn, strict=True)]
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


def test_a_protocol_on_fewer_datasets_than_the_head_says_so() -> None:
    place = {"whose": "ours", "method": "rfm", "subset": "small90", "p90": 90.0, "p95": 80.0, "pma": 95.0}
    place |= {"place_by_rank": 1, "place_by_mean": 2}
    rows = [("clean", 90, 81.5), ("clean-cv", 66, 81.3)]
    found = [place | {"protocol": p, "datasets": n, "mean_accuracy": m} for p, n, m in rows]
    table = places_table(pd.DataFrame(found))
    assert "small datasets (90): mean %" in table
    assert "| `clean` | RFM | 81.50 | " in table
    assert "| `clean-cv` | RFM | 81.30 (on 66) | " in table


@pytest.mark.parametrize("tool", ["grid_edges", "variants_table"])
def test_the_pages_have_the_tables_of_the_kept_scores(monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    monkeypatch.setattr("sys.argv", [f"{tool}.py", "--check"])
    assert runpy.run_path(str(TOOLS / f"{tool}.py"))["main"]() == 0, f"run `python tools/{tool}.py`"


def test_in_the_table_of_variants_what_one_method_lacks_is_left_out_for_all() -> None:
    names = [entry.name for entry in REGISTRY.select("small90") if entry.nominal_columns][:3]
    variants = ("clean-cv", "clean-cv-greedy", "clean-cv-nominal", "clean-cv-greedy-nominal")
    table = scores_frame(make_run(names, ("rfm", "mlp"), variants, details=False).results)
    lacking = table.query("dataset == @names[0] and method == 'mlp' and protocol == 'clean-cv-greedy'")
    found = runpy.run_path(str(TOOLS / "variants_table.py"))["by_variant"](table.drop(lacking.index), REGISTRY)
    assert [{dataset for dataset, _ in matrix.index} for matrix in found.values()] == [set(names[1:])] * 4
