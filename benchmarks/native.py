"""CPU-seconds of the native engine against the Python engine, in pairs in one process.

    python benchmarks/native.py [--archive PATH] [--subset embedded] [--rows 2400] [--out benchmarks/native.md]

Each row takes both engines in turn; what is short is repeated and the least counts. Grids are whole ones (five ridges,
rows of unit norm and not, four updates) on generated rows; protocols run on a dataset's published folds, and what both
engines select is compared.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import torch

import rfm
from bench.data.registry import load_registry
from bench.data.sources import resolve_source
from bench.data.splits import splits_for
from bench.methods import get_method
from bench.protocols import PROTOCOLS, carry_out
from bench.run.provenance import commit, cpu_model, versions
from rfm.sweep import Sweep

ENGINES = ("python", "native")
RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)
SIZES = (
    (10, 5, 2), (50, 10, 3), (100, 20, 3), (200, 10, 3), (200, 60, 10), (300, 20, 5), (480, 20, 3), (480, 60, 10),
    (625, 20, 3), (625, 60, 10), (1250, 5, 2), (1250, 30, 4), (1250, 60, 10),
    (2500, 5, 2), (2500, 20, 3), (2500, 60, 10),
)  # fmt: skip
SHORT_SECONDS, REPEATS = 0.5, 5
BANDS = ((0, 200), (200, 500), (500, 1000), (1000, 1500), (1500, 3000), (3000, 10_000))


def seconds(work: dict[str, Callable[[], Any]]) -> tuple[dict[str, float], dict[str, Any]]:
    """Least CPU-seconds of each, taken in turn, and what each returned."""
    least: dict[str, float] = {}
    values: dict[str, Any] = {}
    for _ in range(REPEATS):
        for name, call in work.items():
            started = time.process_time()
            values[name] = call()
            least[name] = min(least.get(name, np.inf), time.process_time() - started)
        if max(least.values()) > SHORT_SECONDS:
            break
    return least, values


def grids() -> list[str]:
    """Rows of the table of generated grids."""
    lines = [
        "| fitted and other rows | features | classes | Python, s | native, s | ratio |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for n, d, c in SIZES:
        draws = np.random.default_rng(0)
        X = draws.normal(size=(2 * n, d))
        labels = ((X[:, 0] > 0) + (X[:, 1] > 0.3) + (draws.random(2 * n) < 0.1) * draws.integers(0, c, 2 * n)) % c
        sweeps = {name: Sweep(X, np.eye(c)[labels], engine=name) for name in ENGINES}

        def grid(sweep: Sweep, n: int = n) -> int:
            rows = np.arange(n), np.arange(n, 2 * n)
            return len(list(sweep.points(*rows, ridges=RIDGES, unit_norms=(True, False), iterations=4)))

        took, _ = seconds({name: lambda sweep=sweep: grid(sweep) for name, sweep in sweeps.items()})  # type: ignore[misc]
        lines.append(f"| {n:,} | {d} | {c} | {took['python']:.4f} | {took['native']:.4f} | {ratio(took):.2f} |")
        print(lines[-1], flush=True)
    return lines


def sweeps(subset: str, archive: str | None, most: int) -> list[str]:
    """Rows of the table of protocols, by the size of the tables."""
    registry = load_registry()
    entries = [entry for entry in registry.select(subset) if entry.rows <= most]
    source = resolve_source(registry, entries, archive)
    found: list[tuple[str, int, dict[str, float], int, int]] = []
    for entry in sorted(entries, key=lambda entry: entry.rows):
        dataset = source.load(entry)
        splits = splits_for(dataset, 0)
        for protocol in ("published", "clean"):

            def run(engine: str, protocol: str = protocol, dataset: Any = dataset, splits: Any = splits) -> Any:
                os.environ["RFM_ENGINE"] = engine
                return carry_out(get_method("rfm"), dataset, splits, PROTOCOLS[protocol], 0)

            took, results = seconds({name: lambda name=name: run(name) for name in ENGINES})  # type: ignore[misc]
            pairs = list(zip(*(results[name] for name in ENGINES), strict=True))
            same = sum((a.config, a.iteration) == (b.config, b.iteration) for a, b in pairs)
            found.append((protocol, entry.rows, took, same, len(pairs)))
            print(entry.name, protocol, {k: round(v, 4) for k, v in took.items()}, f"{same}/{len(pairs)}", flush=True)
    os.environ.pop("RFM_ENGINE", None)
    lines = [
        f"Of `{subset}`, datasets of at most {most:,} rows, from the source `{source.name}`.",
        "",
        "| protocol | rows of the dataset | datasets | Python, s | native, s | ratio | folds with the same choice |",
        "|:--|:--|--:|--:|--:|--:|--:|",
    ]
    for protocol in ("published", "clean"):
        for low, high in (*BANDS, (0, most)):
            part = [row for row in found if row[0] == protocol and low < row[1] <= high]
            if part:
                took = {name: sum(row[2][name] for row in part) for name in ENGINES}
                same, folds = (sum(row[k] for row in part) for k in (3, 4))
                bounds = f"{low + 1:,} to {high:,}" if low else f"up to {high:,}"
                lines.append(
                    f"| {protocol} | {bounds} | {len(part)} | {took['python']:.2f} | {took['native']:.2f} "
                    f"| {ratio(took):.2f} | {same} of {folds} |"
                )
    return lines


def ratio(took: dict[str, float]) -> float:
    """Native over Python."""
    return took["native"] / took["python"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", default=os.environ.get("BENCH_ARCHIVE"))
    parser.add_argument("--subset", default="embedded")
    parser.add_argument("--rows", type=int, default=2400, help="of larger tables none (default: 2400)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/native.md"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    engine = rfm.engine(choice="native")
    libraries = ", ".join(
        f"{name} {version}" for name, version in versions().items() if name in ("numpy", "scipy", "torch")
    )
    how = "`python benchmarks/native.py`: CPU-seconds of both in turn in one process, one thread"
    text = [
        "# The native engine against the Python engine",
        "",
        f"{how}.",
        f"{cpu_model()}; {engine}; {libraries}; commit {str(commit())[:12]}.",
        "",
        "## Whole grids",
        "",
        *grids(),
        "",
        "## Protocols",
        "",
        *sweeps(args.subset, args.archive, args.rows),
    ]
    args.out.write_text("\n".join(text) + "\n")
    print(args.out)


if __name__ == "__main__":
    main()
