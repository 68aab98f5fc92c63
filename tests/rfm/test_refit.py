"""A fit that is interrupted or fails leaves the estimator as it was: fitted as before, or not fitted."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import rfm

SOURCES = str(Path(rfm.__file__).parent)

draws = np.random.default_rng(0)
A, B = draws.standard_normal((30, 3)), pd.DataFrame(draws.standard_normal((40, 4)), columns=list("abcd"))
"""Rows of the first fit and of the second: all that is fitted differs, the names of the features too."""

TWO, THREE = (A[:, 0] > 0).astype(int), np.array(["cat", "cow", "dog"])[np.arange(40) % 3]
ONE_TARGET, TWO_TARGETS = A[:, 0], B[["a", "b"]].to_numpy()


def low_rank(n: int, d: int, seed: int) -> np.ndarray:
    """A matrix of rank 1 with half of its entries missing."""
    rng = np.random.default_rng(seed)
    Y = rng.uniform(1.0, 2.0, (n, 1)) * rng.uniform(1.0, 2.0, (1, d))
    Y[(np.arange(n)[:, None] + np.arange(d)) % 2 == 0] = np.nan
    return Y


FEW: dict[str, Any] = {"ridges": (1.0, 0.1), "unit_norms": (False,)}
CASES: list[tuple[Any, Any, Any]] = [
    (rfm.KernelRidgeClassifier("ntk"), (A, TWO), (B, THREE)),
    (rfm.KernelRidgeRegressor(), (A, ONE_TARGET), (B, TWO_TARGETS)),
    (rfm.RFMClassifier(iterations=2), (A, TWO), (B, THREE, (B[:9], THREE[:9]))),
    (rfm.RFMRegressor(iterations=2), (A, ONE_TARGET), (B, TWO_TARGETS, (B[:9], TWO_TARGETS[:9]))),
    (rfm.KernelRidgeClassifierCV(cv=2, **FEW), (A, TWO), (B, THREE)),
    (rfm.KernelRidgeRegressorCV(cv="loo", **FEW), (A, ONE_TARGET), (B, B["a"])),
    (rfm.RFMClassifierCV(cv=2, ensemble=True, iterations=1, **FEW), (A, TWO), (B, THREE)),
    (rfm.RFMRegressorCV(cv=2, iterations=1, **FEW), (A, ONE_TARGET), (B, B["a"])),
    (rfm.LinearRFM(ridge=0.1, smoothing_end=0.01), (A, ONE_TARGET), (B, B["a"], (B[:9], B["a"][:9]))),
    (
        rfm.MatrixCompletion(iterations=4, validation_fraction=0.2, max_rank=2),
        (low_rank(8, 6, 0),),
        (low_rank(10, 9, 1),),
    ),
]
"""An estimator, the arguments of its first fit and those of the second."""

every = pytest.mark.parametrize(("estimator", "first", "second"), CASES, ids=[repr(case[0]) for case in CASES])


def predictions(model: Any, X: Any) -> list[np.ndarray]:
    """All that ``model`` says of ``X``, which it was fitted on, and its properties."""
    if isinstance(model, rfm.MatrixCompletion):
        everywhere = np.indices(model.completed_.shape).reshape(2, -1)
        return [model.predict(*everywhere), model.transform(X), model.completed_, *model.factors_]
    more = ("predict_proba", "decision_function")
    return [model.predict(X), *(getattr(model, name)(X) for name in more if hasattr(model, name))]


class Interruption:
    """Raises at the ``at``-th line of ``rfm`` that is run within the context; counts the lines."""

    def __init__(self, error: type[BaseException] = KeyboardInterrupt, at: int | None = None) -> None:
        self.lines = 0
        self._error, self._at = error, at

    def __enter__(self) -> Interruption:
        self._tracer = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._tracer)

    def _called(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any] | None:
        return self._line if frame.f_code.co_filename.startswith(SOURCES) else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any]:
        if event == "line":
            self.lines += 1
            if self.lines == self._at:
                raise self._error("here")
        return self._line


def refit(estimator: Any, arguments: Any, interruption: Any = None) -> None:
    with warnings.catch_warnings(), interruption or nullcontext():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(*arguments)


def points(estimator: Any, arguments: Any) -> list[int]:
    """Lines at which to interrupt a fit: the first and the last, where attributes are set, and some in between."""
    refit(clone(estimator), arguments, watched := Interruption())
    n = watched.lines
    return sorted({*range(1, 8), *np.linspace(8, n, 6, dtype=int).tolist(), *range(n - 16, n + 1)})


def test_no_estimator_is_left_out() -> None:
    public = [getattr(rfm, name) for name in rfm.__all__]
    estimators = {value for value in public if isinstance(value, type) and issubclass(value, BaseEstimator)}
    assert {type(estimator) for estimator, _, _ in CASES} == estimators


def assert_untouched(model: Any, before: dict[str, Any]) -> None:
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)


@every
def test_an_interrupted_fit_leaves_the_one_before_or_nothing(estimator: Any, first: Any, second: Any) -> None:
    refit(fitted := clone(estimator), first)
    said = predictions(fitted, first[0])
    for at in points(estimator, second):
        error = (KeyboardInterrupt, MemoryError)[at % 2]
        for model in (fitted, clone(estimator)):
            before = dict(vars(model))
            with pytest.raises(error, match="here"):
                refit(model, second, Interruption(error, at))
            assert_untouched(model, before)
    with pytest.raises(NotFittedError):
        model.predict(*([0], [0]) if isinstance(model, rfm.MatrixCompletion) else (B,))
    np.testing.assert_equal(predictions(fitted, first[0]), said)
    refit(fitted, second)  # nothing is left behind that the next fit would stumble over
    refit(model, second)
    np.testing.assert_equal(predictions(fitted, second[0]), predictions(model, second[0]))


@pytest.mark.parametrize(
    ("estimator", "first", "second"),
    [
        (rfm.RFMClassifier(), (A, TWO), (B, THREE, (B, TWO[:1]))),
        (rfm.RFMRegressor(), (A, ONE_TARGET), (B, TWO_TARGETS, (B, B))),
        (rfm.KernelRidgeClassifier(), (A, TWO), (B, THREE[:1].repeat(40))),
        (rfm.KernelRidgeRegressor(), (A, ONE_TARGET), (1e30 * B, TWO_TARGETS)),
        (rfm.LinearRFM(), (A, ONE_TARGET), (B, TWO_TARGETS)),
        (rfm.LinearRFM(iterations=1), (A, A @ [1.0, 0.0, 0.0]), (B, TWO_TARGETS[:, 0] + 1.0)),
        (rfm.MatrixCompletion(iterations=3, validation_fraction=0.0), (np.ones((4, 3)),), (low_rank(8, 6, 0),)),
    ],
    ids=lambda value: repr(value) if isinstance(value, BaseEstimator) else "",
)
def test_a_refused_refit_leaves_the_first_fit(estimator: Any, first: Any, second: Any) -> None:
    """Bad values that are noticed after the first attributes are set, and warnings that are made errors."""
    refit(model := clone(estimator), first)
    before = dict(vars(model))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ValueError, ConvergenceWarning, RuntimeWarning)):
            model.fit(*second)
    assert_untouched(model, before)


@pytest.mark.parametrize(
    ("estimator", "arguments", "message"),
    [
        (rfm.LinearRFM(iterations=1), (A, ONE_TARGET + A[:, 1]), "did not converge"),
        (rfm.LinearRFM(ridge=1e3, smoothing_end=0.01), (A, ONE_TARGET), "is not small"),
        (rfm.MatrixCompletion(iterations=3, validation_fraction=0.0), (low_rank(8, 6, 0),), "did not converge"),
        (rfm.MatrixCompletion(), (low_rank(8, 6, 0),), "too few to hold"),
        (rfm.MatrixCompletion(validation_fraction=0.0), (np.array([[1.0, np.nan]]),), "no observed entry"),
    ],
)
def test_warnings_name_the_line_that_calls_fit(estimator: Any, arguments: Any, message: str) -> None:
    with pytest.warns(match=message) as caught:
        clone(estimator).fit(*arguments)
    assert {warning.filename for warning in caught} == {__file__}
