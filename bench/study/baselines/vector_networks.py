"""Deep linear networks for sparse regression: products of vectors, trained from a small start until they end.

Gradient descent with momentum, without weight decay: what they prefer comes from the small start alone, as in Arora et
al. (2019) and in the comparison of arXiv 2401.04553.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rfm.completion.entries import FloatArray

NEGLIGIBLE = 1e-5
"""Residual, relative to the targets, at which the gradient has vanished and a network of vectors has ended."""


def diagonal_network(
    X: FloatArray, y: FloatArray, depth: int, starts: Sequence[float], *, steps: int = 15_000
) -> tuple[FloatArray, FloatArray]:
    """Coefficients (s, b, d) of problems X (b, n, d), y (b, n) from s ``starts``; and (s, b) which had not ended.

    w = u^depth - v^depth from u = v = start^(1/depth). Gradient descent with momentum on the mean squared error, the
    problems trained as one batch; the step is divided by the largest eigenvalue of each problem's Hessian at the
    solution's scale, so that all are stable. A problem ends where all its residuals are :data:`NEGLIGIBLE`.
    """
    A, target = torch.from_numpy(X).float(), torch.from_numpy(y).float()[:, :, None]
    b, _, d = A.shape
    u = (torch.tensor(starts) ** (1 / depth))[None, None, :].repeat(b, d, 1)
    v, moved_u, moved_v = u.clone(), torch.zeros_like(u), torch.zeros_like(u)
    top = torch.linalg.matrix_norm(A, 2)[:, None, None] ** 2
    size = torch.linalg.vector_norm(target, dim=1)
    left = torch.arange(b)
    found, unfinished = torch.zeros((b, d, len(starts))), torch.ones((b, len(starts)), dtype=torch.bool)
    for step in range(1, steps + 1):
        power_u, power_v = u ** (depth - 1), v ** (depth - 1)
        residual = A @ (power_u * u - power_v * v) - target
        if step % 500 == 0 or step == steps:
            open_ = torch.linalg.vector_norm(residual, dim=1) > NEGLIGIBLE * size
            found[left], unfinished[left] = power_u * u - power_v * v, open_
            going = open_.any(dim=1)
            if not going.all():
                if not going.any():
                    break
                parts = (A, target, u, v, moved_u, moved_v, top, size, left, residual, power_u, power_v)
                A, target, u, v, moved_u, moved_v, top, size, left, residual, power_u, power_v = (
                    part[going] for part in parts
                )
        curvature = top * depth**2 * torch.maximum(u, v).amax(dim=1, keepdim=True).clamp_min(1.0) ** (2 * depth - 2)
        slope = (A.mT @ residual) * (depth / curvature)
        moved_u = 0.9 * moved_u - slope * power_u
        moved_v = 0.9 * moved_v + slope * power_v
        u, v = (u + moved_u).clamp_min_(0.0), (v + moved_v).clamp_min_(0.0)
    return found.permute(2, 0, 1).double().numpy(), unfinished.T.numpy()
