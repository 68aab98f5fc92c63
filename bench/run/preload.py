"""What the fork server loads first (:mod:`bench.run.forkserver`); importing this module anywhere else does nothing."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import time
import warnings

from bench.run.processes import children, descendants, kill

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""What linear algebra libraries read, when they are loaded, as their number of threads."""

PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LAST_SECONDS = 2.0

SERVER = 0
"""Process id of the fork server, in it and in all that is forked from it."""


def prctl(option: int, argument: int) -> None:
    """Linux's prctl; elsewhere nothing happens, and cleaning up rests on process groups alone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, int(argument), 0, 0, 0)


def take_in_orphans() -> None:
    """From now on what a child of this process leaves behind becomes its own child, not that of process 1."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prepare(modules: list[str], output: str) -> None:
    global SERVER
    SERVER = os.getpid()
    # While it loads it cannot hear that the harness is gone. Only then: the signal comes when the thread that started
    # it ends, which waits now, and may be gone later although the harness lives.
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()  # Ctrl-C at the terminal is for the harness to interpret
    take_in_orphans()
    with contextlib.suppress(OSError):
        descriptor = os.open(output, os.O_WRONLY | os.O_APPEND)
        for standard in {1, 2} - {descriptor}:
            os.dup2(descriptor, standard)
        if descriptor > 2:
            os.close(descriptor)
    for name in modules:
        # What cannot be imported here fails again in the job that needs it, and there the error is stored.
        with contextlib.suppress(Exception, SystemExit):
            importlib.import_module(name)
    prctl(PR_SET_PDEATHSIG, 0)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="forkserver: waitpid returned unexpected pid")  # a job's daemon
    atexit.register(_end_all, os.getpid())
    gc.collect()
    gc.freeze()  # objects made so far are never collected: a collection in a job would copy their pages


def _end_all(pid: int) -> None:
    """The harness is gone: kill the jobs and whatever they have forked."""
    if os.getpid() != pid:
        return
    deadline = time.monotonic() + _LAST_SECONDS
    while children(pid) and time.monotonic() < deadline:
        for member in descendants(pid):
            kill(member)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        time.sleep(0.002)


if "BENCH_PRELOAD" in os.environ:
    _prepare(json.loads(os.environ.pop("BENCH_PRELOAD")), os.environ.pop("BENCH_FORKSERVER_OUTPUT"))
