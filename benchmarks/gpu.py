"""RFM and the other methods on a GPU: tests, speed, memory, waits of the host, parity with the processor.

    python benchmarks/gpu.py [--minutes 12] [--only grids,syncs] [--out benchmarks/gpu.md]
    python benchmarks/gpu.py --render                 # the page from what has been measured
    python benchmarks/gpu.py --device cpu --out PAGE  # a trial of the script itself, on small tables

Every part is a process of its own with a time limit; together they end within ``--minutes``. Each figure is appended
next to the page (``gpu.jsonl``) as soon as it is measured, and the page is written after each part: what is killed
loses only what it had not finished. Without a GPU the page says that nothing was measured. Tables are generated.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a checkout that is not installed serves too

import numpy as np
import torch
from gpu_page import PARTS, page

import rfm
from bench.data.splits import first_folds, splits_for
from bench.errors import UsageError
from bench.methods import get_method
from bench.protocols import PROTOCOLS, carry_out
from bench.records.dataset import Dataset
from bench.run.devices import described
from bench.run.provenance import commit, cpu_model
from rfm import arrays
from rfm.kernels import Laplace
from rfm.large import LargeSweep
from rfm.solvers.blocks import RadialBlocks
from rfm.solvers.eigenpro import EigenPro
from rfm.sweep import Sweep

RIDGES, UPDATES = (10.0, 1.0, 0.1, 0.01, 0.001), 4
GRID = {"ridges": RIDGES, "unit_norms": (True, False), "iterations": UPDATES}
CHAIN = {"ridges": (0.1,), "unit_norms": (False,), "iterations": UPDATES}
LARGE = (130_064, 50)
METHODS = ("rfm", "laplace", "ntk", "mlp", "xgboost")
BLOCK_MB = (1, 16, 64, 256, 1024)
BATCHES = (512, 1024, 2048, 4096, 8192)

Record = dict[str, Any]


def waveform(rows: int, seed: int = 0) -> Dataset:
    """Breiman's waveforms: 21 features, mixtures of two of three triangles and noise, 3 classes."""
    draws = np.random.default_rng(seed)
    places = np.arange(1, 22)
    triangles = np.stack([np.maximum(6 - np.abs(places - middle), 0) for middle in (11, 15, 7)])
    y = draws.integers(0, 3, rows)
    pairs = np.array([(0, 1), (0, 2), (1, 2)])[y]
    share = draws.random((rows, 1))
    X = share * triangles[pairs[:, 0]] + (1 - share) * triangles[pairs[:, 1]] + draws.standard_normal((rows, 21))
    return Dataset("waveform-like", X, y, 3, "drawn")


def spambase(rows: int, seed: int = 0) -> Dataset:
    """57 features that are mostly 0, else of a heavy tail, as shares of words are; 2 classes, rows that coincide."""
    draws = np.random.default_rng(seed)
    y = (draws.random(rows) < 0.4).astype(np.int64)
    often = np.where(y[:, None] == 1, draws.random(57), draws.random(57)) * 0.4
    X = (draws.random((rows, 57)) < often) * draws.lognormal(-1.0, 1.0, (rows, 57))
    X[: rows // 20] = X[rows // 20 : 2 * (rows // 20)]
    y[: rows // 20] = y[rows // 20 : 2 * (rows // 20)]
    return Dataset("spambase-like", X, y, 2, "drawn")


def normal(rows: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal features, two classes by the sign of a product, a tenth of them at random: X and one-hot Y."""
    draws = np.random.default_rng(0)
    X = draws.standard_normal((rows, features))
    y = np.where(draws.random(rows) < 0.1, draws.integers(0, 2, rows), X[:, 0] * X[:, 1] + 0.3 * X[:, 2] > 0)
    return X, np.eye(2)[y.astype(int)]


def standardised(dataset: Dataset) -> np.ndarray:
    X = dataset.X - dataset.X.mean(axis=0)
    return np.asarray(X / np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0))


def timed(device: str, call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds of the clock, MB on the card at the peak, and what ``call`` returned."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    value = call()
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    return seconds, torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else 0.0, value


def machine(device: str, small: bool) -> Iterator[Record]:
    """What is measured on."""
    torch.zeros(1, device=device)
    yield {
        **described(device),
        "processor": cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "engine": str(rfm.engine()),
        "commit": commit(),
        "trial": small,
    }


def tests(device: str, small: bool) -> Iterator[Record]:
    """The tests that need CUDA (in a trial they skip)."""
    for words in (["tests/rfm/test_cuda.py"], ["tests/methods/test_mlp.py", "tests/run/test_devices.py", "-k", "gpu"]):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": paths}
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
        lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or [""]
        failed = [line[:200] for line in lines if line.startswith(("FAILED", "ERROR"))]
        yield {"files": " ".join(words), "summary": lines[-1].strip("= "), "code": done.returncode, "failed": failed}


def syncs(device: str, small: bool) -> Iterator[Record]:
    """How often the host waits for the device in one chain, and where, as PyTorch's debug mode warns."""
    for n in (300, 600) if small else (500, 2000, 8000):
        X, Y = normal(2 * n, 20)
        sweep = Sweep(X, Y, device=device, engine="python")
        rows = np.arange(n), np.arange(n, 2 * n)
        list(sweep.points(*rows, **CHAIN))
        places: Counter[str] = Counter()

        def place(message: Any, *_: Any, places: Counter[str] = places, **__: Any) -> None:
            if "called a synchronizing" not in str(message):
                return
            own = [f for f in traceback.extract_stack() if f"{os.sep}rfm{os.sep}" in f.filename]
            places[f"{Path(own[-1].filename).name}, {own[-1].name}" if own else "elsewhere"] += 1

        with warnings.catch_warnings(), mock.patch("warnings.showwarning", place):
            warnings.simplefilter("always")
            if device == "cuda":
                torch.cuda.set_sync_debug_mode("warn")
            seconds, _, points = timed(device, lambda s=sweep, r=rows: list(s.points(*r, **CHAIN)))  # type: ignore[misc]
        if device == "cuda":
            torch.cuda.set_sync_debug_mode("default")
        yield {"rows": n, "points": len(points), "waits": sum(places.values()), "where": places, "seconds": seconds}


def grids(device: str, small: bool) -> Iterator[Record]:
    """Whole grids on the GPU, twice, and on the processor with all cores."""
    sizes = (300,) if small else (1000, 3000, 8000)
    for make in (waveform, spambase):
        for n in sizes:
            dataset = make(2 * n)
            X, Y = standardised(dataset), np.eye(dataset.n_classes)[dataset.y]
            rows = np.arange(n), np.arange(n, 2 * n)
            record: Record = {"table": dataset.name, "rows": n, "features": X.shape[1]}
            sweep = Sweep(X, Y, device=device)
            for name in ("first", "again"):
                seconds, peak, points = timed(device, lambda s=sweep, r=rows: list(s.points(*r, **GRID)))  # type: ignore[misc]
                record |= {name: seconds, "peak_mb": peak}
            record["not_cholesky"] = sum(point.solver != "cholesky" for point in points)
            if n <= 3000:
                seconds, _, others = timed("cpu", lambda X=X, Y=Y, r=rows: list(Sweep(X, Y).points(*r, **GRID)))  # type: ignore[misc]
                here, there = (
                    {(p.unit_norm, p.ridge, p.iteration): p.scores.argmax(axis=1) for p in found}
                    for found in (others, points)
                )
                apart = max(float(np.mean(here[key] != there[key])) for key in here)
                record |= {"processor": seconds, "apart": 100 * apart}
            yield record


def parity(device: str, small: bool) -> Iterator[Record]:
    """Two tables through the protocol `clean` on one fold, on both devices: choices, accuracy, seconds."""
    for dataset in (waveform(400 if small else 2000), spambase(400 if small else 2000)):
        splits = first_folds(splits_for(dataset, 0), 1)
        for name in METHODS:
            results, took = {}, {}
            try:
                get_method(name)
            except UsageError as error:  # a library that is not there
                yield {"table": dataset.name, "method": name, "missing": str(error)}
                continue
            for where in (device, "cpu"):
                job = partial(carry_out, get_method(name), dataset, splits, PROTOCOLS["clean"], 0, device=where)
                took[where], _, (results[where],) = timed(where, job)
            there, here = results[device], results["cpu"]
            yield {
                "table": dataset.name,
                "method": name,
                "same": (there.config, there.iteration) == (here.config, here.iteration),
                "choice": f"{json.dumps(there.config)} at {there.iteration}",
                "accuracy": there.score,
                "processor_accuracy": here.score,
                "seconds": took[device],
                "processor_seconds": took["cpu"],
            }


def blocks(device: str, small: bool) -> Iterator[Record]:
    """One chain by the size of blocks; EigenPro's epochs by the rows of a batch."""
    n = 400 if small else 10_000
    X, Y = normal(n + 1000, 50)
    for megabytes in BLOCK_MB:
        arrays._cuda_block_bytes.cache_clear()
        with mock.patch.object(arrays, "CUDA_BLOCK_BYTES", megabytes << 20):
            sweep = Sweep(X, Y, device=device, engine="python")

            def chain(sweep: Sweep = sweep) -> Any:
                rows = np.arange(n), np.arange(n, n + 1000)
                return list(sweep.points(*rows, ridges=(0.1,), unit_norms=(False,), iterations=2))

            chain()
            seconds, peak, _ = timed(device, chain)
            yield {"what": "chain", "rows": n, "block_mb": megabytes, "seconds": seconds, "peak_mb": peak}
    arrays._cuda_block_bytes.cache_clear()
    n = 1500 if small else 32_768
    X, Y = normal(n, 50)
    rows, targets = torch.as_tensor(X).float().to(device), torch.as_tensor(Y).to(device)
    for batch in BATCHES:
        iteration = EigenPro(RadialBlocks(Laplace(10.0), rows), targets, 0.1, seed=0, batch=batch)
        epochs = iteration.epochs(5)
        seconds, peak, last = timed(device, lambda epochs=epochs: [epoch.residual for epoch in epochs][-1])  # type: ignore[misc]
        record = {"what": "epochs", "rows": n, "batch": batch, "taken": iteration.batch}
        yield record | {"seconds": seconds / 5, "peak_mb": peak, "residual": last}


def large(device: str, small: bool) -> Iterator[Record]:
    """130,064 rows of 50 features: RFM with 0, 1 and 4 updates of the metric, accuracy on 5,000 further rows."""
    n, d = (1500, 50) if small else LARGE
    X, Y = normal(n + 5000, d)
    train, test = np.arange(n), np.arange(n, n + 5000)
    sweep = LargeSweep(X, Y, device=device, solver="cg" if small else "auto")
    for updates in (0, 1, UPDATES):
        seconds, peak, fit = timed(
            device, lambda u=updates: sweep.fit(train, test, ridge=0.1, unit_norm=False, iterations=u)
        )  # type: ignore[misc]
        accuracy = float(np.mean(fit.scores.argmax(axis=1) == Y[test].argmax(axis=1)))
        record = {"rows": n, "updates": updates, "seconds": seconds, "peak_mb": peak, "accuracy": 100 * accuracy}
        yield record | {"solver": fit.solver, "account": dict(fit.account)}


MEASURED: dict[str, Callable[[str, bool], Iterator[Record]]] = {
    "machine": machine, "tests": tests, "syncs": syncs, "grids": grids, "parity": parity, "blocks": blocks,
    "large": large,
}  # fmt: skip


def carry_out_part(name: str, device: str, results: Path) -> None:
    """Measure one part in this process, and append each figure as it comes."""
    for record in MEASURED[name](device, device == "cpu"):
        with results.open("a") as file:
            file.write(json.dumps({"part": name, **record}) + "\n")


def read_records(results: Path) -> list[Record]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=12.0, help="for all parts together (default: 12)")
    parser.add_argument("--only", help=f"parts, separated by commas: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/gpu.md"))
    parser.add_argument("--render", action="store_true", help="write the page from what has been measured")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    args = parser.parse_args()
    results = args.out.with_suffix(".jsonl")
    if args.part:
        carry_out_part(args.part, args.device, results)
        return
    if not args.render and (args.device == "cpu" or torch.cuda.is_available()):
        chosen = args.only.split(",") if args.only else list(PARTS)
        if unknown := set(chosen) - set(PARTS):
            parser.error(f"--only: no such part: {', '.join(sorted(unknown))}")
        kept = [json.dumps(r) + "\n" for r in read_records(results) if r["part"] not in {*chosen, "machine"}]
        results.write_text("".join(kept))
        measure(["machine", *chosen], args, results)
    args.out.write_text(page(read_records(results)))
    print(args.out)


def measure(chosen: list[str], args: argparse.Namespace, results: Path) -> None:
    """Run the parts one after the other, none longer than its share of what is left; write the page after each."""
    ends = time.monotonic() + 60 * args.minutes
    for name in chosen:
        limit = min(PARTS.get(name, 60) * args.minutes / 12, ends - time.monotonic())
        command = [sys.executable, __file__, "--part", name, "--device", args.device, "--out", str(args.out)]
        started, reason = time.monotonic(), ""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=max(1.0, limit), check=False)
            if done.returncode:
                reason = re.sub(r"\s+", " ", done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "")[:300]
                print(done.stderr[-3000:], file=sys.stderr)
                reason = reason or f"ended with exit code {done.returncode}"
        except subprocess.TimeoutExpired:
            reason = f"stopped after {limit:.0f} seconds"
        with results.open("a") as file:
            took = time.monotonic() - started
            file.write(json.dumps({"part": name, "ended": True, "seconds_in_all": took, "reason": reason}) + "\n")
        print(f"{name}: {took:.0f} s {reason}", flush=True)
        args.out.write_text(page(read_records(results)))


if __name__ == "__main__":
    main()
