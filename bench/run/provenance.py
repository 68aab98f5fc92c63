"""Where a result comes from: versions, machine, commit, command."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import platform
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import __version__
from bench.run.resources import available_cores

_DISTRIBUTIONS = ("torch", "numpy", "scipy", "scikit-learn", "xgboost", "pandas")


@functools.cache
def versions() -> dict[str, str]:
    """Versions of the interpreter, of this project and of the libraries that do the arithmetic (without importing)."""
    found = {"python": platform.python_version(), "rfmbench": __version__}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@functools.cache
def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine(threads: int) -> dict[str, Any]:
    """Of a worker: where it runs and with what."""
    return {
        "host": socket.gethostname(),
        "cpu": cpu_model(),
        "cores": available_cores(),
        "threads": threads,
        "versions": versions(),
    }


def invocation(seed: int, jobs: int, argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Of one ``bench run``: everything a reader needs to repeat it."""
    words = ["python", "-m", "bench", *(sys.argv[1:] if argv is None else argv)]
    return {
        "versions": versions(),
        "cpu": cpu_model(),
        "cores": available_cores(),
        "platform": platform.platform(),
        "threads": 1,
        "jobs": jobs,
        "seed": seed,
        "commit": commit(),
        "command": shlex.join(words),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def commit(folder: Path | None = None) -> str:
    """The checkout's commit, with ``+dirty`` if tracked files differ from it; empty outside a checkout."""
    root = Path(__file__).resolve().parents[2] if folder is None else folder
    if not (root / ".git").exists():
        return ""
    head = _git(root, "rev-parse", "HEAD")
    if not head:
        return ""
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{head}+dirty" if changed else head


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
