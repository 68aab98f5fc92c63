"""The observed entries of a matrix, from whatever form they come in."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

_COMPLEX = "complex values are not supported: complete real and imaginary parts apart"


@dataclass(frozen=True)
class Entries:
    """Entries of an (n, d) matrix, in row order and column order within a row; an explicit zero is an entry.

    ``rows``, ``cols`` and ``values`` are (m,). Made, checked and put in order by :func:`observed_entries`.
    """

    rows: IntArray
    cols: IntArray
    values: FloatArray
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def row_starts(self) -> IntArray:
        """(n + 1,): the entries of row i are those from ``row_starts[i]`` up to ``row_starts[i + 1]``."""
        return np.searchsorted(self.rows, np.arange(self.shape[0] + 1)).astype(np.int64)

    def transposed(self) -> Entries:
        """The same entries of the transposed matrix."""
        order = np.lexsort((self.rows, self.cols))
        return Entries(self.cols[order], self.rows[order], self.values[order], self.shape[::-1])

    def part(self, which: NDArray[Any]) -> Entries:
        """The entries that the mask or the increasing positions ``which`` select."""
        return Entries(self.rows[which], self.cols[which], self.values[which], self.shape)

    def scaled(self, factor: float) -> Entries:
        """All values times ``factor``."""
        return Entries(self.rows, self.cols, self.values * factor, self.shape)


def observed_entries(X: Any, mask: ArrayLike | None = None, shape: tuple[int, int] | None = None) -> Entries:
    """The observed entries of ``X``, checked.

    ``X`` is a SciPy sparse matrix, whose stored entries are the observed ones; a tuple (rows, cols, values), with
    ``shape`` (by default the smallest that holds them); :class:`Entries`; a masked array; or an array or data frame in
    which NaN (NA, None), or False in ``mask`` (n, d), marks what is missing. Raises ``ValueError``, with the place,
    where an entry is given twice, is out of range, or is observed and not finite, if no entry is observed, and where
    ``shape`` is not X's.
    """
    entries = _any_entries(X, mask, None if shape is None else _checked_shape(shape))
    if len(entries) == 0:
        raise ValueError(f"no entry of the {entries.shape} matrix is observed: there is nothing to learn from")
    return entries


def row_entries(X: Any, columns: int, mask: ArrayLike | None = None, shape: tuple[int, int] | None = None) -> Entries:
    """The entries of new rows of so many ``columns``, in any form that :func:`observed_entries` takes; may be none."""
    if shape is not None:
        shape = _checked_shape(shape)
    elif isinstance(X, tuple) and len(X) == 3:  # the rows of triplets are as many as the last one says
        rows = np.asarray(X[0])
        shape = (int(rows.max()) + 1 if rows.size and rows.dtype.kind in "iu" else 0, columns)
    entries = _any_entries(X, mask, shape)
    if entries.shape[1] != columns:
        raise ValueError(f"rows of {columns} columns are needed, X has shape {entries.shape}")
    return entries


def root_mean_square(values: FloatArray) -> float:
    """Of ``values`` (m,). Raises ``ValueError`` where its square, the ridge's unit, is not a number to compute with."""
    top = float(np.abs(values).max())
    if top == 0:
        return 0.0
    size = top * float(np.sqrt(np.mean((values / top) ** 2)))
    if not np.finfo(float).tiny <= size * size < np.inf:
        raise ValueError(f"entries of size {size:.0e} are beyond what can be squared: bring them to a common scale")
    return size


def _any_entries(X: Any, mask: ArrayLike | None, shape: tuple[int, int] | None) -> Entries:
    sparsely = isinstance(X, tuple | Entries) or sparse.issparse(X)
    if mask is not None and sparsely:
        raise ValueError("mask goes with a dense array; of a sparse matrix, the stored entries are the observed ones")
    if isinstance(X, Entries):
        entries = _from_triplets((X.rows, X.cols, X.values), _checked_shape(X.shape))
    elif isinstance(X, tuple):
        entries = _from_triplets(X, shape)
    elif sparse.issparse(X):
        entries = _from_sparse(X)
    else:
        entries = _from_array(X, mask)
    if shape is not None and entries.shape != shape:
        raise ValueError(
            f"the matrix has shape {entries.shape}, not {shape}: only that of (rows, cols, values) is free"
        )
    beyond = np.flatnonzero(~np.isfinite(entries.values))
    if len(beyond):
        i, j, value = entries.rows[beyond[0]], entries.cols[beyond[0]], entries.values[beyond[0]]
        raise ValueError(
            f"observed entry ({i}, {j}) is {value} (one of {len(beyond)}): leave missing entries out, or mask them"
        )
    return entries


def _checked_shape(shape: Any) -> tuple[int, int]:
    sizes = tuple(shape) if isinstance(shape, tuple | list) else ()
    if len(sizes) != 2 or not all(isinstance(s, Integral) and not isinstance(s, bool) and int(s) >= 0 for s in sizes):
        raise ValueError(f"shape must be two integers, rows and columns, got {shape!r}")
    return int(sizes[0]), int(sizes[1])


def _from_triplets(triplets: tuple[Any, ...], shape: tuple[int, int] | None) -> Entries:
    if len(triplets) != 3:
        raise ValueError(f"a tuple of entries must be (rows, cols, values), got {len(triplets)} parts")
    rows, cols, values = (np.asarray(part) for part in triplets)
    if rows.ndim != 1 or not rows.shape == cols.shape == values.shape:
        raise ValueError(
            f"rows, cols and values must be 1-D of one length, got shapes {rows.shape}, {cols.shape}, {values.shape}"
        )
    for name, part in (("rows", rows), ("cols", cols)):
        if len(part) and part.dtype.kind not in "iu":
            raise ValueError(f"{name} must be integers, got {part.dtype}")
    if shape is None:
        shape = (int(rows.max()) + 1, int(cols.max()) + 1) if len(rows) else (0, 0)
    for name, part, size in (("row", rows, shape[0]), ("column", cols, shape[1])):
        beyond = np.flatnonzero((part < 0) | (part >= size)) if len(part) else part
        if len(beyond):
            raise ValueError(f"entry {beyond[0]} is in {name} {part[beyond[0]]}: the matrix has {size}")
    return _sorted(rows, cols, values, shape)


def _from_sparse(X: Any) -> Entries:
    coordinates = X.tocoo()  # keeps explicit zeros, and entries given twice
    if coordinates.ndim != 2:
        raise ValueError(f"the matrix must have 2 dimensions, got {coordinates.ndim}")
    return _sorted(coordinates.row, coordinates.col, coordinates.data, tuple(coordinates.shape))


def _from_array(X: Any, mask: ArrayLike | None) -> Entries:
    masked = np.ma.isMaskedArray(X)
    array = np.ma.getdata(X) if masked else np.asarray(X)
    if array.dtype.kind == "O":
        array = _numbers(array)
    if array.ndim != 2:
        raise ValueError(f"the matrix must have 2 dimensions, got shape {array.shape}")
    if np.iscomplexobj(array):
        raise ValueError(_COMPLEX)
    if array.dtype.kind not in "biuf":
        array = array.astype(np.float64)
    if mask is not None:
        seen = np.asarray(mask)
        if seen.shape != array.shape or seen.dtype != np.bool_:
            raise ValueError(
                f"mask must be boolean of shape {array.shape}, True where observed; got {seen.dtype} of {seen.shape}"
            )
        if masked:
            seen = seen & ~np.ma.getmaskarray(X)
    elif masked:
        seen = ~np.ma.getmaskarray(X)
    else:
        seen = ~np.isnan(array)
    rows, cols = np.nonzero(seen)
    return Entries(rows, cols, array[rows, cols].astype(np.float64), (array.shape[0], array.shape[1]))


def _numbers(array: Any) -> Any:
    """An array of objects (numbers, None, pandas' NA) in float64, NaN for what is missing."""
    try:
        return np.array([_number(value) for value in array.ravel().tolist()], dtype=np.float64).reshape(array.shape)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the matrix must hold numbers, NaN, NA or None where missing: {error}") from None


def _number(value: Any) -> float:
    if isinstance(value, complex):
        raise ValueError(_COMPLEX)
    return float("nan") if value is None or type(value).__name__ == "NAType" else float(value)


def _sorted(rows: Any, cols: Any, values: Any, shape: tuple[int, ...]) -> Entries:
    if np.iscomplexobj(values):
        raise ValueError(_COMPLEX)
    order = np.lexsort((cols, rows))
    r, c = np.asarray(rows)[order].astype(np.int64), np.asarray(cols)[order].astype(np.int64)
    twice = np.flatnonzero((r[1:] == r[:-1]) & (c[1:] == c[:-1]))
    if len(twice):
        i, j = r[twice[0]], c[twice[0]]
        raise ValueError(
            f"entry ({i}, {j}) is given more than once ({len(twice)} such in all): give each entry once, "
            "averaged or summed as your data demand"
        )
    return Entries(r, c, np.asarray(values, dtype=np.float64)[order], (int(shape[0]), int(shape[1])))
