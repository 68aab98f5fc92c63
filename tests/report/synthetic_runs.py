"""Run records made from a seed: realistic enough to judge a page by, small enough for a test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.records.measure import measures_of
from bench.records.method import HoldoutResult
from bench.records.result import Job, JobResult, RunRecord
from bench.store import Store

METHODS = ("rfm", "laplace", "ntk", "mlp", "xgboost", "random_forest", "svm_rbf")
SKILL = {"rfm": 0.6, "laplace": 0.3, "ntk": 0.0, "mlp": -0.9, "xgboost": -0.6, "random_forest": -0.3, "svm_rbf": 0.2}
LEAK = {"clean": 0.0, "clean-cv": 0.7, "relearn": 0.9, "published": 1.6}
PATHS = {"rfm": 5, "mlp": 12, "xgboost": 40}
PROVENANCE = {
    "versions": {"python": "3.11.7", "numpy": "2.4.0", "torch": "2.13.0", "rfmbench": "0.1.0"},
    "cpu": "Example CPU @ 2.0 GHz",
    "cores": 2,
    "platform": "Linux-x86_64",
    "threads": 1,
    "seeds": [0],
    "commit": "0123abc",
    "command": "python -m bench run --subset embedded",
    "started": "2026-01-01T00:00:00Z",
}


def make_run(
    datasets: Sequence[str],
    methods: Sequence[str] = METHODS,
    protocols: Sequence[str] = ("clean",),
    *,
    folder: str = "results/synthetic",
    source: str = "archive",
    split: str = "published",
    seed: int = 0,
    failures: dict[tuple[str, str], tuple[str, str]] | None = None,
    details: bool = True,
    reduction: str | None = None,
) -> RunRecord:
    """A run over the grid; ``failures`` maps (dataset, method) to (status, reason)."""
    generator = np.random.default_rng(20260101 + seed)
    results = []
    for dataset in datasets:
        table = np.random.default_rng(list(dataset.encode()))  # one table, whichever run it is in
        rows = int(10 ** table.uniform(1.3, 3.7))
        features = int(10 ** table.uniform(0.6, 2.2))
        classes = int(table.choice([2, 2, 2, 3, 5, 10]))
        level = table.uniform(55, 97)
        learned = table.gamma(1.0, 0.8)  # how much a learned metric helps on it
        for method in methods:
            own = table.normal(0, 1.2) + SKILL.get(method, 0.0) + (learned if method == "rfm" else 0.0)
            for protocol in protocols:
                name = f"{dataset}/{method}/{protocol}/{seed}"
                job = Job(name, dataset, source, rows, features, classes, method, protocol, split, seed)
                job = replace(job, reduction=reduction)
                status, reason = (failures or {}).get((dataset, method), ("ok", ""))
                if status != "ok":
                    results.append(JobResult(job, status, reason, job_seconds=3.5))  # type: ignore[arg-type]
                    continue
                gain = LEAK.get(protocol, 0.0) if method == "rfm" else LEAK.get(protocol, 0.0) * 0.6
                accuracies = np.clip(level + own + gain + generator.normal(0, 1.5, 4), 0, 100)
                test = max(rows // 4, 1)
                holdouts = tuple(
                    _holdout(i, round(a / 100 * test) * 100 / test, method, features, generator, details)
                    for i, a in enumerate(accuracies)
                )
                seconds = float(rows**1.5 / 3e4 * generator.uniform(0.5, 2))
                memory = 20.0 + rows / 8
                peak = memory * float(generator.uniform(0.5, 1.1))
                told = {"versions": PROVENANCE["versions"], "memory_estimate_mb": memory, "memory_peak_mb": peak}
                done = JobResult(
                    job, "ok", holdouts=holdouts, job_seconds=seconds, cpu_seconds=seconds * 0.95,
                    peak_rss_mb=300.0 + rows / 20, provenance=told,
                )  # fmt: skip
                results.append(done)
    planned = tuple(r.job for r in results)
    return RunRecord(folder, tuple(results), planned, {**PROVENANCE, "seeds": [seed]})


def _holdout(
    number: int, accuracy: float, method: str, features: int, generator: np.random.Generator, details: bool
) -> HoldoutResult:
    points = PATHS.get(method, 1)
    config = {"ridge": float(generator.choice([1.0, 0.1, 0.01])), "unit_norm": bool(generator.integers(2))}
    start = float(generator.uniform(60, 80))
    curve = np.clip(start + np.cumsum(generator.normal(0.4, 0.8, points)), 0, 100).round(3).tolist()
    chosen = int(np.argmax(curve))
    kept = {}
    if method == "rfm" and details:
        diagonal = generator.gamma(0.5, 1.0, features)
        vectors = np.linalg.qr(generator.normal(size=(features, min(features, 3))))[0].T
        values = np.sort(diagonal)[::-1][: len(vectors)]
        kept = {
            "metric_diagonal": diagonal.round(5).tolist(),
            "top_eigenvectors": vectors.round(4).tolist(),
            "eigenvalues": values.round(5).tolist(),
        }
    path = [
        {"config": config, "iterations": list(range(points)), "score": curve, "squared_error": [0.3] * points},
        {"config": {"ridge": 10.0, "unit_norm": True}, "iterations": [0], "score": [50.0], "squared_error": [0.5]},
    ]
    return HoldoutResult(number, accuracy, config, chosen, curve[chosen], 0.25, path, kept)


def with_jobs(run: RunRecord, of: Collection[str] = (), **changes: object) -> RunRecord:
    """``run`` with ``changes`` of its jobs, or of those on the datasets ``of`` alone."""

    def changed(r: JobResult) -> JobResult:
        return replace(r, job=replace(r.job, **changes)) if not of or r.job.dataset in of else r  # type: ignore[arg-type]

    return replace(run, results=tuple(map(changed, run.results)))


def with_holdouts(run: RunRecord, change: Callable[[JobResult, HoldoutResult], HoldoutResult]) -> RunRecord:
    """``run`` with every hold-out of every result changed."""
    results = (replace(r, holdouts=tuple(change(r, h) for h in r.holdouts)) for r in run.results)
    return replace(run, results=tuple(results))


def with_scores(run: RunRecord, score: Callable[[Job], float]) -> RunRecord:
    """``run`` with one score on all hold-outs of a job."""
    return with_holdouts(run, lambda r, h: replace(h, score=score(r.job)))


def with_measures(run: RunRecord) -> RunRecord:
    """``run``, of classification, as if the further measures had been computed: log loss of probabilities alone."""

    def measured(r: JobResult, h: HoldoutResult) -> HoldoutResult:
        error = 1 - h.score / 100
        measures = {"accuracy": h.score, "balanced_accuracy": h.score - 1.5, "auc": 1 - error / 2, "brier": 2 * error}
        probabilities = {"log_loss": 3 * error} if r.job.method in ("mlp", "xgboost", "random_forest") else {}
        return replace(h, measures=measures | probabilities)

    return with_holdouts(run, measured)


def make_regression_run(
    datasets: Sequence[str],
    methods: Sequence[str] = METHODS,
    protocols: Sequence[str] = ("clean",),
    *,
    folder: str = "results/regression",
    source: str = "embedded",
    split: str = "seed-0",
    lost: Collection[tuple[str, str]] = (),
    selected_by: str = "",
) -> RunRecord:
    """Numbers predicted with noise; on one hold-out of ``lost`` (dataset, method) R2 is below minus a thousand."""
    results = []
    for dataset in datasets:
        table = np.random.default_rng(list(dataset.encode()))
        rows, features = int(10 ** table.uniform(1.6, 3.7)), int(10 ** table.uniform(0.6, 1.5))
        unit, level = 10 ** table.uniform(-3, 6), table.uniform(0.2, 1.1)
        for method in methods:
            noise = level * (1.3 - 0.2 * SKILL.get(method, 0.0)) * table.uniform(0.8, 1.2)
            for protocol in protocols:
                job = Job(
                    f"{dataset}/{method}/{protocol}/0", dataset, source, rows, features, 0, method, protocol,
                    split, 0, kind="regression", selected_by=selected_by,
                )  # fmt: skip
                holdouts = tuple(
                    _predicted(k, table, unit, 40.0 if k == 1 and (dataset, method) in lost else noise, selected_by)
                    for k in range(4)
                )
                results.append(JobResult(job, "ok", holdouts=holdouts, job_seconds=2.0, cpu_seconds=1.5))
    return RunRecord(folder, tuple(results), tuple(r.job for r in results), PROVENANCE)


def _predicted(number: int, table: np.random.Generator, unit: float, noise: float, selected_by: str) -> HoldoutResult:
    truth = table.normal(2.0, 1.0, 50)
    scores = (truth + noise * table.normal(size=50))[:, None]
    measures = {m.key: m.value(unit * scores, unit * truth) for m in measures_of("regression")}
    judged = [measures[selected_by or "r2"] + 0.01 * i for i in range(4)]
    path = [{"config": {"ridge": 0.1}, "iterations": [0, 1, 2, 3], "score": judged, "squared_error": [0.3] * 4}]
    return HoldoutResult(number, measures["r2"], {"ridge": 0.1}, 2, judged[2], 0.25, path, {}, measures)


MODELS = ("FT Transformer", "HistGradientBoostingTree", "MLP", "RandomForest", "Resnet", "XGBoost")
"""Of the published runs of the benchmark of Grinsztajn et al."""


def published_runs(
    tables: Sequence[str], models: Sequence[str] = MODELS, count: int = 130, part: str = "numerical_regression_medium"
) -> pd.DataFrame:
    """A CSV of these runs: for each table and model ``count`` of them, and one that failed."""
    generator = np.random.default_rng(2022)
    rows = []
    for table in tables:
        for number, model in enumerate(models):
            tests = 0.9 - generator.gamma(0.5 + 0.2 * number, 0.1, count)
            for run, test in enumerate(tests):
                judged = test + generator.normal(0, 0.01)
                rows.append((part, model, table, "random" if run else "default", judged, test, 2.0, 10_000))
    rows.append((*rows[0][:4], float("nan"), float("nan"), float("nan"), 10_000))
    names = ["benchmark", "model_name", "data__keyword", "hp", "mean_val_score", "mean_test_score", "mean_time"]
    return pd.DataFrame(rows, columns=[*names, "n_train"])


def store_run(folder: Path, record: RunRecord) -> Path:
    """``record`` as a run folder on disk."""
    with Store(folder) as store:
        store.begin(record.planned, record.provenance)
        for result in record.results:
            store.record(result)
    return folder
