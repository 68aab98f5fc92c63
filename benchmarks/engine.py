"""Speed of the RFM engine against a textbook implementation, scikit-learn, xRFM and the arithmetic floor.

    python benchmarks/engine.py --archive PATH [--subset small90] [--out benchmarks/engine.md]
    python benchmarks/engine.py --resume [...]                     # keep the tables that were measured before
    python benchmarks/engine.py --merge part1.json part2.json      # the page from parts measured side by side

Every contender works on one dataset in a process of its own with one BLAS thread; CPU seconds and peak memory are the
operating system's for that process, less what it had before it began. A figure is the median of RUNS runs; what takes
longer than LONG_SECONDS is run once. Datasets are taken one after another, all contenders of a dataset in turn, so that
a drift of the machine's speed touches all alike; the rates of the arithmetic floor (``floor.py``) are measured before
each dataset. The page is laid out by ``engine_report.py``; what is written in it between its notes markers is kept.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import torch
from engine_report import render
from floor import arithmetic, rates
from scipy.spatial.distance import cdist
from sklearn.kernel_ridge import KernelRidge
from textbook import sweep as textbook_sweep
from threadpoolctl import threadpool_info

import rfm
from bench.data.registry import load_registry
from bench.data.sources import resolve_source
from bench.data.splits import splits_for
from bench.methods import get_method
from bench.protocols import PROTOCOLS, carry_out
from bench.records.dataset import Dataset
from bench.run.provenance import commit, versions
from rfm.sweep import Sweep

RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)
POINTS = 5
RUNS, LONG_SECONDS = 3, 20.0


def published(method: str, protocol: str = "published") -> Callable[[Dataset], Any]:
    def contender(dataset: Dataset) -> Any:
        results = carry_out(get_method(method), dataset, splits_for(dataset, 0), PROTOCOLS[protocol], 0)
        return float(np.mean([result.score for result in results]))

    return contender


def textbook(dataset: Dataset) -> Any:
    splits = splits_for(dataset, 0)
    return textbook_sweep(
        dataset.X, dataset.y, dataset.n_classes, splits.tuning.train, splits.tuning.test, list(splits.holdouts)
    )[0]


def laplace_grid(dataset: Dataset) -> Any:
    """Our Laplace grid on the tuning halves, for comparison with :func:`kernel_ridge`."""
    tuning = splits_for(dataset, 0).tuning
    sweep = Sweep(dataset.X, np.eye(dataset.n_classes)[dataset.y])
    points = sweep.points(tuning.train, tuning.test, ridges=RIDGES, unit_norms=(True, False), iterations=0)
    return max(float(np.mean(p.scores.argmax(1) == dataset.y[tuning.test])) for p in points)


def kernel_ridge(dataset: Dataset) -> Any:
    """scikit-learn's KernelRidge on the same grid, rows and kernel (precomputed once per row norm)."""
    tuning = splits_for(dataset, 0).tuning
    onehot = np.eye(dataset.n_classes)[dataset.y[tuning.train]]
    best = 0.0
    for unit_norm in (True, False):
        norms = np.linalg.norm(dataset.X, axis=1, keepdims=True)
        X = dataset.X / np.where(norms > 0, norms, 1.0) if unit_norm else dataset.X
        K = np.exp(-cdist(X[tuning.train], X[tuning.train]) / 10.0)
        between = np.exp(-cdist(X[tuning.test], X[tuning.train]) / 10.0)
        for ridge in RIDGES:
            model = KernelRidge(alpha=ridge, kernel="precomputed").fit(K, onehot)
            scores = model.predict(between)
            best = max(best, float(np.mean(scores.argmax(1) == dataset.y[tuning.test])))
    return best


def our_grid(dataset: Dataset) -> Any:
    """Our whole grid on the tuning halves, all chains in one sweep: for comparison with :func:`xrfm_chains`."""
    tuning = splits_for(dataset, 0).tuning
    sweep = Sweep(dataset.X, np.eye(dataset.n_classes)[dataset.y])
    for _ in sweep.points(tuning.train, tuning.test, ridges=RIDGES, unit_norms=(True, False), iterations=4):
        pass


def our_chains(dataset: Dataset) -> Any:
    """CPU seconds of every single chain of ours, each run by itself as xRFM's are."""
    tuning = splits_for(dataset, 0).tuning
    seconds = []
    for ridge in RIDGES:
        for unit_norm in (True, False):
            started = time.process_time()
            sweep = Sweep(dataset.X, np.eye(dataset.n_classes)[dataset.y])
            for _ in sweep.points(tuning.train, tuning.test, ridges=(ridge,), unit_norms=(unit_norm,), iterations=4):
                pass
            seconds.append(time.process_time() - started)
    return seconds


def xrfm_chains(dataset: Dataset) -> Any:
    """The same chains by the ``xrfm`` package: full metric, five fits, four updates, Cholesky, no early stop."""
    from xrfm import RFM

    tuning = splits_for(dataset, 0).tuning
    onehot = torch.from_numpy(np.eye(dataset.n_classes, dtype=np.float32)[dataset.y])
    seconds = []
    for ridge in RIDGES:
        for unit_norm in (True, False):
            norms = np.linalg.norm(dataset.X, axis=1, keepdims=True)
            X = dataset.X / np.where(norms > 0, norms, 1.0) if unit_norm else dataset.X
            rows = torch.from_numpy(X.astype(np.float32))
            started = time.process_time()
            model = RFM(
                kernel="l2", iters=POINTS - 1, bandwidth=10.0, device="cpu", verbose=False, tuning_metric="accuracy"
            )
            model.fit(
                (rows[tuning.train], onehot[tuning.train]),
                (rows[tuning.test], onehot[tuning.test]),
                reg=ridge,
                solver="cholesky",
                early_stop_rfm=False,
            )
            seconds.append(time.process_time() - started)
    return seconds


CONTENDERS: dict[str, Callable[[Dataset], Any]] = {
    "ours": published("rfm"),
    "textbook": textbook,
    "ours_clean": published("rfm", "clean"),
    "laplace_grid": laplace_grid,
    "kernel_ridge": kernel_ridge,
    "our_grid": our_grid,
    "our_chains": our_chains,
    "xrfm_chains": xrfm_chains,
}


def measure(contender: Callable[[Dataset], Any], dataset: Dataset) -> dict[str, Any]:
    """Run one contender in a forked process: CPU and wall seconds, memory above the start in MB, what it returned."""
    receive, send = multiprocessing.get_context("fork").Pipe(duplex=False)

    def work() -> None:
        torch.set_num_threads(1)
        before = resource.getrusage(resource.RUSAGE_SELF)
        wall = time.perf_counter()
        value = contender(dataset)
        after = resource.getrusage(resource.RUSAGE_SELF)
        send.send(
            {
                "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
                "wall": time.perf_counter() - wall,
                "mb": max(0.0, (after.ru_maxrss - before.ru_maxrss) / 1024),
                "value": value,
            }
        )

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    send.close()
    try:
        result: dict[str, Any] = receive.recv()
    except EOFError:
        result = {"cpu": float("nan"), "wall": float("nan"), "mb": float("nan"), "value": None}
    process.join()
    return result


def measured(contender: Callable[[Dataset], Any], dataset: Dataset) -> dict[str, Any]:
    """The median of each figure over RUNS runs, of one if that is long; lists of seconds entry by entry."""
    runs = [measure(contender, dataset)]
    while len(runs) < RUNS and runs[0]["cpu"] < LONG_SECONDS:
        runs.append(measure(contender, dataset))
    value = runs[0]["value"]
    if isinstance(value, list):
        value = [statistics.median(seconds) for seconds in zip(*(run["value"] for run in runs), strict=True)]
    return {key: statistics.median(run[key] for run in runs) for key in ("cpu", "wall", "mb")} | {"value": value}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", help="the study's archive (default: BENCH_ARCHIVE or the embedded tables)")
    parser.add_argument("--subset", default="small90")
    parser.add_argument("--only", help="contenders, separated by commas")
    parser.add_argument("--resume", action="store_true", help="keep what the JSON file beside --out holds")
    parser.add_argument("--merge", type=Path, nargs="+", help="measure nothing; make the page from these files")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/engine.md"))
    args = parser.parse_args()
    if args.merge:
        parts = [json.loads(path.read_text()) for path in args.merge]
        rows = sorted((row for part in parts for row in part), key=lambda row: row["n"])
        names = [name for name in CONTENDERS if name in rows[0]]
        write_page(args.out, rows, names, args.subset)
        return
    for method in ("rfm", "laplace"):
        get_method(method)  # imported before the first fork, so that no contender pays for it
    registry = load_registry()
    entries = registry.select(args.subset)
    source = resolve_source(registry, entries, args.archive)
    names = args.only.split(",") if args.only else list(CONTENDERS)
    kept = args.out.with_suffix(".json")
    rows = json.loads(kept.read_text()) if args.resume and kept.exists() else []
    done = {row["dataset"] for row in rows}
    for entry in sorted((entry for entry in entries if entry.name not in done), key=lambda entry: entry.rows):
        dataset = source.load(entry)
        row: dict[str, Any] = {
            "dataset": entry.name,
            "source": source.name,
            "n": len(dataset.y),
            "d": dataset.X.shape[1],
            "c": dataset.n_classes,
            "arithmetic": asdict(arithmetic(dataset, splits_for(dataset, 0))),
            "rates": rates(),
            "load": os.getloadavg()[0],
            "made_with": made_with(),
        }
        for name in names:
            row[name] = measured(CONTENDERS[name], dataset)
        rows = sorted([*rows, row], key=lambda row: row["n"])
        kept.write_text(json.dumps(rows, indent=1))
        print(entry.name, {name: round(row[name]["cpu"], 3) for name in names}, flush=True)
    write_page(args.out, rows, names, args.subset)
    print(args.out)


def made_with() -> str:
    """Engine and BLAS kernels, library versions and commit."""
    found = versions()
    libraries = ", ".join(f"{name} {found[name]}" for name in ("torch", "numpy", "scipy", "scikit-learn"))
    pools = {f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
             for pool in threadpool_info() if pool["user_api"] == "blas"}  # fmt: skip
    blas = ", ".join(sorted({*pools, *(["mkl in torch"] if torch.backends.mkl.is_available() else [])}))
    return f"{rfm.engine()}; {libraries}; BLAS at hand: {blas}; commit {str(commit())[:12]}"


def write_page(out: Path, rows: list[dict[str, Any]], names: list[str], subset: str) -> None:
    """Write the page of ``rows`` to ``out``; the notes of the page that stood there stay."""
    out.write_text(render(rows, names, subset, out.read_text() if out.exists() else ""))


if __name__ == "__main__":
    main()
