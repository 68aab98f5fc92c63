"""Carrying out protocols: selection of a configuration and an iteration, or of several, the refit, the test.

Protocols that tune alike (:attr:`Protocol.tuning`) can be carried out together: the grid is fitted once, and each
selects from what that gave. What comes out is what each gives alone.

Targets of a regression are standardised over the training part, and predictions put back into the target's unit before
they are measured. Where a division has a validation part of its own, that selects; the training part alone is fitted.

Where the splits give ``tuning_rows``, every protocol selects on a stratified sample of at most so many rows, or on one
of either tuning half; what was selected is fitted and tested on all rows all the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.errors import DataInvalid, MethodError
from bench.protocols.choosing import choose, pooled_figures
from bench.protocols.ensemble import select_members
from bench.protocols.record import Protocol
from bench.protocols.rows import encode_nominal, fill_missing, inner_folds, inner_split, standardise, stratified_sample
from bench.records.dataset import Dataset, FloatArray, Holdout, IntArray, Splits
from bench.records.measure import SELECTING, Measure, measures_of
from bench.records.method import (
    CPU,
    HIDDEN,
    Choice,
    Fold,
    HoldoutResult,
    Member,
    Method,
    Path,
    Prediction,
    Session,
    Task,
    ensemble_config,
)
from bench.seeds import derive_seed


@dataclass(frozen=True)
class Predicted:
    """What was predicted on one test fold under ``protocol``: scores (m, width) and truth (m,) of its ``rows`` (m,)."""

    holdout: int
    rows: IntArray
    truth: IntArray | FloatArray
    scores: FloatArray
    protocol: str


def carry_out(
    method: Method,
    dataset: Dataset,
    splits: Splits,
    protocol: Protocol,
    seed: int,
    *,
    select: Measure | None = None,
    keep: Callable[[Predicted], None] = lambda predicted: None,
    device: str = CPU,
) -> list[HoldoutResult]:
    """Run ``method`` on every test fold of ``splits`` under ``protocol``; missing numbers are filled on the way.

    ``select`` selects instead of accuracy or R2; ``keep`` is given what was predicted on each fold; ``device`` is where
    the method computes. Raises :class:`MethodError` when the method gives scores that are not finite,
    :class:`DataInvalid` if the targets of a training part are all the same number.
    """
    (found,) = carry_out_together(method, dataset, splits, [protocol], seed, select=select, keep=keep, device=device)
    if isinstance(found, MethodError):
        raise found
    return found


def carry_out_together(
    method: Method,
    dataset: Dataset,
    splits: Splits,
    protocols: Sequence[Protocol],
    seed: int,
    *,
    select: Measure | None = None,
    keep: Callable[[Predicted], None] = lambda predicted: None,
    device: str = CPU,
) -> list[list[HoldoutResult] | MethodError]:
    """As :func:`carry_out` under each of ``protocols``, which tune alike: the grid is fitted once for all of them.

    Seconds are those that each would have taken alone. What one of them alone cannot do is returned in its place; what
    goes wrong before they select is raised.
    """
    if len({protocol.tuning for protocol in protocols}) != 1:
        raise ValueError(f"{', '.join(p.name for p in protocols)}: these protocols do not tune alike")
    carried = _Carried(method, dataset, splits, protocols, select, keep, device)
    if protocols[0].selected_on == "tuning halves":
        carried.select_once(derive_seed(seed, dataset.name))
    else:
        for k in range(len(splits.holdouts)):
            if len(carried.failed) < len(protocols):
                carried.select_inside(k, derive_seed(seed, dataset.name, k))
    return [carried.failed.get(p.name) or carried.results[p.name] for p in protocols]


@dataclass
class _Carried:
    """A method under protocols that tune alike, on a table; ``results`` and what ``failed``, by protocol."""

    method: Method
    dataset: Dataset
    splits: Splits
    protocols: Sequence[Protocol]
    select: Measure | None
    keep: Callable[[Predicted], None]
    device: str
    results: dict[str, list[HoldoutResult]] = field(default_factory=dict)
    failed: dict[str, MethodError] = field(default_factory=dict)

    @property
    def tuning(self) -> Protocol:
        """Any of the protocols: for what they have in common."""
        return self.protocols[0]

    def select_inside(self, index: int, seed: int) -> None:
        """Select inside the training part, refit on all of it, test once; the session never receives a test label."""
        started = time.process_time()
        dataset, holdout = self.dataset, self.splits.holdouts[index]
        between = [] if holdout.validation is None else [holdout.validation]
        rows = np.concatenate([holdout.train, *between, holdout.test])
        train, test = np.arange(len(holdout.train)), np.arange(len(rows) - len(holdout.test), len(rows))
        unit = _Unit(dataset, holdout.train)
        y = unit.standardised[rows]
        y[test] = unit.hidden
        session = self.method.session(
            Task(
                X=standardise(fill_missing(self._features(rows, train), train), train),
                y=y,
                n_classes=dataset.n_classes,
                seed=derive_seed(seed, self.method.name),
                select=self.select,
                device=self.device,
                paper_grid=self.tuning.paper_grid,
                keep_scores=any(protocol.needs_scores for protocol in self.protocols),
            )
        )
        folds = self._folds(holdout, dataset.strata[rows], seed)
        paths = session.tune(folds)
        refits = _Refits(session, Holdout(train, test), index, time.process_time() - started)
        self._test(refits, unit, lambda protocol: self._selected(protocol, session.task, paths, folds))

    def _features(self, rows: IntArray, train: IntArray) -> FloatArray:
        """Features of ``rows`` as the protocol's inputs have them; ``train`` are the positions of the training part."""
        X, nominal = self.dataset.X[rows], self.dataset.nominal
        return encode_nominal(X, nominal, train) if self.tuning.inputs == "nominal" else X

    def _selected(self, protocol: Protocol, task: Task, paths: Sequence[Path], folds: Sequence[Fold]) -> _Selected:
        """The single choice among ``paths``, or the members of the ensemble."""
        if protocol.ensemble == "none":
            choice, merit = choose(paths, folds, ties=protocol.ties, counts=task.counts)
            return _Selected((Member(choice),), merit, paths, folds)
        members, merit = select_members(paths, folds, task, protocol, self.method.name)
        return _Selected(members, merit, paths, folds, is_ensemble=True)

    def _folds(self, holdout: Holdout, strata: IntArray, seed: int) -> list[Fold]:
        """What is fitted and judged to select, in positions of training part, own validation part and test part."""
        train, size = np.arange(len(holdout.train)), self.splits.tuning_rows
        sample = _sample(train, strata, size, derive_seed(seed, "sample"))
        if holdout.validation is not None:
            own = len(train) + np.arange(len(holdout.validation))
            return [Fold(fit=sample, validation=_sample(own, strata, size, derive_seed(seed, "validation")))]
        if self.tuning.inner_folds == 1:
            divisions = [inner_split(strata[sample], derive_seed(seed, "inner"))]
        else:
            divisions = list(inner_folds(strata[sample], self.tuning.inner_folds, derive_seed(seed, "inner")))
        return [Fold(fit=sample[fit], validation=sample[part]) for fit, part in divisions]

    def select_once(self, seed: int) -> None:
        """Select on the tuning halves; features are filled and standardised over all rows, as in the archive."""
        started = time.process_time()
        dataset, splits = self.dataset, self.splits
        everything = np.arange(len(dataset.X))
        X = fill_missing(dataset.X, everything)
        X = X if dataset.standardised else standardise(X, everything)
        session = self.method.session(
            Task(
                X,
                dataset.y,
                dataset.n_classes,
                derive_seed(seed, "tuning", self.method.name),
                self.select,
                self.device,
                self.tuning.paper_grid,
            )
        )
        halves = splits.tuning
        folds = [
            Fold(
                fit=_sample(halves.train, dataset.strata, splits.tuning_rows, derive_seed(seed, "fit")),
                validation=_sample(halves.test, dataset.strata, splits.tuning_rows, derive_seed(seed, "validation")),
            )
        ]
        paths = session.tune(folds)
        candidates = _published_candidates(paths, X)
        unit = _Unit(dataset, everything)

        def selected(protocol: Protocol) -> _Selected:
            choice, merit = choose(candidates, folds, ties=protocol.ties, counts=session.task.counts)
            first = not self.results[protocol.name]  # one choice, one path: stored once
            return _Selected((Member(choice),), merit, paths if first else [], folds)

        tuning_seconds = time.process_time() - started
        for index, holdout in enumerate(splits.holdouts):
            self._test(_Refits(session, holdout, index, 0.0 if index else tuning_seconds), unit, selected)

    def _test(self, refits: _Refits, unit: _Unit, selected: Callable[[Protocol], _Selected]) -> None:
        """Select under each protocol, predict the test rows and measure."""
        for protocol in self.protocols:
            if protocol.name in self.failed:
                continue
            refits.begin()
            try:
                found = self.results.setdefault(protocol.name, [])
                found.append(self._tested(protocol, refits, selected(protocol), unit))
            except MethodError as error:
                self.failed[protocol.name] = error

    def _tested(self, protocol: Protocol, refits: _Refits, selected: _Selected, unit: _Unit) -> HoldoutResult:
        """What ``protocol`` comes to on a test fold with what it has selected."""
        task, index, own = refits.session.task, refits.index, refits.own
        prediction = _mean_prediction(refits, selected.members, transfer=protocol.reuses_metric)
        rows = self.splits.holdouts[index].test
        scores, truth = unit.restored(prediction.scores), unit.y[rows]
        self.keep(Predicted(index, rows, truth, scores, protocol.name))
        measures = {m.key: m.value(scores, truth) for m in measures_of(task.kind, shares=self.method.probabilities)}
        seconds = refits.seconds()
        return HoldoutResult(
            holdout=index,
            score=measures[SELECTING[task.kind].key],
            config=selected.config,
            iteration=selected.iteration,
            validation_score=task.selecting.from_merit(selected.merit),
            fit_seconds=seconds,
            path=[_path_row(path, selected.folds, task.selecting) for path in selected.paths],
            details=dict(prediction.details) | ({} if self.device == CPU else {"device": self.device}),
            measures=measures,
            predict_seconds=_scoring_seconds(prediction, index, seconds),
            train_samples=len(own.train),
            test_samples=len(own.test),
        )


class _Refits:
    """Predictions of what was selected, on the test fold ``index`` with rows ``own`` as the session counts them.

    A choice is refitted once for all protocols. Seconds are those that a protocol would have taken alone: all of
    ``tuning_seconds``, and its own refits.
    """

    def __init__(self, session: Session, own: Holdout, index: int, tuning_seconds: float) -> None:
        self.session, self.own, self.index = session, own, index
        self._tuning_seconds = tuning_seconds
        self._known: dict[tuple[str, bool], tuple[Prediction, float]] = {}
        self._began = self._spared = 0.0

    def begin(self) -> None:
        """Another protocol is carried out from now on."""
        self._began, self._spared = time.process_time(), 0.0

    def seconds(self) -> float:
        """CPU seconds that the protocol would have taken alone."""
        return self._tuning_seconds + time.process_time() - self._began + self._spared

    def predict(self, choice: Choice, *, transfer: bool) -> Prediction:
        """Of ``choice`` fitted on the training rows. Raises :class:`MethodError` for scores that are not finite, or of
        another shape."""
        key = (repr(choice), transfer)
        if key in self._known:
            prediction, seconds = self._known[key]
            self._spared += seconds
            return prediction
        began = time.process_time()
        prediction = self.session.predict(choice, self.own.train, self.own.test, transfer=transfer)
        expected = (len(self.own.test), self.session.task.width)
        if prediction.scores.shape != expected or not np.isfinite(prediction.scores).all():
            raise MethodError(
                f"test fold {self.index}: scores of shape {prediction.scores.shape} or not finite, expected finite "
                f"{expected}"
            )
        self._known[key] = prediction, time.process_time() - began
        return prediction


def _mean_prediction(refits: _Refits, members: Sequence[Member], *, transfer: bool) -> Prediction:
    """The mean of the members' scores by their weights; details of the first."""
    told = [refits.predict(member.choice, transfer=transfer) for member in members]
    if len(members) == 1:
        return told[0]
    total = sum(member.weight for member in members)
    scores = np.zeros(told[0].scores.shape)
    for member, found in zip(members, told, strict=True):
        scores += member.weight / total * found.scores
    seconds = [each.predict_seconds for each in told if each.predict_seconds is not None]
    return Prediction(scores, told[0].details, sum(seconds) if len(seconds) == len(told) else None)


def _scoring_seconds(prediction: Prediction, index: int, total: float) -> float | None:
    """What the method says scoring took, which must be part of the ``total`` of test fold ``index``."""
    seconds = prediction.predict_seconds
    if seconds is None:
        return None
    if not (math.isfinite(seconds) and 0 <= seconds <= total):
        raise MethodError(
            f"test fold {index}: predict_seconds is {seconds:g}, expected 0 to {total:g}, the CPU seconds of "
            "selecting, fitting and predicting together; leave it None where scoring cannot be timed separately"
        )
    return float(seconds)


@dataclass(frozen=True)
class _Selected:
    """A choice, or the members of an ensemble, with its merit, and the paths and folds that it was made from."""

    members: Sequence[Member]
    merit: float
    paths: Sequence[Path]
    folds: Sequence[Fold]
    is_ensemble: bool = False

    @property
    def config(self) -> dict[str, Any]:
        """What is stored of it."""
        return ensemble_config(self.members) if self.is_ensemble else dict(self.members[0].choice.config)

    @property
    def iteration(self) -> int:
        """That of a single choice; an ensemble's members have their own."""
        return 0 if self.is_ensemble else self.members[0].choice.iteration


class _Unit:
    """The targets of a table on their way to a method and back: numbers are standardised over the ``train`` rows."""

    def __init__(self, dataset: Dataset, train: IntArray) -> None:
        self.y = dataset.y
        self.mean, self.deviation = 0.0, 1.0
        self.hidden: float = HIDDEN
        self.standardised = dataset.y
        if dataset.kind == "regression":
            part: FloatArray = dataset.y[train].astype(np.float64)
            self.mean, self.deviation = float(part.mean()), float(part.std())
            if len(part) < 2 or not self.deviation > 1e-12 * abs(self.mean):
                raise DataInvalid(
                    f"{dataset.name}: the target is {self.mean:g} in all {len(part)} rows of a training part: there is "
                    "nothing to learn"
                )
            self.hidden = np.nan
            self.standardised = (dataset.y.astype(np.float64) - self.mean) / self.deviation

    def restored(self, scores: FloatArray) -> FloatArray:
        """Scores in the target's own unit."""
        return scores if self.standardised is self.y else scores * self.deviation + self.mean


def _published_candidates(paths: Sequence[Path], X: FloatArray) -> Sequence[Path]:
    """The configurations that the published code can choose.

    It divides rows by their norms; an all-zero row (balance-scale has one) becomes NaN there and takes all unit-norm
    configurations with it. Its printed outcome on that table is the one without them.
    """
    if np.abs(X).sum(axis=1).all():
        return paths
    return [path for path in paths if not path.config.get("unit_norm")]


def _sample(rows: IntArray, strata: IntArray, size: int | None, seed: int) -> IntArray:
    return rows if size is None else rows[stratified_sample(strata[rows], size, seed)]


def _path_row(path: Path, folds: Sequence[Fold], select: Measure) -> dict[str, Any]:
    merit, error = pooled_figures(path, folds, counts=False)
    digits = 4 if select.unit == "%" else 6
    scores: FloatArray = select.from_merit(merit)
    return {
        "config": dict(path.config),
        "iterations": list(path.iterations),
        "score": [round(v, digits) for v in scores.tolist()],
        "squared_error": [round(v, 6) for v in error.tolist()],
    }
