"""Rows of a table in a learned metric, |x - z|_M^2 = (x - z)' M (x - z), prepared for fast and exact distances.

Squared distances come from a Gram matrix, which is fast, and rounded in units of the squared norms, which is too coarse
for rows that are close: those are computed again, from the differences of their coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rfm.arrays import Places, on_cpu, places_up_to, put_, smallest, squared_gaps, squared_norms, zero_where_
from rfm.factored import FactoredMatrix
from rfm.linalg import metric_factor

Metric = torch.Tensor | FactoredMatrix
"""A learned metric M: (d, d), its diagonal (d,), or kept as factors, (d, d) too."""

_CLOSE = 5e-4
"""Squared distances below so much of the squared norms are computed from differences: on spambase, whose rows lie
closest among the small tables, more of them would not make the dual coefficients any more exact in float32."""
_COINCIDENT_ULPS = 256.0
"""Rows whose distance is below this many units of rounding of their norms coincide: a gradient weight of W is right to
W times the rounding of the rows, so that a closer pair's would be noise to more than half a percent."""


@dataclass(frozen=True)
class MetricRows:
    """Rows prepared for distances in one metric: ``left @ right.T`` is the matrix of u = |x - z|_M^2 / L^2.

    ``left`` and ``right`` (n, r + 2) for a metric of rank r; ``close`` (n, 1) is the u below which another row is so
    close to this one that u is rounded too coarsely; ``root`` is the metric's, see :func:`metric_root`. Rows that share
    a number in ``groups`` (n,) are equal. Two sets of rows go together if they were prepared in one root.
    """

    left: torch.Tensor
    right: torch.Tensor
    close: torch.Tensor
    root: torch.Tensor | None = None
    groups: torch.Tensor | None = None

    def split(self, n: int) -> tuple[MetricRows, MetricRows]:
        """The first ``n`` rows, and the others."""
        return self.at(slice(n)), self.at(slice(n, None))

    def at(self, rows: slice | torch.Tensor) -> MetricRows:
        """The rows in a range or of these numbers."""
        groups = None if self.groups is None else self.groups[rows]
        return MetricRows(self.left[rows], self.right[rows], self.close[rows], self.root, groups)

    @property
    def coordinates(self) -> torch.Tensor:
        """The rows (n, r) where the metric is the identity."""
        return self.right[:, :-2]

    @property
    def closest(self) -> float:
        """The largest entry of ``close``; on CUDA, where nothing is gained by knowing it, infinity."""
        if not on_cpu(self.close):
            return np.inf
        return float(self.close.max()) if len(self.close) else 0.0


def metric_rows(
    X: torch.Tensor,
    M: Metric | None,
    bandwidth: float,
    *,
    fitted: int | None = None,
    sizes: torch.Tensor | None = None,
) -> MetricRows:
    """Prepare ``X`` (n, d) for distances in the metric ``M``: (d, d), its diagonal (d,), factors of it, or None for the
    identity.

    The rows are first mapped to coordinates in which the metric is the identity: taken from x' M z itself, the distance
    of two near rows would drown in the rounding of terms that cancel when features are collinear. What of ``M`` is
    rounding, the first ``fitted`` rows say (all by default), so that the others do not change each other's distances;
    or ``sizes``, as :func:`feature_sizes` has them, where they are known.
    """
    root = None
    if M is not None:
        root = metric_root(M, feature_sizes(X[:fitted], M) if sizes is None else sizes)
    return euclidean_rows(in_coordinates(X, root).to(X.dtype), bandwidth, root=root)


def euclidean_rows(
    P: torch.Tensor,
    bandwidth: float,
    *,
    root: torch.Tensor | None = None,
    groups: torch.Tensor | None = None,
    scratch: torch.Tensor | None = None,
) -> MetricRows:
    """Prepare rows ``P`` (n, r), in the coordinates that ``root`` gives, for their Euclidean distances.

    ``scratch``, of at least 2 n (r + 2) numbers, is overwritten if given and lives on in what is returned.
    """
    n, d = P.shape
    scale = 1.0 / (bandwidth * bandwidth)
    left, right = P.new_empty((2, n, d + 2)) if scratch is None else scratch.view(-1)[: 2 * n * (d + 2)].view(2, n, -1)
    norms = squared_norms(P)
    right[:, :d] = P
    right[:, d] = 1.0
    right[:, d + 1] = norms
    torch.mul(P, -2.0 * scale, out=left[:, :d])
    norms *= scale
    left[:, d] = norms
    left[:, d + 1] = scale
    return MetricRows(left, right, norms.mul_(_CLOSE)[:, None], root, groups)


def feature_sizes(X: torch.Tensor, M: Metric | None = None) -> torch.Tensor:
    """The largest absolute value (d,) of each feature among the rows of ``X`` (n, d).

    With a factored ``M`` = B C B', B (d, k): (k,), the :func:`coordinate_sizes` of B that follow.
    """
    sizes = X.abs().amax(dim=0)
    return coordinate_sizes(M.basis, sizes) if isinstance(M, FactoredMatrix) else sizes


def coordinate_sizes(basis: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """The sizes (k,) of coordinates B'x, of ``basis`` B (d, k), among features of ``sizes`` (d,) with any signs.

    The coordinates of the rows themselves would not do: of one far row a basis may make a coordinate of its own, beside
    which all others would look like rounding.
    """
    largest = sizes.max().double()
    shares = sizes.double() / torch.where(largest > 0, largest, 1.0)  # their squares neither overflow nor vanish
    return (basis.square().T @ shares.square()).sqrt() * largest


def metric_root(M: Metric, sizes: torch.Tensor) -> torch.Tensor:
    """F with M = F F', in float64: (d, r) of a matrix ``M`` (d, d) of rank r, (d,) of a diagonal (d,).

    ``sizes``, as :func:`feature_sizes` has them, say what of a matrix is rounding: see
    :func:`rfm.linalg.metric_factor`.
    """
    if isinstance(M, FactoredMatrix):
        return M.basis @ metric_factor(M.core, sizes)
    return M.double().clamp_min(0.0).sqrt() if M.dim() == 1 else metric_factor(M, sizes)


def in_coordinates(X: torch.Tensor, root: torch.Tensor | None) -> torch.Tensor:
    """Rows (n, r), in float64 unless ``root`` is None, whose Euclidean distances are those of ``X`` in its metric."""
    if root is None:
        return X
    return X.double() * root if root.dim() == 1 else X.double() @ root


@dataclass(frozen=True)
class Coincident:
    """Where rows coincide in a matrix (m, n) of distances: ``places``, and what is true in ``equal``, if given.

    ``among`` (k,), if given, says which of the k ``places`` these are: to pick them the host would wait.
    """

    places: Places
    equal: torch.Tensor | None
    among: torch.Tensor | None = None

    def clear_(self, W: torch.Tensor) -> None:
        """Set the weights ``W`` (m, n) between rows that coincide to zero."""
        put_(W, self.places, 0.0 if self.among is None else W[self.places].masked_fill_(self.among, 0.0))
        if self.equal is not None:
            zero_where_(W, self.equal)


def resolve_close_(u: torch.Tensor, rows: MetricRows, others: MetricRows, closest: float) -> Coincident | None:
    """Compute those of the squared distances ``u`` (m, n or fewer) from differences that rounding dominates, in place.

    Returns which rows coincide, None where nothing is close. ``closest``, at least the largest entry of ``rows.close``,
    tells in one cheap pass that most blocks have no such rows. On CUDA the search is that pass: the host waits once, to
    hear how many places there are.
    """
    if on_cpu(u) and smallest(u) > closest:
        return None
    equal = None
    if rows.groups is not None and others.groups is not None:
        equal = rows.groups[:, None] == others.groups[None, : u.shape[1]]
        zero_where_(u, equal)
    places = places_up_to(u, rows.close, unless=equal)
    if not on_cpu(u) and not len(places[0]):
        return None
    exact = squared_gaps(rows.coordinates, others.coordinates, places).mul_(rows.left[0, -1])
    put_(u, places, exact)
    least = (_COINCIDENT_ULPS * torch.finfo(u.dtype).eps) ** 2 / _CLOSE
    coincident = exact <= rows.close[places[0], 0] * least
    if not on_cpu(u):
        return Coincident(places, equal, coincident)
    return Coincident((places[0][coincident], places[1][coincident]), equal)


def equal_rows(X: torch.Tensor) -> torch.Tensor | None:
    """Numbers (n,) that equal rows of ``X`` (n, d) share; None unless so many pairs are equal that it pays to know."""
    if not on_cpu(X):
        return None
    rows = X.numpy()
    keys = np.einsum("ij,j->i", rows, np.cos(np.arange(X.shape[1]), dtype=rows.dtype))
    _, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    if float((counts.astype(float) ** 2).sum()) < _MANY_EQUAL * len(X) ** 2 or (rows != rows[first[inverse]]).any():
        return None
    return torch.from_numpy(inverse.astype(np.int32))


_MANY_EQUAL = 0.02
"""Share of pairs. Below, finding the equal ones among the close ones costs less."""
