"""The process that workers are forked from: the libraries are imported here once, in a process with one thread.

It talks with the harness over a control socket (one JSON message a packet):

- in:  ``{"fork": id}`` with two descriptors (the worker's channel, its output file), ``{"kill": id}``
- out: ``{"ready": threads}``, ``{"forked": id, "pid", "idle_bytes"}``, ``{"died": id, "status": wait status}``

It lives as long as the harness: when the control socket closes it kills its workers and whatever they forked, and
ends. Workers in turn are told by the kernel when the nursery dies. What a job detaches (a daemon that was forked twice)
becomes a child of its worker, and of the nursery only once that worker is dead: so nothing escapes, and the end of one
job touches no process of another.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from bench.run.processes import anonymous_bytes, children, descendants, threads
from bench.run.worker import serve

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_OOM_SCORE = "700"
"""Above the harness's own: if memory runs out in spite of the budget, the kernel takes a worker."""


@dataclass
class Nursery:
    """State of the nursery process."""

    control: socket.socket
    workers: dict[int, int] = field(default_factory=dict)
    """Worker ids by process id, until the process has been reaped."""
    helpers: frozenset[int] = frozenset()
    """Processes that a library started as it was imported: they serve all workers."""

    def run(self, wakeup: socket.socket) -> None:
        """Serve until the harness is gone."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(wakeup, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == wakeup.fileno():
                    with contextlib.suppress(BlockingIOError):
                        wakeup.recv(4096)
                    self.reap()
                elif not self.obey():
                    self.kill_all()
                    return

    def obey(self) -> bool:
        """Carry out one request; False once the harness is gone."""
        try:
            packet, descriptors, _, _ = socket.recv_fds(self.control, 4096, 2)
        except ConnectionError:
            return False
        if not packet:
            return False
        request = json.loads(packet)
        if "fork" in request:
            self.fork(request["fork"], *descriptors)
        elif "kill" in request:
            self.kill(request["kill"])
        return True

    def fork(self, worker: int, channel: int, output: int) -> None:
        """A new worker that serves ``channel`` and writes its output to ``output``."""
        nursery_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self._become_worker(nursery_pid, output)
                serve(socket.socket(fileno=channel))
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(channel)
        os.close(output)
        self.workers[pid] = worker
        self.tell({"forked": worker, "pid": pid, "idle_bytes": anonymous_bytes(nursery_pid)})

    def _become_worker(self, nursery_pid: int, output: int) -> None:
        self.control.close()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != nursery_pid:  # it died before the kernel was told
            os._exit(1)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)

    def kill(self, worker: int) -> None:
        """Kill a worker and all it has forked. Its process id cannot have been reused: it has not been reaped."""
        for pid, known in self.workers.items():
            if known == worker:
                _kill_tree(pid)

    def reap(self) -> None:
        """Collect dead children; report the workers among them, and kill what a dead worker left behind."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                break
            if ended.si_pid in self.workers:
                _kill_group(ended.si_pid)
                _, status = os.waitpid(ended.si_pid, 0)
                self.tell({"died": self.workers.pop(ended.si_pid), "status": status})
            else:
                os.waitpid(ended.si_pid, 0)
        self.kill_strays()

    def kill_strays(self) -> None:
        """Kill the children that are no workers: a dead worker's. Their own come to us next, as they die."""
        for pid in children(os.getpid()):
            if pid not in self.workers and pid not in self.helpers:
                _kill_tree(pid)

    def kill_all(self) -> None:
        """Kill every worker and stray."""
        for pid in self.workers:
            _kill_tree(pid)
        for pid in list(self.workers):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self.workers.clear()
        self.kill_strays()

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message; a harness that is gone is noticed by :meth:`run`."""
        with contextlib.suppress(ConnectionError):
            self.control.send(json.dumps(message).encode())


def main() -> NoReturn:
    """Entry point; the arguments are the control socket's descriptor and the modules to load, as JSON."""
    settings = json.loads(sys.argv[1])
    control = socket.socket(fileno=settings["control"])
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in settings["preload"]:
        # What cannot be imported here fails again in the job that needs it, and there the error is stored.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    ours, wakeup = socket.socketpair()
    for end in (ours, wakeup):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
    gc.collect()
    gc.freeze()  # objects made so far are never collected: a collection in a worker would copy their pages
    nursery = Nursery(control, helpers=frozenset(children(os.getpid())))
    nursery.tell({"ready": len(threads(os.getpid()))})
    nursery.run(ours)
    os._exit(0)


def prctl(option: int, argument: int) -> None:
    """Linux's prctl; elsewhere nothing happens and cleaning up rests on closed sockets alone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, int(argument), 0, 0, 0)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill_tree(pid: int) -> None:
    below = descendants(pid)
    _kill_group(pid)
    for member in (pid, *below):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGKILL)
