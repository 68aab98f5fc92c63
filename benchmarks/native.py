"""CPU-seconds of the native engine against the Python engine, in pairs in one process.

    python benchmarks/native.py [--archive PATH] [--subset small90] [--rows 2500] [--out benchmarks/native.md]

Each row takes both engines in turn; what is short is repeated and the least counts. Grids are whole ones (five ridges,
rows of unit norm and not, four updates) on generated rows; protocols run on a dataset's published folds, and what both
engines select is compared. Test folds where they select differently are listed, with both choices' figures on the
validation rows as the Python engine has them.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
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
from bench.records.method import HoldoutResult
from bench.run.provenance import commit, cpu_model, versions
from rfm.sweep import Sweep

ENGINES = ("python", "native")
RIDGES = (10.0, 1.0, 0.1, 0.01, 0.001)
SIZES = (
    (10, 5, 2), (50, 10, 3), (100, 20, 3), (200, 10, 3), (200, 60, 10), (300, 20, 5), (480, 20, 3), (480, 60, 10),
    (625, 20, 3), (625, 60, 10), (1250, 5, 2), (1250, 30, 4), (1250, 60, 10),
    (2500, 5, 2), (2500, 20, 3), (2500, 60, 10),
)  # fmt: skip
SHORT_SECONDS, SHORT_PROTOCOL, REPEATS = 0.5, 0.1, 5
METHODS, COMPARED_PROTOCOLS = ("rfm", "laplace", "ntk"), ("published", "clean", "clean-cv")
BANDS = ((0, 200), (200, 500), (500, 1000), (1000, 1500), (1500, 3000), (3000, 10_000))


def seconds(
    work: dict[str, Callable[[], Any]], short: float = SHORT_SECONDS
) -> tuple[dict[str, float], dict[str, Any]]:
    """Least CPU-seconds of each, taken in turn, and what each returned; what takes over ``short`` is run once."""
    least: dict[str, float] = {}
    values: dict[str, Any] = {}
    for _ in range(REPEATS):
        for name, call in work.items():
            started = time.process_time()
            values[name] = call()
            least[name] = min(least.get(name, np.inf), time.process_time() - started)
        if max(least.values()) > short:
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


@dataclass(frozen=True)
class Compared:
    """A method under a protocol on a dataset of so many ``rows``: CPU-seconds by engine, test folds, lines on those
    with different choices."""

    method: str
    protocol: str
    rows: int
    took: dict[str, float]
    folds: int
    apart: list[str]


def compare(subset: str, archive: str | None, most: int) -> tuple[str, list[Compared]]:
    """The source's name, and every method under every protocol on every dataset of at most ``most`` rows."""
    registry = load_registry()
    entries = [entry for entry in registry.select(subset) if entry.rows <= most]
    source = resolve_source(registry, entries, archive)
    found = []
    for entry in sorted(entries, key=lambda entry: entry.rows):
        dataset = source.load(entry)
        splits = splits_for(dataset, 0)
        for method, protocol in product(METHODS, COMPARED_PROTOCOLS):

            def run(
                engine: str,
                method: str = method,
                protocol: str = protocol,
                dataset: Any = dataset,
                splits: Any = splits,
            ) -> list[HoldoutResult]:
                os.environ["RFM_ENGINE"] = engine
                return carry_out(get_method(method), dataset, splits, PROTOCOLS[protocol], 0)

            took, results = seconds({name: lambda name=name: run(name) for name in ENGINES}, SHORT_PROTOCOL)  # type: ignore[misc]
            pairs = list(zip(*(results[name] for name in ENGINES), strict=True))
            apart = [
                f"{entry.name}, {p.holdout} | {apart_in_words(p, n, pairs[0][0])}" for p, n in pairs if differ(p, n)
            ]
            found.append(Compared(method, protocol, entry.rows, took, len(pairs), apart))
            print(
                entry.name, method, protocol, {k: round(v, 4) for k, v in took.items()}, len(pairs), apart, flush=True
            )
    os.environ.pop("RFM_ENGINE", None)
    return source.name, found


def differ(python: HoldoutResult, native: HoldoutResult) -> bool:
    """Whether both engines select differently."""
    return (python.config, python.iteration) != (native.config, native.iteration)


def apart_in_words(python: HoldoutResult, native: HoldoutResult, first: HoldoutResult) -> str:
    """Both choices, how much worse the second is on the validation rows, and by how much test accuracies differ.

    Where one choice is made for all test folds, its path is with the ``first``.
    """
    figures = {
        (json.dumps(dict(row["config"]), sort_keys=True), iteration): (score, error)
        for row in (python.path or first.path)
        for iteration, score, error in zip(row["iterations"], row["score"], row["squared_error"], strict=True)
    }
    chosen = [figures[json.dumps(each.config, sort_keys=True), each.iteration] for each in (python, native)]
    names = [f"{json.dumps(each.config)}, iteration {each.iteration}" for each in (python, native)]
    accuracy, error = (b - a for a, b in zip(*chosen, strict=True))
    return f"{names[0]} | {names[1]} | {accuracy:+.4f} | {error:+.1e} | {native.score - python.score:+.2f}"


def protocols(subset: str, archive: str | None, most: int) -> list[str]:
    """The tables of protocols, by the size of the datasets, and of test folds where the engines select differently."""
    source, found = compare(subset, archive, most)
    lines = [
        f"Of `{subset}`, datasets of at most {most:,} rows, from the source `{source}`.",
        "",
        "| method | protocol | rows of the dataset | datasets | Python, s | native, s | ratio | same choice, folds |",
        "|:--|:--|:--|--:|--:|--:|--:|--:|",
    ]
    for method, protocol in product(METHODS, COMPARED_PROTOCOLS):
        for low, high in (*BANDS, (0, most)):
            part = [r for r in found if (r.method, r.protocol) == (method, protocol) and low < r.rows <= high]
            if part:
                took = {name: sum(row.took[name] for row in part) for name in ENGINES}
                folds = sum(row.folds for row in part)
                same = folds - sum(len(row.apart) for row in part)
                bounds = f"{low + 1:,} to {high:,}" if low else f"up to {high:,}"
                lines.append(
                    f"| {method} | {protocol} | {bounds} | {len(part)} | {took['python']:.2f} | {took['native']:.2f} "
                    f"| {ratio(took):.2f} | {same:,} of {folds:,} |"
                )
    folds = sum(row.folds for row in found)
    same = folds - sum(len(row.apart) for row in found)
    lines += [
        "",
        f"In all {same:,} of {folds:,} test folds have the same choice ({100 * same / folds:.2f} %).",
    ]
    if same < folds:
        lines += [
            "",
            "The others, with what the native engine's choice gains in accuracy (points) and in the Brier score on the "
            "validation rows, both as the Python engine has them, and in accuracy on the test fold:",
            "",
            "| method | protocol | dataset, fold | Python's choice | native's | accuracy | Brier score | tested |",
            "|:--|:--|:--|:--|:--|--:|--:|--:|",
            *(f"| {row.method} | {row.protocol} | {line} |" for row in found for line in row.apart),
        ]
    return lines


def ratio(took: dict[str, float]) -> float:
    """Native over Python."""
    return took["native"] / took["python"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", default=os.environ.get("BENCH_ARCHIVE"))
    parser.add_argument("--subset", default="small90")
    parser.add_argument("--rows", type=int, default=2500, help="of larger datasets none (default: 2500)")
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
        *protocols(args.subset, args.archive, args.rows),
    ]
    args.out.write_text("\n".join(text) + "\n")
    print(args.out)


if __name__ == "__main__":
    main()
