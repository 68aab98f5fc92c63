"""What this machine offers to jobs: cores and memory, with the limits of containers (control groups) respected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import joblib
import psutil

BUDGET_SHARE = 0.8
"""Part of the available memory that jobs may use together unless ``--memory-gb`` says otherwise."""

_CGROUP = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def available_cores() -> int:
    """Cores this process may keep busy: those it may run on, or what its container pays for.

    Part of a core counts as one: a job that is held back at times does more than one that is not there.
    """
    return int(joblib.cpu_count())


def available_memory() -> int:
    """Bytes that can be had without swapping: the machine's, or what the tightest enclosing cgroup leaves."""
    return min([int(psutil.virtual_memory().available), *_cgroup_headroom()])


def default_memory_budget() -> int:
    """Bytes that jobs may use together when the user gives no figure."""
    return int(BUDGET_SHARE * available_memory())


def _cgroup_headroom(root: Path = _CGROUP, membership: Path = _MEMBERSHIP) -> list[int]:
    """Limit minus use of every memory cgroup from this process's own up to the root (versions 1 and 2).

    Files in the page cache that nobody has touched lately are not use: the kernel gives them up for the asking, as
    it does on the machine as a whole (what ``MemAvailable`` counts).
    """
    headroom = []
    for version, folder in _cgroups(root, membership):
        names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        try:
            limit, use = ((folder / name).read_text().strip() for name in names)
            if limit != "max":
                headroom.append(max(0, int(limit) - int(use) + min(int(use), _reclaimable(folder, version))))
        except (OSError, ValueError):
            continue
    return headroom


def _reclaimable(group: Path, version: int) -> int:
    key = "inactive_file" if version == 2 else "total_inactive_file"
    try:
        lines = [line.split() for line in (group / "memory.stat").read_text().splitlines()]
        return next((int(words[1]) for words in lines if words[0] == key), 0)
    except (OSError, ValueError, IndexError):
        return 0


def _cgroups(root: Path, membership: Path) -> Iterator[tuple[int, Path]]:
    """(cgroup version, folder) of every memory group that encloses this process, innermost first."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            version, base = 2, root
        elif "memory" in controllers.split(","):
            # Controllers that share a hierarchy are mounted under their joint name and linked from each one's own.
            version, base = 1, root / "memory"
        else:
            continue
        group = base / path.strip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(base):
                break
            yield version, folder
