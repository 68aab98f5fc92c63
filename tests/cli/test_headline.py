"""The first numbers at the end of a run are the report's, ragged grids included."""

from __future__ import annotations

from dataclasses import replace

from bench.cli.headline import score_tables
from bench.records.method import HoldoutResult
from bench.records.result import Job, JobResult


def result(dataset: str, method: str, accuracy: float | None, protocol: str = "clean", *, seed: int = 0) -> JobResult:
    name = f"{dataset}-{method}-{protocol}-{seed}"
    job = Job(name, dataset, "embedded", 10, 2, 2, method, protocol, f"seed-{seed}", seed)
    if accuracy is None:
        return JobResult(job, "error", "broken", cpu_seconds=1.0)
    holdouts = tuple(HoldoutResult(k, accuracy, {}, 0, 50.0, 0.1) for k in range(4))
    return JobResult(job, "ok", holdouts=holdouts, cpu_seconds=1.0)


def number(dataset: str, *scores: float) -> JobResult:
    """Of RFM in regression, selected by the mean absolute error."""
    job = Job(f"{dataset}-rfm", dataset, "embedded", 10, 2, 0, "rfm", "clean", "seed-0", 0, kind="regression")
    holdouts = tuple(
        HoldoutResult(k, r2, {}, 0, 0.5, 0.1, measures={"r2": r2, "r2_cut": max(r2, 0.0)})
        for k, r2 in enumerate(scores)
    )
    return JobResult(replace(job, selected_by="mae"), "ok", holdouts=holdouts, cpu_seconds=1.0)


def test_means_are_over_the_tables_that_all_methods_share() -> None:
    results = [result("a", "rfm", 90.0), result("b", "rfm", 70.0), result("a", "mlp", 50.0), result("b", "mlp", None)]
    assert score_tables(results, {}) == [
        "clean: mean accuracy over the 1 dataset that all 2 methods have",
        "  rfm               90.00 %     1 dataset        2.0 CPU-s",
        "  mlp               50.00 %     1 dataset        2.0 CPU-s",
        "  rfm by the report's rule, 1 family: not significantly different from mlp",
    ]
    assert score_tables([result("a", "rfm", None)], {}) == []
    [line] = score_tables([result("a", "rfm", 80.0), result("b", "mlp", 50.0)], {})
    assert line.startswith("clean: no dataset has a result of every method")


def test_a_method_that_covers_little_is_named_and_left_out() -> None:
    lines = score_tables([*(result(name, "rfm", 80.0) for name in "abc"), result("a", "mlp", 50.0)], {})
    assert lines[0] == "clean: mean accuracy over 3 datasets"
    assert lines[-1].split() == ["mlp", "left", "out:", "results", "on", "1", "dataset", "only"]


def test_each_kind_has_a_table_of_its_own_measure() -> None:
    results = [result("a", "rfm", 90.0), number("x", 0.5, -1234.5), number("y", 0.75, 0.75)]
    assert score_tables(results, {}) == [
        "clean: mean accuracy over 1 dataset",
        "  rfm               90.00 %     1 dataset        1.0 CPU-s",
        "clean: mean R2 (cut at 0) over 2 datasets (selected by MAE)",
        "  rfm               0.500      2 datasets        2.0 CPU-s",
        "  1 test fold below 0 counts as 0 (lowest -1234.500: x/rfm)",
    ]


def test_each_protocol_has_a_table_of_its_own_seconds() -> None:
    results = [result("a", "rfm", 90.0 + k, name) for k, name in enumerate(("clean", "clean-cv", "other"))]
    assert score_tables(results, {}) == [
        "clean: mean accuracy over 1 dataset",
        "  rfm               90.00 %     1 dataset        1.0 CPU-s",
        "clean-cv: mean accuracy over 1 dataset",
        "  rfm               91.00 %     1 dataset        1.0 CPU-s",
        "other: mean accuracy over 1 dataset",
        "  rfm               92.00 %     1 dataset        1.0 CPU-s",
    ]


def test_the_rule_counts_families_and_every_seed() -> None:
    def seeded(rfm: float, mlp: float, *seeds: int) -> list[JobResult]:
        both = (("rfm", rfm), ("mlp", mlp))
        return [result(name, method, a, seed=s) for name in names for s in seeds for method, a in both]

    names = [f"d{i}" for i in range(12)]
    results = seeded(90.0, 80.0, 0, 1)
    better = "  rfm by the report's rule, 12 families: significantly better than mlp"
    assert score_tables(results, {})[-1] == better
    related = score_tables(results, {name: f"f{i % 3}" for i, name in enumerate(names)})
    assert related[-1] == "  rfm by the report's rule, 3 families: not significantly different from mlp"
    lines = score_tables([*results, *seeded(80.0, 81.0, 2)], {})
    assert lines[-1].endswith("12 families: not significantly different from mlp")
    assert lines[1].split()[:2] == ["rfm", "86.67"]
