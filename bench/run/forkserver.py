"""The standard library's fork server as this harness uses it: libraries loaded once, nothing left behind.

``multiprocessing`` keeps one fork server a process: a process with one thread, from which every job is forked. What
this module adds is around it: the environment it starts with (one thread of linear algebra, a mark by which all that
comes from it can be found), the modules it loads (:mod:`bench.run.preload`), and the sweeping up of what jobs leave.

Who ends what, on Linux: a job's process dies with the fork server (the kernel sends it SIGKILL) and takes in its own
daemons while it lives; after its death they become the fork server's children and are killed by :meth:`ForkServer.end`.
If the harness dies, the fork server notices, kills what it has and ends. If both die at once, only what jobs have
forked survives: the next run in the same folder finds it by its mark.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import forkserver, reduction, resource_tracker, spawn
from pathlib import Path
from typing import Any

import psutil

from bench.errors import EngineError
from bench.run.preload import THREAD_VARIABLES
from bench.run.processes import anonymous_bytes, anonymous_file, children, descendants, kill, marked

MARK = "BENCH_JOBS_OF"
"""Environment variable that the fork server and all that comes from it have in common: ``HOME:PID:STARTED``, the
hash of the run's name and the harness's process."""

_ENVIRONMENT = {
    **dict.fromkeys(THREAD_VARIABLES, "1"),
    # Threads without work sleep. PyTorch's and SciPy's are two pools: where both wait by spinning, as they do unless
    # told otherwise, each holds the cores that the other needs (a kernel of 14,000 rows on two cores: 13 s, not 2.2).
    "OMP_WAIT_POLICY": "passive",
    "OPENBLAS_THREAD_TIMEOUT": "4",
    # Sets and dictionaries of strings in the same order in every job.
    "PYTHONHASHSEED": "0",
    # pyarrow (which pandas imports) would start a thread, and a process that forks must not have two.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
START_SECONDS = 300.0
"""Loading torch from a cold disk takes a while; longer than this and something is wrong."""

_CORE = ["bench.run.worker"]
_FAILED_STARTS_ALLOWED = 3
_SWEEP_SECONDS = 5.0
_EXIT_SECONDS = 10.0
_DYING_SECONDS = 0.5
_LOST = 255
"""What ``multiprocessing`` makes of a fork server that is gone; a job may have ended with it, too."""

JobProcess = multiprocessing.process.BaseProcess


class ServerLost(Exception):
    """The fork server is gone, and the jobs that were running with it."""


class Inherited:
    """A file descriptor that travels to a job's process: an argument of :meth:`ForkServer.start`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> Any:
        return _received, (reduction.DupFd(self._descriptor),)


def _received(duplicate: Any) -> int:
    descriptor: int = duplicate.detach()
    return descriptor


class ForkServer:
    """Starts processes for jobs, with the modules in ``preload`` loaded. A context manager; thread-safe; one a process.

    ``home`` names the run: by it the next one finds what this one may leave (:func:`sweep_leftovers`).
    """

    def __init__(self, home: str, preload: Iterable[str]) -> None:
        self._mark = f"{_home_mark(home)}:{os.getpid()}:{_started(os.getpid())}"
        self._preload = sorted({*preload, *_CORE})
        self._output = anonymous_file()
        """Where it writes from its start on."""
        self._lock = threading.Lock()
        self._live: dict[int, int] = {}
        """Jobs by process id, with the fork server that each came from: there may be another one by now."""
        self._helpers: set[int] = set()
        """Children that a library started as it was imported: they serve all jobs."""
        self._pid = 0
        self._failed_starts = 0
        self._killed = False
        self.deaths = 0
        """How often it has died so far, as far as was noticed."""
        self.idle_bytes = 0
        """What the fork server itself holds, and every job begins with."""

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id; 0 until the first job was started."""
        return self._pid

    def start(self, target: Callable[..., None], arguments: tuple[Any, ...]) -> JobProcess:
        """A new process at work on ``target(*arguments)``.

        Raises :class:`ServerLost` if the fork server died meanwhile, :class:`EngineError` if it does not come up.
        """
        with self._lock:
            if self._killed:
                raise ServerLost
            if self._pid and not self._alive():
                self._pid = 0
                self.deaths += 1
                _kill_all(lambda: marked(MARK, self._mark))
            try:
                with self._as_it_starts(), _unhindered():
                    process: JobProcess = multiprocessing.get_context("forkserver").Process(
                        target=target, args=arguments
                    )
                    process.start()
            except (OSError, EOFError) as error:
                self._failed_starts += not self._pid
                self.deaths += not self._pid
                if self._failed_starts >= _FAILED_STARTS_ALLOWED:
                    raise EngineError(f"the fork server does not start: {self._last_words()}") from error
                raise ServerLost from error
            if self._pid and _server_pid() != self._pid:
                self._undo(process)
                raise ServerLost
            if not self._pid:
                self._failed_starts = 0
                self._pid = _server_pid()
                self.idle_bytes = anonymous_bytes(self._pid)
                self._helpers = set(children(self._pid)) - {process.pid or 0}
            self._live[process.pid or 0] = self._pid
            return process

    def end(self, process: JobProcess) -> int | None:
        """Have ``process`` dead, with all that it forked; returns its exit code, negative for a signal.

        None if the fork server died before it could say. All that asks a process how it fares is done under the lock:
        two threads that ask at once would read one answer between them.
        """
        with self._lock:
            pid = process.pid or 0
            if process.is_alive():
                for member in (pid, *descendants(pid)):
                    kill(member)
                process.join(_EXIT_SECONDS)
            code = process.exitcode
            lost = self._live.pop(pid, 0) != self._pid or (code == _LOST and not self._outlives())
            if not lost:
                _kill_all(self._strays)
            with contextlib.suppress(ValueError):
                process.close()
            return None if lost else code

    def kill(self) -> None:
        """Kill the fork server at once, also while it still loads; whoever wants it gets :class:`ServerLost`."""
        self._killed = True
        if pid := _server_pid():
            kill(pid)

    def stop(self) -> None:
        """End the fork server and all jobs."""
        with self._lock:
            if self._pid:
                for pid, server in self._live.items():
                    if server == self._pid:
                        kill(pid)
                _shut_down()
                self._pid = 0
            _kill_all(lambda: marked(MARK, self._mark))
            self._killed = True
            os.close(self._output)

    def _undo(self, process: JobProcess) -> None:
        """It died since it was looked at, and ``multiprocessing`` has started another: without our environment, so not
        one to be used. End that and ``process``, which comes from it; the next start finds ours dead."""
        server = _server_pid()
        _kill_all(lambda: descendants(server))
        process.join(_EXIT_SECONDS)
        with contextlib.suppress(ValueError):
            process.close()
        _shut_down()

    def _alive(self) -> bool:
        try:
            return bool(self._pid) and psutil.Process(self._pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def _outlives(self) -> bool:
        """Whether the fork server is alive, and still is after a moment: its files close before its end shows."""
        deadline = time.monotonic() + _DYING_SECONDS
        while self._alive():
            if time.monotonic() > deadline:
                return True
            time.sleep(0.005)
        return False

    def _strays(self) -> list[int]:
        """The fork server's children that are no jobs: what jobs that have ended had forked."""
        return [pid for pid in children(self._pid) if pid not in self._live and pid not in self._helpers]

    def _last_words(self) -> str:
        return os.pread(self._output, 4000, 0).decode(errors="replace").strip() or "it said nothing"

    @contextlib.contextmanager
    def _as_it_starts(self) -> Iterator[None]:
        """If the fork server starts now: the environment that it shall see, and an end to a start that hangs."""
        if self._pid:
            yield
            return
        # What ends the process as it is imported, a library that aborts, is left to the jobs that need it.
        modules = self._preload if not self._failed_starts else _CORE
        wanted = {
            **_ENVIRONMENT,
            MARK: self._mark,
            "BENCH_PRELOAD": json.dumps(modules),
            "BENCH_FORKSERVER_OUTPUT": f"/proc/{os.getpid()}/fd/{self._output}",
            "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        }
        resource_tracker.ensure_running()  # serves the harness too: it must not bear the mark
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        forkserver.set_forkserver_preload(["bench.run.preload"])
        too_late = threading.Timer(START_SECONDS, lambda: kill(_server_pid()) if _server_pid() else None)
        too_late.start()
        try:
            _shut_down()  # one of an earlier run in this process has other settings
            yield
        finally:
            too_late.cancel()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def sweep_leftovers(home: str) -> None:
    """Kill what jobs of earlier runs of this name have left whose harness is dead."""
    beginning = f"{_home_mark(home)}:"
    _kill_all(lambda: [pid for pid, mark in marked(MARK, beginning).items() if not _running(mark)])


def _home_mark(home: str) -> str:
    return hashlib.sha256(home.encode()).hexdigest()[:32]


def _started(pid: int) -> str:
    """When a process was started, in the kernel's ticks since boot, and in which namespace of process ids; or nothing.

    Not its time of day, which moves with the clock.
    """
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{ticks}-{Path('/proc/self/ns/pid').readlink()}".replace(":", "")
    except (OSError, IndexError):
        return ""


def _running(mark: str) -> bool:
    """Whether the harness that ``mark`` names still runs; one of another namespace is not for us to judge."""
    _, pid, started = mark.split(":", 2)
    here = _started(os.getpid()).partition("-")[2]
    return started.partition("-")[2] != here or _started(int(pid)) == started


@contextlib.contextmanager
def _unhindered() -> Iterator[None]:
    """Have ``multiprocessing`` start a process where it would not, and run nothing of the user's in it.

    A daemon may not start any, lest they outlive it (a Dask worker under a nanny is one): those of the fork server do
    not. And what it prepares a process with names the user's script, which every job would run again: that is left out.
    """
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    daemon = config.pop("daemon", None)
    prepare = spawn.get_preparation_data

    def prepare_once(name: str) -> dict[str, Any]:
        spawn.get_preparation_data = prepare  # at once: another thread may start a process of its own
        return {key: value for key, value in prepare(name).items() if not key.startswith("init_main")}

    spawn.get_preparation_data = prepare_once
    try:
        yield
    finally:
        spawn.get_preparation_data = prepare
        if daemon is not None:
            config["daemon"] = daemon


def _kill_all(find: Callable[[], Iterable[int]]) -> None:
    """Kill what ``find`` finds until it finds nothing: the children of what dies come to light only then."""
    deadline = time.monotonic() + _SWEEP_SECONDS
    while (found := list(find())) and time.monotonic() < deadline:
        for pid in found:
            kill(pid)
        time.sleep(0.002)


# ``multiprocessing.forkserver`` offers neither its process id nor an end: these two look behind its public names.


def _server_pid() -> int:
    return int(getattr(forkserver._forkserver, "_forkserver_pid", 0) or 0)


def _shut_down() -> None:
    with contextlib.suppress(OSError):  # it was taken away, or a cleaner has removed its socket
        forkserver._forkserver._stop()  # type: ignore[attr-defined]
