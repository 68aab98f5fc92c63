"""What this machine offers to jobs: cores, and memory with container limits respected."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

BUDGET_SHARE = 0.8
"""Part of the available memory that jobs may use together unless ``--memory-gb`` says otherwise."""

_CGROUP = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> int:
    """Bytes that can be had without swapping: the machine's, or what the tightest enclosing cgroup leaves."""
    return min([int(psutil.virtual_memory().available), *_cgroup_headroom()])


def default_memory_budget() -> int:
    """Bytes that jobs may use together when the user gives no figure."""
    return int(BUDGET_SHARE * available_memory())


def _cgroup_headroom(root: Path = _CGROUP, membership: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Limit minus use of every memory cgroup from this process's own up to the root (versions 1 and 2)."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    headroom = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, limit_file, use_file = root, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            base, limit_file, use_file = root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        group = base / path.strip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(base):
                break
            try:
                limit = (folder / limit_file).read_text().strip()
                use = int((folder / use_file).read_text())
            except (OSError, ValueError):
                continue
            if limit != "max":
                headroom.append(max(0, int(limit) - use))
    return headroom
