"""CPU seconds of whole benchmark runs against those of an earlier commit, in turn on the same datasets.

    python benchmarks/commits.py 333b8c3 [--archive PATH] [--out benchmarks/commits.md] [--only PART,...]

Both run what users run, ``python -m bench run --jobs 1``, from a checkout of their own (``git worktree``) with the same
libraries. Datasets are taken in groups of similar size, first one commit, then the other. What counts are the CPU
seconds of selecting, fitting and predicting (``fit_seconds`` of the scores); the time of starting Python and loading
libraries is not in them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.data.registry import load_registry
from bench.run.provenance import cpu_model, versions

ROOT = Path(__file__).resolve().parents[1]
GROUP = 15
NOTES = "<!-- notes: begin -->"
"""From here to its end a page that stands is kept."""


@dataclass(frozen=True)
class Part:
    """Methods under a protocol on the datasets of a subset that have at most ``most_rows`` rows."""

    subset: str
    protocol: str
    methods: str
    most_rows: int = 10**9

    def __str__(self) -> str:
        rows = "" if self.most_rows == 10**9 else f", up to {self.most_rows:,} rows"
        return f"`{self.protocol}`, {self.subset}{rows}"


PARTS = {
    "published": Part("small90", "published", "rfm"),
    "clean-small": Part("small90", "clean", "rfm,laplace", 1500),
    "ntk": Part("small90", "clean", "ntk", 2500),
    "embedded": Part("embedded", "clean", "core"),
}
CORE = "rfm,laplace,ntk,mlp,xgboost,random_forest,svm_rbf"


def run(checkout: Path, part: Part, datasets: list[str], archive: str | None) -> pd.DataFrame:
    """The scores of ``datasets`` computed by the code in ``checkout``."""
    methods = CORE if part.methods == "core" else part.methods
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench", "run", "--subset", ",".join(datasets), "--methods", methods,
                   "--protocol", part.protocol, "--jobs", "1", "--run", folder]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        done = subprocess.run(
            [*command, *(["--archive", archive] if archive else [])],
            cwd=checkout, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{checkout}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        export = [sys.executable, "-m", "bench", "export", folder, "--out", folder]
        subprocess.run(export, cwd=checkout, env=environment, check=True, capture_output=True)
        return pd.read_csv(Path(folder) / "scores.csv")


def measure(part: Part, checkouts: dict[str, Path], archive: str | None) -> dict[str, dict[str, float]]:
    """CPU seconds by method and commit."""
    entries = [entry for entry in load_registry().select(part.subset) if entry.rows <= part.most_rows]
    names = [entry.name for entry in sorted(entries, key=lambda entry: entry.rows)]
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for start in range(0, len(names), GROUP):
        for commit, checkout in checkouts.items():
            scores = run(checkout, part, names[start : start + GROUP], archive)
            for method, seconds in scores.groupby("method")["fit_seconds"].sum().items():
                found[str(method)][commit] += float(seconds)
        print(
            part, start, {method: {k: round(v, 2) for k, v in row.items()} for method, row in found.items()}, flush=True
        )
    return {method: dict(row) for method, row in found.items()}


def page(measured: dict[str, dict[str, dict[str, float]]], old: str, new: str) -> str:
    """The page in Markdown."""
    libraries = ", ".join(f"{name} {version}" for name, version in versions().items() if name != "rfmbench")
    lines = [
        "# CPU seconds against an earlier commit",
        "",
        f"`python benchmarks/commits.py {old}`: commit {old} (before) and {new} (now), in turn on groups of "
        f"datasets, one job at a time; {cpu_model()}; {libraries}. CPU seconds of selecting, fitting and predicting.",
        "",
        "| runs | method | before | now | ratio |",
        "|:--|:--|--:|--:|--:|",
    ]
    for name, methods in measured.items():
        rows = sorted(methods.items(), key=lambda item: -item[1][old])
        if len(rows) > 1:
            rows.append(("all", {key: sum(row[key] for row in methods.values()) for key in (old, new)}))
        lines += [
            f"| {PARTS[name]} | {method} | {row[old]:.2f} | {row[new]:.2f} | {row[new] / row[old]:.2f} |"
            for method, row in rows
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--archive", default=os.environ.get("BENCH_ARCHIVE"))
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/commits.md"))
    args = parser.parse_args()
    new = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True).strip()
    kept = args.out.with_suffix(".json")
    measured = json.loads(kept.read_text()) if kept.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", str(before), args.commit], cwd=ROOT, check=True)
        try:
            for name in args.only.split(","):
                measured[name] = measure(PARTS[name], {args.commit: before, new: ROOT}, args.archive)
                kept.write_text(json.dumps(measured, indent=1))
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(before)], cwd=ROOT, check=True)
    previous = args.out.read_text() if args.out.exists() else ""
    notes = previous[previous.index(NOTES) - 1 :] if NOTES in previous else ""
    args.out.write_text(page({name: measured[name] for name in PARTS if name in measured}, args.commit, new) + notes)
    print(args.out)


if __name__ == "__main__":
    main()
