"""Memory limits of containers are seen; processes' memory is read right."""

from __future__ import annotations

import mmap
import os
import subprocess
from pathlib import Path

import psutil
import pytest

from bench.run import resources
from bench.run.isolated import output_tail, signal_name
from bench.run.processes import KernelKills, anonymous_bytes, children, descendants
from bench.run.provenance import printable

CGROUPS = {
    "the tightest enclosing group of version 2": (
        "0::/a/b",
        {"a/b": {"memory.max": "max\n", "memory.current": "5\n"}, "a": {"memory.max": "1000", "memory.current": "400"}},
        [600],
    ),
    "version 1": (
        "4:memory:/job\n3:cpu:/job",
        {"memory/job": {"memory.limit_in_bytes": "2000\n", "memory.usage_in_bytes": "500\n"}},
        [1500],
    ),
    "page cache that the kernel would give up": (
        "0::/",
        {".": {"memory.max": "1000", "memory.current": "900", "memory.stat": "anon 200\ninactive_file 600\n"}},
        [700],
    ),
    "page cache in version 1": (
        "4:memory:/",
        {"memory": {"memory.limit_in_bytes": "1000", "memory.usage_in_bytes": "900",
                    "memory.stat": "total_inactive_file 800\n"}},
        [900],
    ),
    "a page cache that is not told": (
        "4:memory:/",
        {"memory": {"memory.limit_in_bytes": "1000", "memory.usage_in_bytes": "900",
                    "memory.stat": "inactive_file\nnonsense\n"}},
        [100],
    ),
    "no groups": (None, {}, []),
}  # fmt: skip


@pytest.mark.parametrize("what", CGROUPS)
def test_what_containers_leave(tmp_path: Path, what: str) -> None:
    membership, groups, expected = CGROUPS[what]
    for group, files in groups.items():
        (tmp_path / "fs" / group).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (tmp_path / "fs" / group / name).write_text(text)
    if membership:
        (tmp_path / "self").write_text(f"{membership}\n")
    assert resources._cgroup_headroom(tmp_path / "fs", tmp_path / "self") == expected


def test_cores_are_those_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """joblib's count: affinity, a container's CPU quota, and the user's own bound."""
    assert 1 <= resources.available_cores() <= len(os.sched_getaffinity(0))
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert resources.available_cores() == 1


def test_the_budget_is_a_share_of_the_smaller_of_machine_and_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_cgroup_headroom", lambda: [10_000_000])
    assert resources.default_memory_budget() == 8_000_000
    monkeypatch.setattr(resources, "_cgroup_headroom", list)
    assert resources.default_memory_budget() <= 0.8 * psutil.virtual_memory().total


def test_own_memory_is_seen_and_the_dead_have_none() -> None:
    size = 64 << 20
    before = anonymous_bytes(os.getpid())
    # Mapped afresh: an allocator may hand out pages that this process has had since an earlier test.
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        block.write(b"1" * size)
        assert anonymous_bytes(os.getpid()) - before > 0.9 * size
    assert anonymous_bytes(2**22 + 1) == 0
    assert children(2**22 + 1) == []


def test_descendants_include_grandchildren() -> None:
    shell = subprocess.Popen(["sh", "-c", "sleep 60 & echo; wait"], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert shell.stdout is not None
        shell.stdout.readline()
        found = descendants(os.getpid())
        assert shell.pid in found
        assert [psutil.Process(p).ppid() for p in descendants(shell.pid)] == [shell.pid]
        assert set(descendants(shell.pid)) < set(found)
    finally:
        os.killpg(shell.pid, 9)
        shell.communicate()


def test_each_kill_by_the_kernel_explains_one_death(monkeypatch: pytest.MonkeyPatch) -> None:
    kills = [3]
    monkeypatch.setattr("bench.run.processes._oom_kills", lambda: kills[0])
    known = KernelKills()
    assert not known.explains_one()
    kills[0] += 2
    assert [known.explains_one() for _ in range(3)] == [True, True, False]


def test_what_a_process_says_at_its_end_is_printable_and_short(tmp_path: Path) -> None:
    assert signal_name(11) == "SIGSEGV (segmentation fault)"
    assert signal_name(200) == "signal 200"
    assert printable("\x1b[31mcaf\udce9\x07 \ud800é  ") == "caf? ?é"
    path = tmp_path / "out"
    path.write_bytes(b"start\n" * 5000 + b"\x1b[31mred\x1b[0m \xff\x00\r\nlast\x07 line\n")
    with path.open("rb") as file:
        tail = output_tail(file.fileno()).splitlines()
    assert (tail[-2:], len(tail) <= 30) == (["red �", "last line"], True)
