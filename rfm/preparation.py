"""Columns of a table as users have them, turned into the numbers that kernels compare.

First, for all rows at once, text and categories become codes (:class:`Categories`): the table is then a float array, in
which NaN is missing. Then, for the fitted rows of each fold alone, :class:`Preparation` standardises numbers, fills
missing ones with the mean and marks them in a column of their own, and gives each category a column of 0 and 1. Two
different categories are at distance sqrt 2, as two random rows are in a standardised column: no scaling is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils.validation import validate_data

from rfm.targets import value_kinds

FloatArray = NDArray[np.float64]

MOST_CATEGORIES = 255
"""Columns that one categorical column becomes at most: the rarest of more categories share the last one."""


_NO_TARGETS = object()


@dataclass(frozen=True)
class Categories:
    """Which ``columns`` of a table hold categories, and the ``encoder`` of those (None if there are none)."""

    columns: tuple[int, ...]
    encoder: OrdinalEncoder | None

    @classmethod
    def of(cls, X: ArrayLike, asked: Any) -> Categories:
        """The categories in ``X`` (n, d), in the columns that ``asked``, as an estimator's parameter has it, names."""
        _refuse_equal_names(X)
        frame = isinstance(X, pd.DataFrame)
        named = isinstance(asked, str) and asked == "from_dtype"
        if asked is None or (named and not frame) or issparse(X) or (not frame and np.ndim(X) != 2):
            return cls((), None)  # what is no table is refused where tables are checked
        columns = _positions(X, asked)
        if not columns:
            return cls((), None)
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        try:
            encoder.fit(_objects(X, columns))
        except TypeError as error:
            raise TypeError(
                f"a categorical column mixes texts and numbers, which have no order: turn it into texts ({error})"
            ) from None
        return cls(columns, encoder)

    def coded(self, X: ArrayLike) -> Any:
        """``X`` with categories as codes 0, 1, ...; NaN where missing, -1 where unknown. A frame stays a frame."""
        if self.encoder is None:
            return X
        columns = list(self.columns)
        values = _objects(X, self.columns)
        for column, known, found in zip(columns, self.encoder.categories_, values.T, strict=True):
            kinds = [value_kinds(part[~pd.isna(part)]) for part in (known, found)]
            if all(kinds) and not kinds[0] & kinds[1]:
                had, has = (" and ".join(sorted(some)) for some in kinds)
                name = X.columns[column] if isinstance(X, pd.DataFrame) else column
                raise TypeError(
                    f"the categorical column {name!r} has values of another kind than in fit ({has}; in fit {had}): "
                    "none of them would be known"
                )
        codes = self.encoder.transform(values)
        if isinstance(X, pd.DataFrame):
            frame = X.copy(deep=False)
            for k, column in enumerate(columns):
                frame.isetitem(column, codes[:, k])
            return frame
        table = np.array(X, dtype=object)
        table[:, columns] = codes
        return table


def checked_table(
    estimator: BaseEstimator, X: ArrayLike, categories: Categories, y: Any = _NO_TARGETS, *, numeric: bool = False
) -> Any:
    """``X`` (n, d) in float64, NaN where missing; with ``y``, in fit, both, as scikit-learn checks them.

    ``numeric`` targets may have two dimensions.

    Texts that are not declared as categories are refused, infinite numbers, and missing labels or targets.
    """
    fitting = y is not _NO_TARGETS
    _refuse_equal_names(X)
    if fitting:
        _refuse_missing(y, "targets" if numeric else "labels")
    if not fitting and categories.encoder is not None:  # before columns are taken by their numbers
        validate_data(estimator, X, reset=False, skip_check_array=True)
    _refuse_dates(X, categories)
    coded = categories.coded(X)
    rules: dict[str, Any] = {"dtype": np.float64, "ensure_all_finite": "allow-nan"}
    try:
        if not fitting:
            return validate_data(estimator, coded, reset=False, **rules)
        return validate_data(
            estimator, coded, y, y_numeric=numeric, multi_output=numeric, ensure_min_samples=2, **rules
        )
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        raise ValueError(
            f"{_text_column(coded)} holds text ({error}): name it in categorical_features, or give a pandas DataFrame "
            "in which its dtype is 'category'"
        ) from None


@dataclass(frozen=True)
class Preparation:
    """What was learned from fitted rows: of ``numbers`` scale and missing values, of ``categories`` their columns."""

    numbers: tuple[int, ...]
    categories: tuple[int, ...]
    scaler: StandardScaler | None
    imputer: SimpleImputer | None
    encoder: OneHotEncoder | None

    @classmethod
    def of(cls, X: FloatArray, categories: Sequence[int], weights: FloatArray | None = None) -> Self:
        """Learned from ``X`` (n, d) as :func:`checked_table` gives it, with ``weights`` (n,) of its rows."""
        numbers = tuple(sorted(set(range(X.shape[1])) - set(categories)))
        scaler = imputer = encoder = None
        if numbers:
            columns = X[:, numbers]
            with np.errstate(over="ignore", invalid="ignore"):
                scaler = StandardScaler().fit(columns, sample_weight=weights)
            far = np.flatnonzero(~np.isfinite(scaler.var_) & ~np.isnan(columns).all(axis=0))
            if len(far):
                raise ValueError(
                    f"column {numbers[far[0]]} of X has values so large that their variance exceeds float64"
                )
            # After scaling 0 is the mean of the known values. A column without any stays, as zeros.
            imputer = SimpleImputer(strategy="constant", fill_value=0.0, keep_empty_features=True, add_indicator=True)
            imputer.fit(scaler.transform(columns))
        if categories:
            encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, max_categories=MOST_CATEGORIES)
            encoder.fit(X[:, tuple(categories)])
        return cls(numbers, tuple(categories), scaler, imputer, encoder)

    def __call__(self, X: FloatArray) -> FloatArray:
        """The rows ``X`` (m, d) as kernels see them, (m, k): numbers, marks of missing ones, categories."""
        parts = []
        if self.scaler is not None and self.imputer is not None:
            parts.append(self.imputer.transform(self.scaler.transform(X[:, self.numbers])))
        if self.encoder is not None:
            parts.append(self.encoder.transform(X[:, self.categories]))
        return np.ascontiguousarray(np.hstack(parts))

    @property
    def sources(self) -> NDArray[np.int64]:
        """The column (k,) of the table that each column of the prepared rows is made from."""
        parts: list[int] = []
        if self.imputer is not None:
            marked = [] if self.imputer.indicator_ is None else list(self.imputer.indicator_.features_)
            parts += [*self.numbers, *(self.numbers[k] for k in marked)]
        if self.encoder is not None:
            widths = [len(names) for names in _names_of(self.encoder)]
            parts += [column for column, width in zip(self.categories, widths, strict=True) for _ in range(width)]
        return np.array(parts, dtype=np.int64)


def _refuse_equal_names(X: Any) -> None:
    """Raise ``ValueError`` for a frame in which columns share a name, by which nobody can tell them apart."""
    if isinstance(X, pd.DataFrame) and not X.columns.is_unique:
        names = X.columns[X.columns.duplicated()].unique().tolist()
        raise ValueError(f"X has several columns named {', '.join(map(repr, names))}: give each column its own name")


def _refuse_missing(y: Any, called: str) -> None:
    """Raise ``ValueError`` if some of ``y`` (n,) or (n, t) are None or NaN: as text they would become a class."""
    values = y if isinstance(y, np.ndarray | pd.Series | pd.DataFrame) else np.asarray(y, dtype=object)
    missing = np.asarray(pd.isna(values))
    if missing.ndim and missing.any():  # of no y at all scikit-learn says so
        rows = np.flatnonzero(missing.reshape(len(missing), -1).any(axis=1))
        raise ValueError(
            f"Input y contains NaN or None: {called} are missing in {len(rows)} of {len(missing)} rows, the first in "
            f"row {rows[0]}; leave these rows out of X and y, or fill in their {called}"
        )


def _names_of(encoder: OneHotEncoder) -> list[list[str]]:
    names = encoder.get_feature_names_out([f"{k}:" for k in range(len(encoder.categories_))])
    return [[name for name in names if name.startswith(f"{k}:")] for k in range(len(encoder.categories_))]


def _positions(X: Any, asked: Any) -> tuple[int, ...]:
    """The numbers of the categorical columns, ascending. Raises ``ValueError`` for what is no column."""
    frame = isinstance(X, pd.DataFrame)
    d = np.shape(X)[1]
    if frame and isinstance(asked, str) and asked == "from_dtype":
        return tuple(k for k, dtype in enumerate(X.dtypes) if isinstance(dtype, pd.CategoricalDtype))
    wanted: list[Any] = [asked] if isinstance(asked, str) or not isinstance(asked, Iterable) else list(asked)
    if wanted and all(isinstance(item, bool | np.bool_) for item in wanted):
        if len(wanted) != d:
            raise ValueError(f"categorical_features has {len(wanted)} truth values, X has {d} columns")
        return tuple(int(k) for k in np.flatnonzero(wanted))
    found = set()
    for item in wanted:
        if isinstance(item, Integral) and not isinstance(item, bool) and -d <= int(item) < d:
            found.add(int(item) % d)
        elif isinstance(item, str) and frame and item in X.columns:
            found.add(list(X.columns).index(item))
        else:
            reason = "X has no such column" if frame or not isinstance(item, str) else "X is an array without names"
            raise ValueError(
                "categorical_features must be 'from_dtype', None, or a list of columns by number, name or truth "
                f"value: {reason}: {item!r}"
            )
    return tuple(sorted(found))


def _objects(X: Any, columns: Sequence[int]) -> NDArray[Any]:
    """The ``columns`` of ``X`` as an array (n, q) of objects, None where missing."""
    part = (
        X.iloc[:, list(columns)]
        if isinstance(X, pd.DataFrame)
        else pd.DataFrame(np.asarray(X, dtype=object)[:, list(columns)])
    )
    values = np.array(part, dtype=object)
    values[pd.isna(values)] = None
    return values


def _refuse_dates(X: Any, categories: Categories) -> None:
    """Raise ``ValueError`` if a column holds dates or durations: as numbers missing ones would be the smallest."""
    if isinstance(X, pd.DataFrame):
        numbers = enumerate(X.dtypes.items())
        dtypes = [(f"column {name!r} of X", dtype) for k, (name, dtype) in numbers if k not in categories.columns]
    else:
        dtypes = [("X", X.dtype)] if isinstance(X, np.ndarray) else []
    for words, dtype in dtypes:
        if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
            raise ValueError(f"{words} holds dates or durations ({dtype}): turn them into numbers, for example days")


def _text_column(X: Any) -> str:
    """The first column that is no number, in words."""
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X, dtype=object))
    for k, name in enumerate(frame.columns):
        try:
            np.asarray(frame.iloc[:, k], dtype=np.float64)
        except (TypeError, ValueError):
            return f"column {name!r} of X" if isinstance(X, pd.DataFrame) else f"column {k} of X"
    return "X"
