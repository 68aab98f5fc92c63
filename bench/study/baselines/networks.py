"""Deep linear networks: products of matrices, or of vectors, trained by gradient descent from a small start.

Trained by Adam (for matrices) or by gradient descent with momentum (for vectors), without weight decay: what they
prefer comes from the small start alone, as in Arora et al. (2019) and in the comparison of arXiv 2401.04553.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch

from rfm.completion import Entries
from rfm.completion.entries import FloatArray

STARTS = (1e-3,)
"""Entries' size in the first product, relative to that of the data."""

RATES = (0.1, 0.03)
"""Adam's learning rates are these, divided by the hidden width. On 100 x 100 matrices larger rates and larger starts
(1e-1) gave larger errors at every depth."""

STEPS, CHECK_EVERY, PATIENCE = 2500, 50, 10
"""Adam steps at most; held-out error looked at so often; looks without improvement by 1 % after which to stop."""


def deep_linear_completion(
    entries: Entries, held_out: Entries, depth: int, seed: int, *, steps: int = STEPS
) -> tuple[FloatArray, float, int, dict[str, Any]]:
    """(n, d) of the start, rate and step with the least held-out squared error; that error, the step, what was chosen.

    ``depth`` matrices, hidden layers as wide as the smaller side, so that no rank is imposed.
    """
    best: tuple[float, FloatArray, int, dict[str, Any]] | None = None
    for start in STARTS:
        for rate in RATES:
            error, X, step = _train(entries, held_out, depth, start, rate, seed, steps)
            if best is None or error < best[0]:
                best = (error, X, step, {"depth": depth, "start": start, "rate": rate})
    assert best is not None
    return best[1], best[0], best[2], best[3]


def _train(
    entries: Entries, held_out: Entries, depth: int, start: float, rate: float, seed: int, steps: int
) -> tuple[float, FloatArray, int]:
    n, d = entries.shape
    width = min(n, d)
    generator = torch.Generator().manual_seed(seed)
    sizes = [n, *([width] * (depth - 1)), d]
    scale = (start * float(np.sqrt(np.mean(entries.values**2))) / width ** ((depth - 1) / 2)) ** (1 / depth)
    layers = [(torch.randn((a, b), generator=generator) * scale).requires_grad_() for a, b in pairwise(sizes)]
    optimiser = torch.optim.Adam(layers, lr=rate / width)
    flat, values = torch.from_numpy(entries.rows * d + entries.cols), torch.from_numpy(entries.values).float()
    idle = float(np.mean(held_out.values**2))
    best: tuple[float, FloatArray, int] = (np.inf, np.zeros((n, d)), 0)
    marked, waited = np.inf, 0
    for step in range(1, steps + 1):
        product = layers[0]
        for layer in layers[1:]:
            product = product @ layer
        loss = ((product.reshape(-1)[flat] - values) ** 2).mean()
        if step % CHECK_EVERY == 0:
            X = product.detach().double().numpy()
            error = float(np.mean((X[held_out.rows, held_out.cols] - held_out.values) ** 2))
            if error < best[0]:
                best = (error, X, step)
            waited = 0 if error < 0.99 * marked else waited + 1
            marked = min(marked, error)
            # The plateau at the start, before a direction has grown, is no sign of having finished.
            if waited > PATIENCE and float(loss.detach()) < 0.5 * idle:
                break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return best


def diagonal_network(X: FloatArray, y: FloatArray, depth: int, start: float, *, steps: int = 6000) -> FloatArray:
    """Coefficients (b, d) of b problems X (b, n, d), y (b, n): w = u^depth - v^depth from u = v = start^(1/depth).

    Gradient descent with momentum on the mean squared error, the problems trained as one batch; the step is divided by
    the largest eigenvalue of each problem's Hessian at the solution's scale, so that all are stable.
    """
    A, target = torch.from_numpy(X).float(), torch.from_numpy(y).float()
    b, _, d = A.shape
    u = torch.full((b, d), start ** (1 / depth))
    v = u.clone()
    moved_u, moved_v = torch.zeros_like(u), torch.zeros_like(v)
    top = torch.linalg.matrix_norm(A, 2)[:, None] ** 2
    for _ in range(steps):
        residual = (A @ (u**depth - v**depth)[:, :, None])[:, :, 0] - target
        gradient = (residual[:, None, :] @ A)[:, 0, :]
        curvature = top * depth**2 * torch.maximum(u, v).amax(dim=1, keepdim=True).clamp_min(1.0) ** (2 * depth - 2)
        step = 1.0 / curvature
        moved_u = 0.9 * moved_u - step * depth * u ** (depth - 1) * gradient
        moved_v = 0.9 * moved_v + step * depth * v ** (depth - 1) * gradient
        u, v = (u + moved_u).clamp_min_(0.0), (v + moved_v).clamp_min_(0.0)
    return (u**depth - v**depth).double().numpy()
