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
from bench.study.matrices import draw, low_rank

ALS_RANKS = (1, 2, 4, 8, 16)
"""From which held-out entries choose: the same for all matrices, whatever their rank."""


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
        "network 2": deep_linear(2, steps, exact=not noise),
        "network 3": deep_linear(3, steps, exact=not noise),
        "network 4": deep_linear(4, steps, exact=not noise),
    }
    found = {name: measured(method, *parts, seed) for name, method in methods.items()}
    mean_square = float(np.mean(parts[2].values ** 2))
    return {**found, "zero": {"rmse": mean_square**0.5}}
