r"""The neural tangent kernel of fully connected ReLU networks without biases, all depths in one pass.

With the arc-cosine functions (Cho & Saul 2009)

    kappa_0(r) = (pi - arccos r) / pi,      kappa_1(r) = (r (pi - arccos r) + sqrt(1 - r^2)) / pi,

and r_0 the cosine of the angle between x and z, the recursion (Jacot et al. 2018; Arora et al. 2020) reads

    r_l = kappa_1(r_{l-1}),      t_0 = r_0,      t_l = r_l + t_{l-1} kappa_0(r_{l-1}),

and the kernel of ``depth`` hidden layers is K(x, z) = |x| |z| t_depth: weights of variance 2 / width keep the diagonal
of the covariance constant, so K(x, x) = (depth + 1) |x|^2.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import torch
from numpy.polynomial import Chebyshev, Polynomial

from rfm.arrays import on_cpu, row_blocks
from rfm.linalg import mirror_


def ntk_matrices(X: torch.Tensor, depth: int) -> Iterator[torch.Tensor]:
    """The kernel matrices (n, n) among the rows of ``X`` (n, d) for 1, 2, ..., ``depth`` hidden layers, in turn.

    The yielded matrix is the caller's own. Works in float64 whatever the type of ``X``; a zero row has a zero kernel.
    """
    cosine, norms = _cosines(X.double(), X.double(), lower=True)
    yield from (mirror_(K) for K in _recursion(cosine, norms, norms, depth))


def ntk_pairs(X: torch.Tensor, Z: torch.Tensor, depth: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The kernel matrix (n, n) among the rows of ``X`` (n, d), its lower triangle, and that of ``Z`` (m, d) with them.

    For 1, 2, ..., ``depth`` hidden layers, in turn, as :func:`ntk_matrices`; the second is (m, n).
    """
    X, Z = X.double(), Z.double()
    cosine, norms = _cosines(X, X, lower=True)
    between, others = _cosines(Z, X, lower=False)
    among = _recursion(cosine, norms, norms, depth)
    yield from zip(among, _recursion(between, others, norms, depth), strict=True)


def ntk_matrix(X: torch.Tensor, Z: torch.Tensor | None = None, depth: int = 1) -> torch.Tensor:
    """Matrix of the neural tangent kernel of a ReLU network without biases.

    Parameters
    ----------
    X : Tensor of shape (n, d)
        Rows.
    Z : Tensor of shape (m, d), optional
        Other rows; ``X`` itself by default.
    depth : int, default=1
        Hidden layers.

    Returns
    -------
    Tensor of shape (n, m)
        In float64.

    Raises
    ------
    ValueError
        For a depth below 1.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    X = X.double()
    Z = X if Z is None else Z.double()
    cosine, norms = _cosines(X, Z, lower=False)
    for K in _recursion(cosine, norms, Z.norm(dim=1), depth):
        deepest = K  # earlier ones are let go: five depths would hold five matrices
    return deepest


@functools.cache
def angular_profile(depth: int, degree: int) -> tuple[float, ...]:
    """Coefficients, from the constant up, of t_depth as a polynomial in 2 theta / pi - 1, theta = arccos r_0.

    t is analytic in theta on [0, pi] (the recursion's square roots cancel), so a Chebyshev series converges quickly:
    degree 16 is right to 2e-8 of t(0) = depth + 1 up to ten layers, degree 27 to 1e-13 up to five and 2e-11 up to ten.
    """

    def profile(position: np.ndarray) -> np.ndarray:
        angle = (position + 1.0) * np.pi / 2.0
        points = torch.as_tensor(np.stack([np.cos(angle), np.sin(angle)], axis=1))
        return ntk_matrix(points, torch.tensor([[1.0, 0.0]], dtype=torch.float64), depth)[:, 0].numpy()

    series = Chebyshev.interpolate(profile, degree)
    return tuple(float(value) for value in series.convert(kind=Polynomial).coef)


def _cosines(X: torch.Tensor, Z: torch.Tensor, *, lower: bool) -> tuple[torch.Tensor, torch.Tensor]:
    norms = X.norm(dim=1)
    unit = X / torch.where(norms > 0, norms, 1.0)[:, None]
    if lower:
        cosine = torch.zeros((len(X), len(X)), dtype=X.dtype, device=X.device)
        for start, stop in row_blocks(len(X), len(X), 8, device=X.device):
            torch.mm(unit[start:stop], unit[:stop].T, out=cosine[start:stop, :stop])
        cosine.diagonal().fill_(1.0)
    else:
        others = Z.norm(dim=1)
        cosine = unit @ (Z / torch.where(others > 0, others, 1.0)[:, None]).T
    return cosine.clamp_(-1.0, 1.0), norms


def _recursion(cosine: torch.Tensor, left: torch.Tensor, right: torch.Tensor, depth: int) -> Iterator[torch.Tensor]:
    tangent = cosine.clone()
    square = len(left) == len(right) and left is right
    for _ in range(depth):
        K = torch.empty_like(tangent)
        for start, stop in row_blocks(cosine.shape[0], cosine.shape[1], 8, device=cosine.device):
            columns = slice(None, stop) if square else slice(None)
            r, t = cosine[start:stop, columns], tangent[start:stop, columns]
            angle = _arccos(r)
            angle.neg_().add_(np.pi)
            height = (1.0 - r * r).clamp_min_(0.0).sqrt_()
            t.mul_(angle).div_(np.pi)
            r.mul_(angle).add_(height).div_(np.pi).clamp_(-1.0, 1.0)
            t.add_(r)
            K[start:stop, columns] = t * left[start:stop, None] * right[None, columns]
        yield K


def _arccos(r: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.arccos(r.numpy())) if on_cpu(r) else torch.arccos(r)
