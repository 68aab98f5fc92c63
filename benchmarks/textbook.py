"""RFM written plainly from the published procedure: the yardstick of ``benchmarks/engine.py``.

One chain at a time; the kernel in float32, the system solved in float64 by LU; the gradients of all classes at all rows
as one (n, c d) product; the metric updated after every iteration, the last one included, as the published code does.
"""

from __future__ import annotations

import numpy as np
import torch

COINCIDENT = 1e-10
"""Distance below which rows have no gradient between them: the published code's value, far below float32's rounding."""


def laplace_kernel(X: torch.Tensor, Z: torch.Tensor, M: torch.Tensor, bandwidth: float) -> torch.Tensor:
    return torch.exp(-distances(X, Z, M) / bandwidth)


def distances(X: torch.Tensor, Z: torch.Tensor, M: torch.Tensor) -> torch.Tensor:
    squares = ((X @ M) * X).sum(1)[:, None] + ((Z @ M) * Z).sum(1)[None, :] - 2 * (X @ M) @ Z.T
    return squares.clamp_min(0).sqrt()


def metric_update(X: torch.Tensor, alpha: torch.Tensor, M: torch.Tensor, bandwidth: float) -> torch.Tensor:
    n, d = X.shape
    distance = distances(X, X, M)
    weights = torch.exp(-distance / bandwidth) / distance
    weights[distance < COINCIDENT] = 0.0
    XM = X @ M
    spread = (alpha[:, :, None] * XM[:, None, :]).reshape(n, -1)
    gradients = (weights.T @ spread).reshape(n, -1, d) - (weights.T @ alpha)[:, :, None] * XM[:, None, :]
    gradients = gradients.reshape(-1, d) / bandwidth
    return gradients.T @ gradients / n


def sweep(
    X: np.ndarray, y: np.ndarray, classes: int, fit: np.ndarray, validation: np.ndarray, holdouts: list
) -> tuple[float, float, int, bool]:
    """The published procedure on one table: (mean test accuracy, ridge, iteration, unit_norm)."""
    onehot = np.eye(classes)[y]
    best: tuple | None = None
    for ridge in (10.0, 1.0, 0.1, 0.01, 0.001):
        for unit_norm in (True, False):
            table = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-300) if unit_norm else X
            rows = torch.from_numpy(table.astype(np.float32))
            M = torch.eye(X.shape[1])
            for iteration in range(5):
                K = laplace_kernel(rows[fit], rows[fit], M, 10.0).numpy()
                alpha = np.linalg.solve(K + ridge * np.eye(len(K)), onehot[fit])
                scores = laplace_kernel(rows[validation], rows[fit], M, 10.0).numpy() @ alpha
                accuracy = np.mean(scores.argmax(1) == y[validation])
                if best is None or accuracy > best[0]:
                    best = accuracy, ridge, iteration, unit_norm, rows, M
                M = metric_update(rows[fit], torch.from_numpy(alpha.astype(np.float32)), M, 10.0)
    assert best is not None
    _, ridge, iteration, unit_norm, rows, M = best
    accuracies = []
    for holdout in holdouts:
        K = laplace_kernel(rows[holdout.train], rows[holdout.train], M, 10.0).numpy()
        alpha = np.linalg.solve(K + ridge * np.eye(len(K)), onehot[holdout.train])
        scores = laplace_kernel(rows[holdout.test], rows[holdout.train], M, 10.0).numpy() @ alpha
        accuracies.append(np.mean(scores.argmax(1) == y[holdout.test]))
    return 100 * float(np.mean(accuracies)), ridge, iteration, unit_norm
