"""Seconds of the estimators by threads of the linear algebra: as many as they take, all that there are, and one.

    python benchmarks/threads.py [--rows 500,2000] [--out benchmarks/threads.md]

Tables are drawn: 20 normal features, three classes. Each way works in a process of its own, whose environment leaves
the number of threads to the libraries; *all threads* is the same code with :mod:`rfm.threads` switched off. What is
written in the page between its notes markers is kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from engine_report import notes_of

import rfm
from bench.run.preload import THREAD_VARIABLES
from bench.run.provenance import cpu_model
from bench.run.resources import available_cores

WAYS = {"few": "as they are", "all": "all threads", "one": "one thread"}
TUNED_ROWS = 2_000
"""``RFMClassifierCV`` is measured up to so many rows."""


def measure(way: str, rows: int, tuned: bool) -> tuple[float, float]:
    """Wall-clock and CPU seconds of fitting ``rows`` and predicting as many, 8,000 at most, after a first small fit."""
    draws = np.random.default_rng(0)
    X = draws.standard_normal((rows, 20))
    y = np.argmax(X[:, :3] + draws.standard_normal((rows, 3)), axis=1)
    model = rfm.RFMClassifierCV() if tuned else rfm.RFMClassifier(ridge=0.01, iterations=2)
    with contextlib.ExitStack() as switched:
        for module in ("rfm.estimators", "rfm.tuned_machine") if way == "all" else ():
            switched.enter_context(mock.patch(f"{module}.few_threads", return_value=contextlib.nullcontext()))
        model.fit(X[:200], y[:200]).predict(X[:200])
        wall, cpu = time.perf_counter(), time.process_time()
        model.fit(X, y).predict(X[:8000])
        return time.perf_counter() - wall, time.process_time() - cpu


def in_its_own_process(way: str, rows: int, tuned: bool, repeats: int) -> list[float]:
    """The faster of ``repeats``."""
    kept = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    limits = dict.fromkeys(THREAD_VARIABLES, "1") if way == "one" else {}
    command = [sys.executable, __file__, "--measure", json.dumps([way, rows, tuned])]
    found = [
        json.loads(subprocess.run(command, env=kept | limits, check=True, capture_output=True, text=True).stdout)
        for _ in range(repeats)
    ]
    return [float(value) for value in min(found)]


def page(rows: list[int], repeats: int) -> Iterator[str]:
    yield "# Threads of the estimators' linear algebra\n"
    yield (
        f"`python benchmarks/threads.py`: {available_cores()} cores, {cpu_model()}; {rfm.engine()}. Seconds of fitting "
        f"and predicting (wall-clock / CPU), the faster of {repeats} processes; 20 drawn features, three classes.\n"
    )
    yield f"| | training rows | {' | '.join(WAYS.values())} |"
    yield "|:---|---:|" + "---:|" * len(WAYS)
    for tuned, name in ((True, "`RFMClassifierCV()`"), (False, "`RFMClassifier(ridge=0.01, iterations=2)`")):
        for count in rows:
            if tuned and count > TUNED_ROWS:
                continue
            cells = (in_its_own_process(way, count, tuned, repeats) for way in WAYS)
            yield f"| {name} | {count:,} | {' | '.join(f'{wall:.2f} / {cpu:.2f}' for wall, cpu in cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="500,1000,2000,4000,8000,14000")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*json.loads(args.measure))))
        return
    lines = []
    for line in page([int(count) for count in args.rows.split(",")], args.repeats):
        print(line, flush=True)
        lines.append(line)
    notes = notes_of(args.out.read_text(encoding="utf-8") if args.out.is_file() else "")
    args.out.write_text("\n".join([*lines, "", *notes]), encoding="utf-8")


if __name__ == "__main__":
    main()
