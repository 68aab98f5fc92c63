"""Inside a job's process: do the job, and leave an answer that survives any exception."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
import traceback
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import threadpoolctl

from bench.errors import JobSkipped, MethodError
from bench.records.method import CPU
from bench.run import preload
from bench.run.devices import described
from bench.run.processes import status_bytes
from bench.run.provenance import REASON_CHARACTERS
from bench.run.work import Work
from bench.seeds import derive_seed

LIMIT_SLACK_BYTES = 1 << 30
"""Private memory a job may map beyond its allowance before an allocation fails: thread stacks, arenas."""

_OOM_SCORE = "700"
"""Above the harness's own: if memory runs out in spite of the budget, the kernel takes a job."""

_ALLOCATION_FAILED = ("can't allocate memory", "not enough memory", "bad_alloc", "Unable to allocate", "out of memory")
"""What native libraries say when they run out of memory, whatever the exception's type."""


def work_process(job: str, work: Work, memory_bytes: int, threads: int, answer: int, output: int) -> NoReturn:
    """Do ``work`` and write what became of it to the file descriptor ``answer``; never returns.

    ``memory_bytes`` is what it may use beyond what it starts with, ``output`` where standard output and error go.
    """
    own = os.getpid()
    _settle_in(output)
    # CUDA maps more than it uses: there memory is watched from outside alone.
    _limit_private_memory(memory_bytes + LIMIT_SLACK_BYTES if work.device == CPU else None)
    _set_threads(threads)
    _seed_global_generators(derive_seed("global generators", job))
    idle_resident = _reset_peak()
    cpu_started, wall_started = _cpu_seconds(), time.monotonic()
    try:
        outcome = {"status": "ok", "reason": "", **work.run()}
        json.dumps(outcome, default=_plain)  # what cannot be stored is the job's failure
    except BaseException as error:  # a method may raise SystemExit as well as anything else
        outcome = _failure(error)
    if os.getpid() != own:  # it forked and let its child return: one job, one answer
        os._exit(0)
    seconds, cpu_seconds = time.monotonic() - wall_started, _cpu_seconds() - cpu_started
    about = described(work.device) if outcome["status"] == "ok" else {}
    _limit_private_memory(None)
    _flush_output()
    peak = _resident_peak()
    figures = {"job_seconds": seconds, "cpu_seconds": cpu_seconds, "peak_rss_bytes": peak}
    figures["peak_growth_bytes"] = max(0, peak - idle_resident)
    text = json.dumps(
        {"job": job, **outcome, **figures, "device": about}, default=_plain, separators=(",", ":")
    ).encode()
    os.ftruncate(answer, 0)
    os.lseek(answer, 0, os.SEEK_SET)
    view = memoryview(text)
    while view:
        view = view[os.write(answer, view) :]
    os._exit(0)


def _settle_in(output: int) -> None:
    """A session of its own, the end with the fork server's, daemons taken in, the output in its file."""
    os.setsid()
    preload.take_in_orphans()
    preload.prctl(preload.PR_SET_PDEATHSIG, signal.SIGKILL)
    if preload.SERVER and os.getppid() != preload.SERVER:  # it died before the kernel was told
        os._exit(1)
    _leave_multiprocessing()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    for standard in {1, 2} - {output}:
        os.dup2(output, standard)
    if output > 2:
        os.close(output)
    faulthandler.enable()  # a crash in native code leaves a Python traceback in the output


def _leave_multiprocessing() -> None:
    """Let go of what ``multiprocessing`` hands down: it is the harness's business alone.

    Every process that has the one pipe keeps the fork server alive; through the other the harness would be asked to
    clean up what jobs have shared. A job that needs a tracker of its own starts one, and has the usual start method.
    """
    multiprocessing.set_start_method(None, force=True)
    for owner, name in ((forkserver._forkserver, "_forkserver_alive_fd"), (resource_tracker._resource_tracker, "_fd")):
        descriptor = getattr(owner, name, None)
        if descriptor is not None:
            os.close(descriptor)
            setattr(owner, name, None)


def _plain(value: object) -> Any:
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, torch tensors
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be stored")


def _failure(error: BaseException) -> dict[str, Any]:
    """Status and one line of reason; the traceback goes to the output. Nothing of the exception itself is kept."""
    if isinstance(error, JobSkipped):
        return {"status": "skipped", "reason": str(error)[:REASON_CHARACTERS]}
    with contextlib.suppress(Exception):
        traceback.print_exception(error)
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "(its message cannot be shown)"
    kind = type(error).__name__
    out_of_memory = isinstance(error, MemoryError) or any(sign in text for sign in _ALLOCATION_FAILED)
    reason = text if isinstance(error, MethodError) else f"{kind}: {text}" if text else kind
    return {"status": "oom" if out_of_memory else "error", "reason": reason[:REASON_CHARACTERS]}


def _seed_global_generators(seed: int) -> None:
    """Methods seed what they use; a generator that one forgets must still give the same numbers in every run."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def _set_threads(count: int) -> None:
    """Threads of the linear algebra in this process; one is what the fork server has already set."""
    if count == 1:
        return
    for variable in preload.THREAD_VARIABLES:  # for libraries that are not loaded yet
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
