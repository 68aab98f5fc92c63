"""Matrices of many millions of entries, most of them missing, completed as a user would."""

from __future__ import annotations

import resource
import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from bench.run.processes import status_bytes
from bench.study.matrices import draw, low_rank
from rfm import MatrixCompletion


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
