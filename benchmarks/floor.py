"""The least time that the arithmetic of the `published` sweep can take on this machine, by rates that were measured.

Rates of Cholesky factors and matrix products depend on their size and on the library: for every size the best that was
measured counts, of scipy's LAPACK and PyTorch, or NumPy's BLAS and PyTorch. Entries of a kernel matrix cost a square
root and an exponential each, at the best rate measured on 64,000 of them, which stay in the cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.linalg import lapack

import rfm
from bench.records.dataset import Dataset, Splits

SIZES = (30, 60, 120, 250, 500, 1000, 2500)  # not powers of two, whose rows fall onto the same lines of a cache
ENTRIES = 64_000
CHAINS, POINTS = 10, 5
_LEAST_SECONDS = 0.01
"""Calls are repeated until they have taken so long together; the best of three such times counts."""


@dataclass(frozen=True)
class Arithmetic:
    """Multiply-adds and the like of one dataset: (size, flops) of factors and of products, entries of kernels."""

    factors: Sequence[tuple[int, float]]
    products: Sequence[tuple[int, float]]
    entries: float


def rates() -> dict[str, list[float]]:
    """Rates on this machine now, one thread, float32: flop/s by size of ``SIZES``, and entries per second."""
    found: dict[str, list[float]] = {"factor": [], "product": []}
    draws = np.random.default_rng(0)
    for n in SIZES:
        A = draws.standard_normal((n, n), dtype=np.float32)
        S = np.asfortranarray(A @ A.T / n + np.eye(n, dtype=np.float32))
        T, P = torch.from_numpy(np.ascontiguousarray(S)), torch.from_numpy(A)
        factor = least(lambda S=S: lapack.spotrf(S, lower=1), lambda T=T: torch.linalg.cholesky_ex(T))
        product = least(lambda A=A: A @ A, lambda P=P: P @ P)
        found["factor"].append(n**3 / 3 / factor)
        found["product"].append(2 * n**3 / product)
    squares = draws.random(ENTRIES, dtype=np.float32)
    root = np.empty_like(squares)
    calls: list[Callable[[], Any]] = [lambda: np.exp(-np.sqrt(squares))]
    engine = rfm.engine()
    if engine.library is not None:
        exponentials = engine.library.module.exponentials

        def fused() -> None:
            np.sqrt(squares, out=root)
            np.negative(root, out=root)
            exponentials(engine.instruction_set, True, root)

        calls.append(fused)
    found["entries"] = [ENTRIES / least(*calls)]
    return found


def least(*calls: Callable[[], Any]) -> float:
    """CPU seconds of the fastest of ``calls``."""
    best = np.inf
    for call in calls:
        for _ in range(3):
            count, started = 0, time.process_time()
            while (passed := time.process_time() - started) < _LEAST_SECONDS:
                call()
                count += 1
            best = min(best, passed / count)
    return float(best)


def best_of(measured: Sequence[dict[str, list[float]]]) -> dict[str, list[float]]:
    """The best rate of each kind and size."""
    return {kind: np.max([each[kind] for each in measured], axis=0).tolist() for kind in measured[0]}


def arithmetic(dataset: Dataset, splits: Splits) -> Arithmetic:
    """The published sweep's: factors, products for distances and AGOPs, kernel entries; final fits included."""
    n, v = len(splits.tuning.train), len(splits.tuning.test)
    d, c = dataset.X.shape[1], dataset.n_classes
    kernels, updates = 2 + CHAINS * (POINTS - 1), CHAINS * (POINTS - 1)
    gradients = min(2.0 * n * n * c * d + n * c * d * d, n**3 + 5.0 * n * n * c)
    factors = [(n, CHAINS * POINTS * n**3 / 3)]
    products = [(n, kernels * 2 * d * (n * n / 2 + v * n) + updates * gradients)]
    entries = kernels * (n * n / 2 + v * n)
    for holdout in splits.holdouts:
        m, t = len(holdout.train), len(holdout.test)
        factors.append((m, m**3 / 3))
        products.append((m, 2 * d * (m * m / 2 + t * m)))
        entries += m * m / 2 + t * m
    return Arithmetic(factors, products, entries)


def floor_seconds(work: Arithmetic, best: dict[str, list[float]]) -> tuple[float, float]:
    """Seconds of (factors and products, kernel entries) at the ``best`` rates, between sizes by interpolation."""

    def at(kind: str, n: int) -> float:
        return float(np.interp(np.log(n), np.log(SIZES), best[kind]))

    dense = sum(flops / at("factor", n) for n, flops in work.factors)
    dense += sum(flops / at("product", n) for n, flops in work.products)
    return dense, work.entries / best["entries"][0]
