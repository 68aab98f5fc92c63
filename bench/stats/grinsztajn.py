"""Placed among the published runs of the benchmark of Grinsztajn et al. (2022).

Its authors publish one CSV of all runs of their random searches (figshare, :mod:`bench.data.fetching`). What their
R code makes of it, here for one part of the benchmark:

* *normalised score* of a run on a table: (s - q) / (max - q) with the largest test score of all runs of all models on
  that table and their quantile q: 10 % in classification, 50 % in regression, where it is cut at 0;
* *random search* of a model on a table: the default configuration first, then the others in random order; after each,
  the test score of the configuration that is best on validation so far. Every model is followed for as many iterations
  as the one with fewest runs on that table has; a table that ends earlier carries its last score on;
* *curve* of a model: mean over tables, then over 15 shuffles.

A method of ours is its test score on each table, selected as its protocol does, normalised by the published runs alone:
their curves do not depend on who joins, and ours can lie above 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import ReportError
from bench.protocols.registry import plain_names
from bench.records.grinsztajn import MAX_TRAIN, PARTS, SPLITS, Part
from bench.records.measure import SELECTING, Kind

TEXTS = ("benchmark", "model_name", "data__keyword", "hp")
SCORES = ("mean_val_score", "mean_test_score")
"""R2, or the share of rows that are right: larger is better, and none is above 1."""
NUMBERS = (*SCORES, "mean_time", "n_train")
COLUMNS = (*TEXTS, *NUMBERS)
"""Of the CSV, those that are read."""
BENCHMARKS = tuple(f"{part.title}_{size}" for size in MAX_TRAIN for part in PARTS.values())
"""What can stand in its column ``benchmark``."""
CONFIGURATIONS = ("default", "random")
"""What can stand in its column ``hp``."""

QUANTILES: dict[Kind, float] = {"classification": 0.1, "regression": 0.5}
SHUFFLES = 15
ITERATIONS = (1, 10, 100)
"""Columns of the table, with the last iteration after them."""
ALL = "all"
"""The name of that last column."""


@dataclass(frozen=True)
class PublishedRuns:
    """The CSV's usable rows with :data:`COLUMNS`; ``unusable`` is how many had no score or no time."""

    runs: pd.DataFrame
    unusable: int = 0


@dataclass(frozen=True)
class Curves:
    """Normalised test scores, iterations (from 1) x models: the mean over shuffles, the smallest and the largest."""

    mean: pd.DataFrame
    low: pd.DataFrame
    high: pd.DataFrame


@dataclass(frozen=True)
class Placement:
    """Our methods among the published runs of one benchmark, on the ``datasets`` (as the CSV calls them) of both.

    ``ours`` (methods,) are mean normalised scores; ``table`` has models and methods as rows and iterations as columns,
    best last score first; ``places`` (methods x iterations) say where each of ours would stand among the models alone,
    1 being the best. ``missing`` are the benchmark's other datasets, ``unknown`` those of ours that it lacks;
    ``left_out`` says which datasets a model or a method lacks that is left out for that.
    """

    benchmark: str
    kind: Kind
    datasets: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    left_out: dict[str, tuple[str, ...]]
    curves: Curves
    ours: pd.Series
    table: pd.DataFrame
    places: pd.DataFrame


def read_runs(path: Path) -> PublishedRuns:
    """Read the CSV. Raises :class:`ReportError` naming the file and what is wrong with it, and where."""
    try:
        header = pd.read_csv(path, nrows=0).columns
        absent = [name for name in COLUMNS if name not in header]
        if absent:
            raise ReportError(f"{path}: not the benchmark's runs: no column {', '.join(absent)}")
        runs = pd.read_csv(path, usecols=list(COLUMNS), dtype=dict.fromkeys(TEXTS, "str"), low_memory=False)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise ReportError(f"cannot read the benchmark's runs {str(path)!r}: {error}") from error
    for name in NUMBERS:
        numbers = pd.to_numeric(runs[name], errors="coerce")
        _refuse(path, runs[name], numbers.isna() & runs[name].notna(), "is not a number")
        runs[name] = numbers.replace([np.inf, -np.inf], np.nan)
    for name in ("model_name", "data__keyword"):
        _refuse(path, runs[name], runs[name].isna(), "names none")
    known = runs["benchmark"].isin(BENCHMARKS)
    if not known.any():
        found = ", ".join(map(str, runs["benchmark"].unique()[:3])) or "no rows"
        raise ReportError(f"{path}: runs of another benchmark ({found}); known are {', '.join(BENCHMARKS)}")
    runs = runs[known]
    _refuse(path, runs["hp"], ~runs["hp"].isin(CONFIGURATIONS), f"is none of {', '.join(CONFIGURATIONS)}")
    for name in SCORES:
        _refuse(path, runs[name], runs[name] > 1, "is above 1: no R2 or share of right rows, but perhaps an error")
    usable = runs[[*SCORES, "mean_time"]].notna().all(axis=1)
    return PublishedRuns(runs.loc[usable, list(COLUMNS)].reset_index(drop=True), int((~usable).sum()))


def _refuse(path: Path, column: pd.Series, wrong: pd.Series, what: str) -> None:
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        found = column.astype(object).iloc[at]
        raise ReportError(f"{path}: row {column.index[at] + 2}: {column.name}: {found!r} {what}")


def normalised(scores: NDArray[np.float64], among: NDArray[np.float64], kind: Kind) -> NDArray[np.float64]:
    """Test ``scores`` of runs on a table on the scale of all scores ``among`` which they are.

    Where the quantile is the largest score too, that is 1 and what is below is 0.
    """
    quantile, largest = float(np.quantile(among, QUANTILES[kind])), float(among.max())
    if largest == quantile:
        return (scores >= largest).astype(np.float64)
    scaled: NDArray[np.float64] = (scores - quantile) / (largest - quantile)
    return np.maximum(scaled, 0.0) if kind == "regression" else scaled


def curves(runs: pd.DataFrame, kind: Kind, *, shuffles: int = SHUFFLES, seed: int = 0) -> Curves:
    """The curve of every model over its random search, on the tables of ``runs`` of one benchmark.

    The orders are drawn from ``seed``: for each shuffle, table by table and model by model, both sorted, one
    permutation of the model's runs but its default ones, in the file's order.
    """
    models = sorted(runs["model_name"].unique())
    searches = [_Search.of(group, kind) for _, group in runs.groupby("data__keyword", sort=True)]
    longest = max(search.iterations for search in searches)
    rng = np.random.default_rng(seed)
    found = np.empty((shuffles, longest, len(models)))
    for shuffle in range(shuffles):
        paths = np.stack([search.shuffled(models, longest, rng) for search in searches])
        found[shuffle] = paths.mean(axis=0)
    index = pd.RangeIndex(1, longest + 1, name="iteration")
    mean, low, high = (pd.DataFrame(of(found, axis=0), index=index, columns=models) for of in (np.mean, np.min, np.max))
    return Curves(mean, low, high)


@dataclass(frozen=True)
class _Search:
    """The runs on one table: by model, how many are the default's, and validation and normalised test scores (runs,),
    the default's first; each model is followed for ``iterations``."""

    by_model: dict[str, tuple[int, NDArray[np.float64], NDArray[np.float64]]]
    iterations: int

    @classmethod
    def of(cls, group: pd.DataFrame, kind: Kind) -> _Search:
        among = group["mean_test_score"].to_numpy()
        ordered = group.assign(scaled=normalised(among, among, kind)).sort_values("hp", kind="stable")
        by_model = {
            str(model): (
                int((own["hp"] == CONFIGURATIONS[0]).sum()),
                own["mean_val_score"].to_numpy(),
                own["scaled"].to_numpy(),
            )
            for model, own in ordered.groupby("model_name")
        }
        return cls(by_model, min(len(validation) for _, validation, _ in by_model.values()))

    def shuffled(self, models: Sequence[str], length: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(length, models): the test score after each iteration; NaN for a model that has no run."""
        paths = np.full((length, len(models)), np.nan)
        for column, model in enumerate(models):
            if model in self.by_model:
                first, validation, test = self.by_model[model]
                order = np.concatenate([np.arange(first), first + rng.permutation(len(test) - first)])
                path = _best_so_far(validation[order], test[order])[: self.iterations]
                paths[: len(path), column], paths[len(path) :, column] = path, path[-1]
        return paths


def _best_so_far(validation: NDArray[np.float64], test: NDArray[np.float64]) -> NDArray[np.float64]:
    """Test scores of those that are best on validation so far; of equal ones the earlier stays."""
    best = np.maximum.accumulate(validation)
    improved = np.concatenate([[True], validation[1:] > best[:-1]])
    found: NDArray[np.float64] = test[np.maximum.accumulate(np.where(improved, np.arange(len(test)), 0))]
    return found


def placements(
    published: PublishedRuns, scores: pd.DataFrame, methods: Sequence[str] | None = None
) -> tuple[list[Placement], dict[str, str]]:
    """Where the methods of a run (``scores``, as :func:`bench.stats.frame.scores_frame` has them) stand, part by part.

    Of the methods (``methods``, or all), those with an ``ok`` result on each table of a part that any of them has one
    on; a part without such results is left out. Tables are those that OpenML serves, recognised by their names,
    whatever the case and the signs between letters. Results of ensembles and of coded nominal columns do not count.
    Second, why methods have no place, by benchmark.
    """
    found: list[Placement] = []
    unplaced: dict[str, str] = {}
    plain = scores["protocol"].isin(plain_names(scores["protocol"].unique()))
    ours = scores[plain & (scores["source"] == "openml") & (scores["status"] == "ok")]
    if methods is not None:
        ours = ours[ours["method"].isin(methods)]
    for split, size in SPLITS.items():
        for part in PARTS.values():
            here = (ours["split"] == split) & (ours["task"] == part.kind)
            rows = ours[here & ours["dataset"].str.endswith(_ending(part))]
            benchmark = f"{part.title}_{size}"
            if len(rows):
                try:
                    found.append(_placed(benchmark, part, published.runs, rows))
                except ReportError as error:
                    unplaced[benchmark] = str(error)
    return found, unplaced


def _ending(part: Part) -> str:
    return f"-{part.name}"


def _matrix(rows: pd.DataFrame, part: Part) -> pd.DataFrame:
    """Our mean test scores, tables (by their names in the part) x methods; NaN where a method has none."""
    measure = SELECTING[part.kind]
    means = (rows.groupby(["dataset", "method"])[measure.key].mean() / measure.scale).unstack("method")
    return means.rename(index=lambda name: str(name).removesuffix(_ending(part)))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _placed(benchmark: str, part: Part, runs: pd.DataFrame, rows: pd.DataFrame) -> Placement:
    runs, ours, kind = runs[runs["benchmark"] == benchmark], _matrix(rows, part), part.kind
    keywords = {_plain(keyword): keyword for keyword in runs["data__keyword"].unique()}
    unknown = tuple(name for name in ours.index if _plain(name) not in keywords)
    if len(unknown) == len(ours):
        raise ReportError(f"the published runs have none on {', '.join(unknown)}")
    ours = ours.drop(index=list(unknown)).rename(index=lambda name: keywords[_plain(name)]).sort_index()
    datasets = tuple(ours.index)
    there = runs[runs["data__keyword"].isin(datasets)]
    has = there.groupby(["data__keyword", "model_name"]).size().unstack("model_name").reindex(list(datasets))
    lacking = {str(name): tuple(own.index[own.isna()]) for table in (has, ours) for name, own in table.items()}
    left_out = {name: lacks for name, lacks in lacking.items() if lacks}
    if clash := sorted(set(has.columns) & set(ours.columns)):
        raise ReportError(f"methods of both the runs and the published ones: {', '.join(clash)}")
    if set(left_out) >= set(has.columns) or set(left_out) >= set(ours.columns):
        raise ReportError(f"no published model and method of ours have all of {', '.join(datasets)}")
    among = {str(name): group["mean_test_score"].to_numpy() for name, group in there.groupby("data__keyword")}
    whole = ours[[name for name in ours.columns if name not in left_out]]
    scaled = pd.DataFrame(
        [normalised(whole.loc[name].to_numpy(), among[name], kind) for name in datasets],
        index=list(datasets),
        columns=whole.columns,
    )
    followed = curves(there, kind)
    mean = followed.mean.drop(columns=list(left_out), errors="ignore")
    kept = Curves(mean, followed.low[mean.columns], followed.high[mean.columns])
    columns = {str(i): i for i in ITERATIONS if i < len(mean)} | {ALL: len(mean)}
    models = pd.DataFrame({label: mean.loc[i] for label, i in columns.items()})
    own = scaled.mean()
    both = pd.concat([models, pd.DataFrame(dict.fromkeys(columns, own))])
    places = pd.DataFrame({label: [1 + int((models[label] > score).sum()) for score in own] for label in columns})
    places.index = own.index
    missing = tuple(sorted(set(runs["data__keyword"]) - set(datasets)))
    table = both.sort_values(ALL, ascending=False, kind="stable")
    return Placement(benchmark, kind, datasets, missing, unknown, left_out, kept, own, table, places)
