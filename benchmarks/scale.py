"""Large tables: seconds, memory and accuracy of one configuration as the number of fitted rows grows.

    python benchmarks/scale.py --archive PATH [--only rfm,laplace] [--tables connect-4] [--most 32000]
    python benchmarks/scale.py --render                # the page from what has been measured

Every measurement is a process of its own with one BLAS thread: CPU seconds of fitting and scoring (imports and reading
left out) and the process's peak memory. Each is appended to benchmarks/scale.jsonl; those that are there are not made
again, so the command can be stopped and repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
from numpy.typing import NDArray

SIZES = (1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 130_064)
SYNTHETIC = "synthetic"
"""Stands in for miniboone, which the archive's copies often lack: 130,064 rows, 50 features, 2 classes."""
TABLES = ("connect-4", "statlog-shuttle", "adult", SYNTHETIC)
COMPARED = ("letter", "magic", "chess-krvk")
"""Further tables on which solvers are held against the direct solution, at full size."""
TEST_ROWS = 5000
RIDGE, UPDATES = 0.1, 4
LIMIT_SECONDS = 3 * 3600


@dataclass(frozen=True)
class Case:
    """One measurement: ``contender`` fitted on ``n`` rows of ``table``."""

    table: str
    n: int
    contender: str


@dataclass(frozen=True)
class Split:
    """Standardised rows and labels: ``n`` rows to fit, the others to test."""

    X: NDArray[np.float64]
    y: NDArray[np.int64]
    n: int

    @property
    def onehot(self) -> NDArray[np.float64]:
        return np.eye(int(self.y.max()) + 1)[self.y]

    @property
    def train(self) -> NDArray[np.int64]:
        return np.arange(self.n)

    @property
    def test(self) -> NDArray[np.int64]:
        return np.arange(self.n, len(self.X))


Outcome = tuple[NDArray[np.float64], dict[str, Any]]
"""Scores of the test rows, and what else is worth recording."""


def machine(updates: int, solver: str = "auto", cache: int | None = None) -> Callable[[Split], Outcome]:
    """RFM with ``updates`` M updates as the harness fits it, or by one ``solver`` whatever the size."""

    def fit(split: Split) -> Outcome:
        from rfm.large import LargeSweep, chains_of
        from rfm.problem import Problem

        options = {} if cache is None else {"cache_bytes": cache}
        problem = Problem(split.X, split.onehot, solver=solver, **options)
        chains = chains_of(problem, split.n)
        if solver == "cholesky":  # beyond Sweep's limit too
            chains = LargeSweep(split.X, split.onehot, solver=solver)
        point = chains.fit(split.train, split.test, ridge=RIDGE, unit_norm=False, iterations=updates)
        return point.scores, {"solver": point.solver, **point.account}

    return fit


def nystroem(split: Split) -> Outcome:
    """scikit-learn's Nystroem features of a Gaussian kernel (1000 of them, gamma = 1 / d) and its Ridge."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    features = Nystroem(gamma=1.0 / split.X.shape[1], n_components=min(1000, split.n), random_state=0)
    model = make_pipeline(features, Ridge(alpha=RIDGE)).fit(split.X[: split.n], split.onehot[: split.n])
    return model.predict(split.X[split.n :]), {}


def xrfm(split: Split) -> Outcome:
    """The ``xrfm`` package on the CPU: the same kernel, bandwidth, ridge and number of updates, Cholesky.

    It wants validation rows: a twentieth of the rows, at most 1,000, which it does not fit.
    """
    import torch
    from xrfm import RFM

    X, Y = torch.from_numpy(split.X).float(), torch.from_numpy(split.onehot).float()
    held = min(1000, split.n // 20)
    fitted = split.n - held
    model = RFM(kernel="l2", iters=UPDATES, bandwidth=10.0, device="cpu", verbose=False, tuning_metric="accuracy")
    model.fit((X[:fitted], Y[:fitted]), (X[fitted : split.n], Y[fitted : split.n]), reg=RIDGE, early_stop_rfm=False)
    return np.asarray(model.predict(X[split.n :]).cpu()), {}


@dataclass(frozen=True)
class Contender:
    """How it is called on the page, what it does, and the most rows it is tried on."""

    title: str
    fit: Callable[[Split], Outcome] | None
    most: int = 130_064


CONTENDERS = {
    "rfm": Contender("RFM, 4 updates", machine(UPDATES)),
    "laplace": Contender("Laplace", machine(0)),
    "laplace-anew": Contender("Laplace, CG, nothing kept", machine(0, "cg", 0)),
    "laplace-direct": Contender("Laplace, Cholesky", machine(0, "cholesky"), most=32_000),
    "laplace-eigenpro": Contender("Laplace, EigenPro", machine(0, "eigenpro")),
    "rfm-direct": Contender("RFM, Cholesky", machine(UPDATES, "cholesky"), most=16_000),
    "rfm-eigenpro": Contender("RFM, EigenPro", machine(UPDATES, "eigenpro")),
    "nystroem": Contender("scikit-learn Nystroem", nystroem),
    "xrfm": Contender("xrfm, CPU", xrfm, most=16_000),
    "rfm-before": Contender("RFM, before", None),
    "laplace-before": Contender("Laplace, before", None),
}
"""Those without a function are measurements of an earlier state of the code, whose commit the log has."""
CURVE = ("nystroem", "laplace", "rfm", "xrfm", "laplace-eigenpro", "laplace-direct", "laplace-anew", "rfm-direct")
EXTRA_CASES = (
    *(Case(table, 0, name) for table in COMPARED for name in ("laplace", "laplace-direct", "laplace-eigenpro")),
    *(Case(table, 0, name) for table in COMPARED for name in ("rfm", "rfm-direct")),
    *(Case("connect-4", 0, name) for name in ("laplace", "rfm")),
    *(Case(table, 16_000, "rfm-eigenpro") for table in TABLES),
    *(Case(table, 32_000, "rfm-eigenpro") for table in TABLES),
)
"""``n`` = 0: three quarters of the table, as a test fold has."""


def read_table(name: str, archive: str | None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rows in random order, and labels."""
    draws = np.random.default_rng(0)
    if name == SYNTHETIC:
        # Two classes told apart by a few directions of many, not linearly, with a tenth of the labels at random.
        n, d = 130_064 + TEST_ROWS, 50
        X = draws.standard_normal((n, d)) * np.linspace(2.0, 0.2, d)
        signal = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] / 3 + (X[:, 3] > 1) - 0.3
        y = np.where(draws.random(n) < 0.1, draws.integers(0, 2, n), (signal > 0).astype(np.int64))
        return X, y.astype(np.int64)
    from bench.data.registry import load_registry
    from bench.data.sources import resolve_source

    registry = load_registry()
    entries = registry.select(name)
    dataset = resolve_source(registry, entries, archive).load(entries[0])
    order = draws.permutation(len(dataset.y))
    return dataset.X[order], dataset.y[order]


def split_of(case: Case, archive: str | None) -> Split | None:
    """The case's rows; None if the table has too few."""
    X, y = read_table(case.table, archive)
    n = case.n or round(0.75 * len(X))
    if case.table != SYNTHETIC and case.n and n > 0.75 * len(X):
        return None
    tested = len(X) - n if not case.n else min(TEST_ROWS, len(X) - n)
    keep = np.concatenate([np.arange(n), np.arange(len(X) - tested, len(X))])  # the same test rows at every size
    X, y = X[keep], y[keep]
    deviation = X[:n].std(axis=0, ddof=1)
    X = np.where(deviation > 0, (X - X[:n].mean(axis=0)) / np.where(deviation > 0, deviation, 1.0), 0.0)
    return Split(X, y, n)


def measure_here(case: Case, archive: str | None) -> dict[str, Any]:
    """Make one measurement in this process, which should be a fresh one."""
    import torch

    from bench.run.processes import status_bytes
    from bench.run.provenance import commit, cpu_model
    from rfm.engines import engine

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    split = split_of(case, archive)
    if split is None:
        return {**asdict(case), "status": "too few rows"}
    wall, cpu = time.perf_counter(), time.process_time()
    fit = CONTENDERS[case.contender].fit
    assert fit is not None
    scores, account = fit(split)
    return {
        **asdict(case),
        "status": "ok",
        "rows": split.n,
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "peak_mb": status_bytes("VmHWM") / 2**20,
        "accuracy": 100 * float(np.mean(scores.argmax(axis=1) == split.y[split.n :])),
        "account": account,
        "cpu_model": cpu_model(),
        "engine": str(engine()),
        "load": os.getloadavg()[0],
        "commit": commit(),
    }


def measure(case: Case, archive: str | None) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--one", json.dumps(asdict(case))]
    if archive:
        command += ["--archive", archive]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {**asdict(case), "status": f"more than {LIMIT_SECONDS} s"}
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
        return {**asdict(case), "status": f"failed: {reason[:200]}"}
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", help="the study's archive (default: BENCH_ARCHIVE)")
    parser.add_argument("--only", help="contenders, separated by commas")
    parser.add_argument("--tables", help="tables, separated by commas")
    parser.add_argument("--least", type=int, default=0, help="leave out smaller sizes")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="leave out larger sizes")
    parser.add_argument("--render", action="store_true", help="measure nothing; make the page")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    args = parser.parse_args()
    archive = args.archive or os.environ.get("BENCH_ARCHIVE")
    if args.one:
        print(json.dumps(measure_here(Case(**json.loads(args.one)), archive)))
        return
    log = args.out.with_suffix(".jsonl")
    if not args.render:
        for case in wanted(args, {(row["table"], row["n"], row["contender"]) for row in read_log(log)}):
            row = measure(case, archive)
            with log.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print({key: value for key, value in row.items() if key != "account"}, flush=True)
    from scale_page import draw, render

    rows, titles = read_log(log), {name: contender.title for name, contender in CONTENDERS.items()}
    folder = args.out.with_suffix("")
    folder.mkdir(exist_ok=True)
    files = draw(rows, titles)
    for name, drawing in files.items():
        (folder / name).write_text(drawing, encoding="utf-8")
    args.out.write_text(render(rows, titles, [f"{folder.name}/{name}" for name in files]), encoding="utf-8")
    print(args.out)


def wanted(args: argparse.Namespace, measured: set[tuple[str, int, str]]) -> list[Case]:
    """The cases asked for and not measured, small ones first."""
    curve = [Case(table, n, name) for n in SIZES for name in CURVE for table in TABLES]
    return [
        case
        for case in (*curve, *EXTRA_CASES)
        if (case.table, case.n, case.contender) not in measured
        and case.n <= CONTENDERS[case.contender].most
        and (not case.n or args.least <= case.n <= args.most)
        and (not args.only or case.contender in args.only.split(","))
        and (not args.tables or case.table in args.tables.split(","))
    ]


def read_log(path: Path) -> list[dict[str, Any]]:
    """The measurements made so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
