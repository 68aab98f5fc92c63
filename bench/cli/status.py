"""``bench status``: what a run folder holds, and what is running in it now."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from bench.cli.headline import damaged, failures, families, of_latest_plan, of_seeds, reductions, score_tables
from bench.errors import plural
from bench.run.progress import clock
from bench.run.runlog import LIVE_NAME
from bench.store import holder, read_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench status``."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a run folder")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def run(args: argparse.Namespace) -> int:
    """Print the folder's state; always 0 unless it is no run folder."""
    record = read_run(args.folder)
    planned = {job.id for job in record.planned}
    results = of_latest_plan(record)
    counts = Counter(r.status for r in results)
    owner = holder(args.folder)
    live = _live(args.folder) if owner else {}
    undone = len(planned) - len(results)
    if args.json:
        print(
            json.dumps(
                {
                    "folder": str(args.folder),
                    "planned": len(planned),
                    "seeds": sorted({job.seed for job in record.planned}),
                    "statuses": dict(counts),
                    "undone": undone,
                    "damaged": list(record.damaged),
                    "in_use_by": owner,
                    "running": live.get("running", []),
                    "eta_seconds": live.get("eta_seconds"),
                    "started": record.provenance.get("started"),
                    "command": record.planned_by.get("command"),
                }
            )
        )
        return 0
    print(
        f"{args.folder}: {len(results)} of {plural(len(planned), 'job')}{of_seeds(record)} done"
        + "".join(_parts(counts))
    )
    if record.invocations:
        print(f"latest results from the run started {record.provenance.get('started', 'at an unknown time')}")
    if owner:
        left = live.get("eta_seconds")
        print(f"in use by {owner}" + ("" if left is None else f", about {clock(left)} left"))
        for job in live.get("running", []):
            print(f"  running {job['dataset']}/{job['method']} for {clock(job['seconds'])}")
    elif undone:
        again = record.planned_by.get("command", "python -m bench run")
        print(f"{undone} not done, nothing running; to resume: {again}")
    tables = score_tables(results, families(record))
    for line in (*failures(results), *damaged(record), *tables, *reductions(results)):
        print(line)
    return 0


def _parts(counts: Counter[Any]) -> list[str]:
    return [f", {count} {status}" for status, count in sorted(counts.items())]


def _live(folder: Path) -> dict[str, Any]:
    try:
        live = json.loads((folder / LIVE_NAME).read_text())
    except (OSError, ValueError):  # between two writings, or not written yet
        return {}
    return live if isinstance(live, dict) else {}
