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


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_the_tightest_enclosing_group_counts_in_version_2(tmp_path: Path) -> None:
    write(tmp_path / "fs" / "a" / "b", memory__max="max\n", memory__current="5\n")
    write(tmp_path / "fs" / "a", memory__max="1000\n", memory__current="400\n")
    (tmp_path / "self").write_text("0::/a/b\n")
    assert resources._cgroup_headroom(tmp_path / "fs", tmp_path / "self") == [600]


def test_version_1_is_understood(tmp_path: Path) -> None:
    group = tmp_path / "fs" / "memory" / "job"
    write(group, memory__limit_in_bytes="2000\n", memory__usage_in_bytes="500\n")
    (tmp_path / "self").write_text("4:memory:/job\n3:cpu:/job\n")
    assert resources._cgroup_headroom(tmp_path / "fs", tmp_path / "self") == [1500]


def test_page_cache_that_the_kernel_would_give_up_is_not_in_use(tmp_path: Path) -> None:
    write(tmp_path / "two", memory__max="1000", memory__current="900", memory__stat="anon 200\ninactive_file 600\n")
    (tmp_path / "self").write_text("0::/\n")
    assert resources._cgroup_headroom(tmp_path / "two", tmp_path / "self") == [700]
    group = tmp_path / "one" / "memory"
    write(group, memory__limit_in_bytes="1000", memory__usage_in_bytes="900", memory__stat="total_inactive_file 800\n")
    (tmp_path / "self").write_text("4:memory:/\n")
    assert resources._cgroup_headroom(tmp_path / "one", tmp_path / "self") == [900]
    (group / "memory.stat").write_text("inactive_file\nnonsense\n")
    assert resources._cgroup_headroom(tmp_path / "one", tmp_path / "self") == [100]


def test_cores_are_those_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """joblib's count: affinity, a container's CPU quota, and the user's own bound."""
    assert 1 <= resources.available_cores() <= len(os.sched_getaffinity(0))
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert resources.available_cores() == 1


def test_no_groups_no_limit(tmp_path: Path) -> None:
    assert resources._cgroup_headroom(tmp_path, tmp_path / "absent") == []


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


def test_signals_have_names() -> None:
    assert signal_name(11) == "SIGSEGV (segmentation fault)"
    assert signal_name(200) == "signal 200"


def test_the_tail_is_printable_and_short(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"start\n" * 5000 + b"\x1b[31mred\x1b[0m \xff\x00\r\nlast\x07 line\n")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        tail = output_tail(descriptor)
    finally:
        os.close(descriptor)
    assert tail.splitlines()[-2:] == ["red �", "last line"]
    assert len(tail.splitlines()) <= 30


def test_what_is_printable_can_be_encoded() -> None:
    assert printable("\x1b[31mcaf\udce9\x07 \ud800é  ") == "caf? ?é"
