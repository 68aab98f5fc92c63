"""Matrix completion without and with noise: error at the entries that nobody saw, method by method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.study.baselines.completing import (
    Method,
    als,
    as_published,
    deep_linear,
    irls_svd,
    lin_rfm,
    measured,
    soft_impute,
)
from bench.study.baselines.networks import STEPS
from rfm.completion.entries import Entries, FloatArray, observed_entries

HELD_OUT = 0.05
"""Part of the observed entries by which every method chooses."""

ALS_RANKS = (1, 2, 4, 8, 16)
"""From which held-out entries choose: the same for all matrices, whatever their rank."""


def low_rank(rows: int, cols: int, rank: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Factors U (rows, rank), V (cols, rank) of U V', scaled to a mean square of 1 (as the published code does)."""
    rng = np.random.default_rng([seed, rows, cols, rank])
    U, V = rng.standard_normal((rows, rank)), rng.standard_normal((cols, rank))
    mean_square = float(np.sum((U.T @ U) * (V.T @ V))) / (rows * cols)
    return U / np.sqrt(mean_square), V


def draw(
    U: FloatArray, V: FloatArray, count: int, seed: int, *, noise: float = 0.0, tested: int = 200_000
) -> tuple[Entries, Entries, Entries]:
    """Entries to fit, held-out ones (:data:`HELD_OUT` of the observed), and at most ``tested`` others without noise."""
    shape = (len(U), len(V))
    rng = np.random.default_rng([seed, count])
    places = rng.choice(shape[0] * shape[1], min(count + tested, shape[0] * shape[1]), replace=False)
    rows, cols = places // shape[1], places % shape[1]
    values = np.einsum("ij,ij->i", U[rows], V[cols])
    seen, rest = slice(None, count), slice(count, None)
    noisy = values[seen] + noise * rng.standard_normal(count)
    observed = observed_entries((rows[seen], cols[seen], noisy), shape=shape)
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[: round(HELD_OUT * count)]] = True
    test = observed_entries((rows[rest], cols[rest], values[rest]), shape=shape)
    return observed.part(~chosen), observed.part(chosen), test


def published(parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The published code's setting, a square matrix of low rank and few entries, by one method.

    Without networks: a step takes a hundred times as long as at 100 x 100, and there is no time for them to end.
    """
    size, rank, count = (int(parameters[key]) for key in ("size", "rank", "count"))
    parts = draw(*low_rank(size, size, rank, seed), count, seed)
    methods: dict[str, Method] = {
        "as published 1/2": as_published(0.5),
        "as published 1": as_published(1.0),
        "lin-RFM alternating": lin_rfm(),
        "lin-RFM factored": lin_rfm(rank=2 * rank),
        "lin-RFM columns": lin_rfm(alternate=False, iterations=800, ridge_decay=0.96),
        "IRLS-1": irls_svd(1.0),
        "soft-impute": soft_impute,
        "ALS": als((rank, 2 * rank)),
    }
    return measured(methods[parameters["method"]], *parts, seed)


def grid(parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """One rank and density; with ``noise``, noisy entries and exact ones to predict.

    Every seed, rank and density has a matrix and places of its own, the same with noise and without.
    """
    size, rank = int(parameters["size"]), int(parameters["rank"])
    count = round(float(parameters["density"]) * size * size)
    noise = float(parameters.get("noise", 0.0))
    own = int(np.random.SeedSequence([seed, rank, count]).generate_state(1)[0])
    parts = draw(*low_rank(size, size, rank, own), count, own, noise=noise)
    steps = int(parameters.get("steps", STEPS))
    methods: dict[str, Method] = {
        "as published 1/2": as_published(0.5),
        "as published 1": as_published(1.0),
        "lin-RFM alternating": lin_rfm(),
        "lin-RFM columns": lin_rfm(alternate=False, iterations=800, ridge_decay=0.95),
        "lin-RFM columns 1/4": lin_rfm(alternate=False, alpha=0.25, iterations=800, ridge_decay=0.95),
        "soft-impute": soft_impute,
        "ALS": als(ALS_RANKS),
        "network 2": deep_linear(2, steps),
        "network 3": deep_linear(3, steps),
        "network 4": deep_linear(4, steps),
    }
    found = {name: measured(method, *parts, seed) for name, method in methods.items()}
    mean_square = float(np.mean(parts[2].values ** 2))
    return {**found, "zero": {"rmse": mean_square**0.5}}
