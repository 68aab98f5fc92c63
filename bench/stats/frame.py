"""The results table: one row per (dataset, method, protocol, seed, test fold), and the matrix a comparison works on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Literal

import pandas as pd

from bench.protocols.registry import PROTOCOLS
from bench.records.measure import MEASURES, SELECTING, Kind, Measure
from bench.records.result import JobResult
from bench.records.scores import FIRST_COLUMNS, LATER_COLUMNS, SCORE_COLUMNS
from bench.stats.seeds import SeedGap, counted, seed_gaps


def scores_frame(results: Iterable[JobResult]) -> pd.DataFrame:
    """The results table with :data:`SCORE_COLUMNS`; a job that is not ``ok`` has one row without a test fold.

    Rows are ordered by dataset, method, protocol, test fold, so that equal results give equal files.
    """
    rows: list[tuple[object, ...]] = []
    others = [key for key in MEASURES if key != "accuracy"]
    for result in results:
        job = result.job
        selected_by = job.selected_by or SELECTING[job.kind].key
        head = (job.dataset, job.source, job.rows, job.features, job.classes, job.method, job.protocol, job.split)
        tail = (result.job_seconds, result.peak_rss_mb, job.seed)
        account = (job.reduction or "", result.reason, result.cpu_seconds)
        record = PROTOCOLS.get(job.protocol)
        variant = ("", "") if record is None else (record.ensemble, record.inputs)
        if result.status != "ok":
            nothing = (None, None, None)
            more: tuple[object, ...] = (job.kind, selected_by, None, None, *[None for _ in others])
            checks = (job.table_sha256, "")
            rows.append(
                (
                    *(*head, None, result.status, None, None, None, None, None),
                    *(*tail, *more, *checks, *account, *nothing, *variant),
                )
            )
            continue
        folds = dict(enumerate(job.folds))
        for h in result.holdouts:
            config = json.dumps(h.config, sort_keys=True)
            judged = h.validation_score if selected_by == "accuracy" else None
            outcome = (h.measure("accuracy"), config, h.iteration, judged, h.fit_seconds)
            more = (job.kind, selected_by, h.score, h.validation_score, *map(h.measure, others))
            checks = (job.table_sha256, folds.get(h.holdout, ""))
            fold = (h.predict_seconds, h.train_samples, h.test_samples)
            rows.append((*head, h.holdout, result.status, *outcome, *tail, *more, *checks, *account, *fold, *variant))
    frame = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
    for column, kind in (FIRST_COLUMNS | LATER_COLUMNS).items():
        if kind != "text":
            frame[column] = frame[column].astype("Int64" if kind == "whole" else "float64")
    order = ["dataset", "method", "protocol", "seed", "source", "holdout"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def protocols_in(scores: pd.DataFrame) -> list[str]:
    """The protocols that occur, in the reports' order; unknown ones last, by name."""
    return in_protocol_order(scores["protocol"].unique())


def seed_matrix(
    scores: pd.DataFrame,
    protocol: str,
    measure: Measure,
    methods: Sequence[str] | None = None,
    over: Literal["mean", "min"] = "mean",
) -> pd.DataFrame:
    """Mean of ``measure`` over test folds, (dataset, seed) x methods; NaN where there is no result that counts.

    Of a dataset only the seeds that count have a row (:func:`bench.stats.seeds.counted`), and one without any result
    has one. Every method that occurs under ``protocol`` has its column, so that what is missing shows. ``methods``
    gives the columns' order; those not named in it follow by name. ``over`` test folds the smallest value can be taken
    instead of the mean.
    """
    part = _part(scores, protocol, measure.kind)
    counts = counted(_has(part))
    done = part[part["status"] == "ok"]
    means = done.groupby([*_CELL, "method"])[measure.key].agg(over).unstack("method").reindex_like(counts)
    kept = means.where(counts)[counts.any(axis=1)]
    columns = in_order(part["method"].unique(), methods or ())
    first = part.groupby("dataset")["seed"].min().drop(index=kept.index.get_level_values("dataset").unique())
    without = pd.MultiIndex.from_tuples(first.items(), names=_CELL) if len(first) else kept.index[:0]
    return kept.reindex(index=kept.index.append(without).sort_values(), columns=columns).astype("float64")


def score_matrix(
    scores: pd.DataFrame,
    protocol: str,
    measure: Measure,
    methods: Sequence[str] | None = None,
    over: Literal["mean", "min"] = "mean",
) -> pd.DataFrame:
    """:func:`seed_matrix` as means over seeds (or the smallest value), datasets (rows) x methods (columns)."""
    return over_seeds(seed_matrix(scores, protocol, measure, methods, over), over)


def over_seeds(matrix: pd.DataFrame, over: Literal["mean", "min"] = "mean") -> pd.DataFrame:
    """(dataset, seed) x methods as datasets x methods: means over the seeds (or the smallest value)."""
    return matrix.groupby(level="dataset").agg(over)


def left_out_seeds(scores: pd.DataFrame, protocol: str, kind: Kind) -> list[SeedGap]:
    """Results that do not count because other methods lack their seeds."""
    return seed_gaps(_has(_part(scores, protocol, kind)))


_CELL = ["dataset", "seed"]


def _part(scores: pd.DataFrame, protocol: str, kind: Kind) -> pd.DataFrame:
    return scores[(scores["protocol"] == protocol) & (scores["task"] == kind)]


def _has(part: pd.DataFrame) -> pd.DataFrame:
    """Which results there are: booleans, (dataset, seed) x methods."""
    done = part[part["status"] == "ok"]
    return done.groupby([*_CELL, "method"]).size().unstack("method").notna()


def constant_folds(scores: pd.DataFrame) -> set[str]:
    """Datasets with a test fold whose targets are all the same number, where R2 is not defined.

    It is 1 there if they are met exactly and else 0 (:func:`bench.records.measure.r2`): a fold on which the R2 of all
    methods is exactly one of these, and of some 0, is taken for such a one.
    """
    folds = scores[(scores["task"] == "regression") & (scores["status"] == "ok")]
    by_fold = folds.groupby(["dataset", "source", "split", "holdout"])["r2"]
    constant = by_fold.agg(lambda r2: bool(r2.isin([0.0, 1.0]).all() and (r2 == 0).any())).reset_index()
    return set(constant.loc[constant["r2"].astype(bool), "dataset"])


def sizes(scores: pd.DataFrame) -> pd.DataFrame:
    """``rows``, ``features`` and ``classes`` by dataset; 0 for a table that no job could read and no registry knows."""
    known_first = scores.sort_values("rows", key=lambda rows: rows == 0, kind="stable")
    return known_first.groupby("dataset")[["rows", "features", "classes"]].first().astype("int64")


def seconds_per_thousand(scores: pd.DataFrame, protocol: str, datasets: Iterable[str]) -> pd.DataFrame:
    """CPU seconds per 1,000 samples, methods x (``train``, ``predict``); NaN where nothing is known.

    ``train`` is selecting and fitting over the training samples of a test fold, ``predict`` scoring over its test
    samples. Of a dataset it is the mean over test folds and seeds, of a method the median over those of ``datasets``
    where it is known. What scoring took is part of ``train`` where a method or an older result does not tell it apart.
    Every method that occurs under ``protocol`` has its row, by name.
    """
    part = scores[(scores["protocol"] == protocol) & scores["dataset"].isin(list(datasets))]
    methods = in_order(part["method"], ())
    part = part[part["status"] == "ok"]
    scoring = _numbers(part, "predict_seconds")
    train, test = _fold_samples(part)
    by_fold = pd.DataFrame(
        {"train": 1000 * (part["fit_seconds"] - scoring.fillna(0.0)) / train, "predict": 1000 * scoring / test}
    )
    by_dataset = by_fold.groupby([part["method"], part["dataset"]]).mean()
    return by_dataset.groupby(level="method").median().reindex(methods)


_TRAIN_SHARE = 0.75
_SPLITS = r"published|seed-\d+"
"""The training part's share of a dataset's samples, in divisions of these names."""


def _fold_samples(part: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Training and test samples of each row's test fold. Older results do not tell them; their folds' shares do."""
    rows = part["rows"].astype("float64").where(part["split"].astype("str").str.fullmatch(_SPLITS))
    train, test = (_numbers(part, column) for column in ("train_samples", "test_samples"))
    return train.fillna(_TRAIN_SHARE * rows), test.fillna((1 - _TRAIN_SHARE) * rows)


def _numbers(part: pd.DataFrame, column: str) -> pd.Series:
    """The numbers of a later ``column``; NaN where it is empty, or not there."""
    return part.reindex(columns=[column])[column].astype("float64")


def in_order(names: Iterable[str], preferred: Sequence[str]) -> list[str]:
    """``names`` without repeats: those in ``preferred`` in its order, then the others sorted."""
    present = set(names)
    return [n for n in preferred if n in present] + sorted(present.difference(preferred))


def in_protocol_order(names: Iterable[str]) -> list[str]:
    """Protocols' ``names`` without repeats, in the reports' order; unknown ones last, by name."""
    return in_order(names, tuple(PROTOCOLS))
