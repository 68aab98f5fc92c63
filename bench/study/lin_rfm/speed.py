"""Seconds per iteration against the textbook's IRLS, and matrices of many millions of entries."""

from __future__ import annotations

import resource
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from bench.run.processes import status_bytes
from bench.study.baselines.irls import complete_rows, inverse_weights, inverse_weights_by_gram
from bench.study.lin_rfm.completion import draw, low_rank
from rfm import MatrixCompletion
from rfm.completion.kernels import DenseKernel, FactoredKernel, dense_kernel
from rfm.completion.rows import RowSystems

ENTRIES_A_ROW = 40
RANK = 5
FACTOR_RANK = 10
RIDGE = 1e-2


def timing(parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Processor seconds of one iteration on a square matrix, :data:`ENTRIES_A_ROW` entries a row, each the median of 3.

    ``IRLS``: rows one by one and weights by singular values. ``IRLS, batched``: lin-RFM's own solver for the rows, with
    weights by singular values: what being free of them saves, alone. ``IRLS, batched, eigh``: the same from the
    eigenvalues of X' X, a smaller decomposition. All from the same completed matrix, and the kernels of all but the
    factored form are the same.
    """
    size = int(parameters["size"])
    fit_part, _, _ = draw(
        *low_rank(size, size, RANK, seed), min(ENTRIES_A_ROW * size, size * size // 2), seed, tested=1
    )
    systems = RowSystems(fit_part)
    X = DenseKernel(np.eye(size), 1.0).complete(systems).X
    S = dense_kernel(torch.from_numpy(X), RIDGE, 0.5).S
    V = np.random.default_rng(seed).standard_normal((size, FACTOR_RANK)) / np.sqrt(FACTOR_RANK)

    def textbook() -> None:
        inverse_weights(complete_rows(fit_part, S + RIDGE * np.eye(size)), RIDGE, 0.0)

    def batched() -> None:
        inverse_weights(systems.complete(S, RIDGE)[0], RIDGE, 0.0)

    def batched_by_gram() -> None:
        inverse_weights_by_gram(systems.complete(S, RIDGE)[0], RIDGE, 0.0)

    def svd_free() -> None:
        DenseKernel(S, RIDGE).complete(systems).column_kernel(RIDGE, 0.5)

    single: Any = S.astype(np.float32)

    def svd_free_single() -> None:
        DenseKernel(single, RIDGE).complete(systems).column_kernel(RIDGE, 0.5)

    def factored() -> None:
        FactoredKernel(V, RIDGE).complete(systems).column_kernel(RIDGE, 0.5)

    found = {
        "IRLS": _median(textbook),
        "IRLS, batched": _median(batched),
        "IRLS, batched, eigh": _median(batched_by_gram),
        "lin-RFM": _median(svd_free),
        "lin-RFM, float32": _median(svd_free_single),
        "lin-RFM factored": _median(factored),
    }
    return {"cpu_seconds": found, "entries": len(fit_part)}


def _median(action: Callable[[], None], repeats: int = 3) -> float:
    action()
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        action()
        taken.append(time.process_time() - began)
    return float(np.median(taken))


def scale(parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """A large matrix, most of it missing, completed by the estimator as a user would, and the process's peak memory."""
    rows, cols, rank, count = (int(parameters[key]) for key in ("rows", "cols", "rank", "count"))
    entries, held_out, test = draw(*low_rank(rows, cols, rank, seed), count, seed)
    before = _forget_peak()
    model = MatrixCompletion(max_rank=parameters["max_rank"], iterations=400)
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(entries, validation=held_out)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    predicted = model.predict(test.rows, test.cols)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "rmse": float(np.sqrt(np.mean((predicted - test.values) ** 2))),
        "iterations": model.n_iter_,
        "stopped": model.stopped_,
        "peak_mb": _peak_mb(),
        "before_mb": before,
        "entries": count,
    }


def _forget_peak() -> float:
    """MB that this process holds; its peak begins anew there on Linux. Elsewhere the peak so far."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _peak_mb()
    return status_bytes("VmRSS") / 2**20


def _peak_mb() -> float:
    return (status_bytes("VmHWM") or _peak_bytes()) / 2**20


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10  # bytes there, kilobytes elsewhere
