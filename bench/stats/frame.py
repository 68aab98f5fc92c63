"""The results table: one row per (dataset, method, protocol, hold-out), and the matrix a comparison works on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import pandas as pd

from bench.protocols.registry import PROTOCOLS
from bench.records.result import JobResult

SCORE_COLUMNS = (
    "dataset",
    "source",
    "rows",
    "features",
    "classes",
    "method",
    "protocol",
    "split",
    "holdout",
    "status",
    "accuracy",
    "config",
    "iteration",
    "validation_accuracy",
    "fit_seconds",
    "job_seconds",
    "peak_rss_mb",
    "seed",
)
"""Columns of ``scores.csv``, in order. Users script against them."""


def scores_frame(results: Iterable[JobResult]) -> pd.DataFrame:
    """The results table with :data:`SCORE_COLUMNS`; a job that is not ``ok`` has one row without a hold-out.

    Rows are ordered by dataset, method, protocol, hold-out, so that equal results give equal files.
    """
    rows: list[tuple[object, ...]] = []
    for result in results:
        job = result.job
        head = (job.dataset, job.source, job.rows, job.features, job.classes, job.method, job.protocol, job.split)
        tail = (result.job_seconds, result.peak_rss_mb, job.seed)
        if result.status != "ok":
            rows.append((*head, None, result.status, None, None, None, None, None, *tail))
            continue
        for h in result.holdouts:
            config = json.dumps(h.config, sort_keys=True)
            outcome = (h.accuracy, config, h.iteration, h.validation_accuracy, h.fit_seconds)
            rows.append((*head, h.holdout, result.status, *outcome, *tail))
    frame = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
    for column in ("rows", "features", "classes", "holdout", "iteration", "seed"):
        frame[column] = frame[column].astype("Int64")
    for column in ("accuracy", "validation_accuracy", "fit_seconds", "job_seconds", "peak_rss_mb"):
        frame[column] = frame[column].astype("float64")
    order = ["dataset", "method", "protocol", "seed", "source", "holdout"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def protocols_in(scores: pd.DataFrame) -> list[str]:
    """The protocols that occur, in the reports' order; unknown ones last, by name."""
    return in_protocol_order(scores["protocol"].unique())


def accuracy_matrix(scores: pd.DataFrame, protocol: str, methods: Sequence[str] | None = None) -> pd.DataFrame:
    """Mean accuracy over hold-outs, datasets (rows) x methods (columns), percent; NaN where there is no ``ok`` result.

    Every dataset and method that occurs under ``protocol`` has its row and column, failed ones included, so that what
    is missing shows. ``methods`` gives the columns' order; those not named in it follow by name.
    """
    part = scores[scores["protocol"] == protocol]
    means = part[part["status"] == "ok"].groupby(["dataset", "method"])["accuracy"].mean().unstack("method")
    columns = in_order(part["method"].unique(), methods or ())
    return means.reindex(index=sorted(part["dataset"].unique()), columns=columns).astype("float64")


def sizes(scores: pd.DataFrame) -> pd.DataFrame:
    """``rows``, ``features`` and ``classes`` by dataset."""
    return scores.groupby("dataset")[["rows", "features", "classes"]].first().astype("int64")


def fit_seconds(scores: pd.DataFrame, protocol: str, datasets: Iterable[str]) -> pd.Series:
    """CPU seconds of choosing, refitting and predicting by method, summed over hold-outs and ``datasets``."""
    part = scores[(scores["protocol"] == protocol) & scores["dataset"].isin(list(datasets))]
    return part.groupby("method")["fit_seconds"].sum()


def in_order(names: Iterable[str], preferred: Sequence[str]) -> list[str]:
    """``names`` without repeats: those in ``preferred`` in its order, then the others sorted."""
    present = set(names)
    return [n for n in preferred if n in present] + sorted(present.difference(preferred))


def in_protocol_order(names: Iterable[str]) -> list[str]:
    """Protocols' ``names`` without repeats, in the reports' order; unknown ones last, by name."""
    return in_order(names, tuple(PROTOCOLS))
