"""Inside a worker: receive a job, run it, report what became of it in words that survive any exception."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import faulthandler
import os
import random
import resource
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl

from bench.errors import MethodError
from bench.methods import get_method
from bench.protocols import carry_out, get_protocol
from bench.run.messages import encode, receive_with_descriptors
from bench.run.processes import anonymous_bytes, children, status_bytes, threads
from bench.run.tables import attach
from bench.seeds import derive_seed

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""What linear algebra libraries read, when they are loaded, as their number of threads."""

LIMIT_SLACK_BYTES = 1 << 30
"""Private memory a process may map beyond its allowance before an allocation fails: thread stacks, arenas."""

_KEPT_BYTES = 256 << 20
"""A worker that holds this much more after a job than before it is replaced."""

_REASON_CHARACTERS = 500

_ALLOCATION_FAILED = ("can't allocate memory", "not enough memory", "bad_alloc", "Unable to allocate", "out of memory")
"""What native libraries say when they run out of memory, whatever the exception's type."""

_LIBC = ctypes.CDLL(None)


def serve(channel: socket.socket) -> None:
    """Run the jobs that arrive on ``channel``, one at a time, until its other end closes.

    A job message is ``{"job", "spec", "protocol", "seed", "table", "memory_bytes", "threads"}``, accompanied by the
    table's file descriptor the first time this worker meets the table.
    """
    faulthandler.enable()  # a crash in native code leaves a Python traceback in the output
    tables: dict[str, int] = {}
    own_pid = os.getpid()
    while True:
        received = receive_with_descriptors(channel)
        if received is None:
            return
        message, descriptors = received
        if descriptors:
            tables[message["table"]] = descriptors[0]
        answer = _answer(message, tables[message["table"]])
        if os.getpid() != own_pid:  # a method forked and let its child return: one job, one answer
            os._exit(0)
        channel.sendall(answer)


def _answer(message: dict[str, Any], table: int) -> bytes:
    own = os.getpid()
    idle_bytes, idle_resident = anonymous_bytes(own), _reset_peak()
    threads_before = len(threads(own))
    _limit_private_memory(message["memory_bytes"] + LIMIT_SLACK_BYTES)
    _set_threads(message["threads"])
    _seed_global_generators(derive_seed("global generators", message["job"]))
    cpu_started, wall_started = _cpu_seconds(), time.monotonic()
    try:
        answer = {"status": "ok", "reason": "", "holdouts": _run(message, table)}
        encode(answer)  # what cannot be stored is the job's failure, not the worker's
    except BaseException as error:  # a method may raise SystemExit as well as anything else
        answer = _failure(error)
    job_seconds, cpu_seconds = time.monotonic() - wall_started, _cpu_seconds() - cpu_started
    _limit_private_memory(None)
    _flush_output()
    peak = _resident_peak()
    return encode(
        {
            "job": message["job"],
            **answer,
            "cpu_seconds": cpu_seconds,
            "job_seconds": job_seconds,
            "peak_rss_bytes": peak,
            "peak_growth_bytes": max(0, peak - idle_resident),
            "retire": _unfit(threads_before, idle_bytes),
        }
    )


def _run(message: dict[str, Any], table: int) -> list[dict[str, Any]]:
    method = get_method(message["spec"])
    dataset, splits = attach(table)
    holdouts = carry_out(method, dataset, splits, get_protocol(message["protocol"]), message["seed"])
    return [dataclasses.asdict(holdout) for holdout in holdouts]


def _failure(error: BaseException) -> dict[str, Any]:
    """Status and one line of reason; the traceback goes to the output. Nothing of the exception itself is sent."""
    with contextlib.suppress(Exception):
        traceback.print_exception(error)
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "(its message cannot be shown)"
    kind = type(error).__name__
    out_of_memory = isinstance(error, MemoryError) or any(sign in text for sign in _ALLOCATION_FAILED)
    reason = text if isinstance(error, MethodError) else f"{kind}: {text}" if text else kind
    return {"status": "oom" if out_of_memory else "error", "reason": reason[:_REASON_CHARACTERS], "holdouts": []}


def _unfit(threads_before: int, idle_bytes: int) -> str:
    """Why this worker should not run another job; empty if it is as good as new."""
    own = os.getpid()
    if len(threads(own)) > threads_before:
        return "the job left threads behind"
    if _living_children():
        return "the job left processes behind"
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
    if anonymous_bytes(own) > idle_bytes + _KEPT_BYTES:
        return "the job left memory behind"
    return ""


def _living_children() -> list[int]:
    """What the job has forked, daemons included, less what has ended: that is reaped."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    return children(os.getpid())


def _seed_global_generators(seed: int) -> None:
    """Methods seed what they use; a generator that one forgets must still not depend on the jobs before."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def _set_threads(count: int) -> None:
    """Threads of the linear algebra in this process; one is what the nursery has already set."""
    if count == 1:
        return
    for variable in THREAD_VARIABLES:  # for libraries that are not loaded yet
        os.environ[variable] = str(count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)
    threadpoolctl.threadpool_limits(count)


def _limit_private_memory(growth: int | None) -> None:
    """Make allocations beyond ``growth`` bytes more than now fail, so that most methods end with a MemoryError.

    RLIMIT_DATA counts writable private mappings and so, unlike RLIMIT_AS, neither libraries nor reserved address
    space. What slips through is caught by the harness, which watches from outside.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = hard if growth is None else status_bytes("VmData") + growth
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _reset_peak() -> int:
    """Start measuring the peak afresh; returns the resident bytes now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return status_bytes("VmRSS")


def _resident_peak() -> int:
    return status_bytes("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _flush_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
