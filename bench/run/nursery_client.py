"""The harness's end of the nursery: start it, ask it for workers, hear of deaths."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import BenchError
from bench.run.tables import anonymous_file
from bench.run.worker import THREAD_VARIABLES

START_SECONDS = 300.0
"""Loading torch from a cold disk takes a while; longer than this and something is wrong."""

_STOP_SECONDS = 10.0

_ENVIRONMENT = {
    # One thread per worker, whatever the library reads; see `Task.large` for the exception.
    **dict.fromkeys(THREAD_VARIABLES, "1"),
    # Sets and dictionaries of strings in the same order in every worker.
    "PYTHONHASHSEED": "0",
    # pyarrow (which pandas imports) would start a thread, and the nursery must not have two when it forks.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


class NurseryLost(Exception):
    """The nursery process is gone, and its workers with it."""


@dataclass(frozen=True)
class Forked:
    """A worker lives."""

    worker: int
    pid: int
    idle_bytes: int


@dataclass(frozen=True)
class Death:
    """A worker has ended; ``status`` as :func:`os.waitpid` gives it."""

    worker: int
    status: int


class NurseryClient:
    """Starts the nursery when the first worker is asked for, and again if it was lost."""

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = list(preload)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def channel(self) -> socket.socket | None:
        """The control socket, to wait on; ``None`` while no nursery runs."""
        return self._control

    def start(self) -> None:
        """Start the nursery unless it runs. Raises :class:`BenchError` with its last words if it does not come up."""
        if self._control is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output = anonymous_file("bench-nursery")
        settings = {"control": theirs.fileno(), "preload": self._preload}
        program = f"import sys; sys.path[:] = {sys.path!r}; from bench.run.nursery import main; main()"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, json.dumps(settings)],
                env={**os.environ, **_ENVIRONMENT},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C at the terminal is for the harness to interpret
            )
            self._control = ours
            theirs.close()
            self._await_ready(output)
        finally:
            theirs.close()
            os.close(output)

    def fork(self, worker: int, channel: int, output: int) -> None:
        """Ask for a worker with these two descriptors. Raises :class:`NurseryLost`."""
        self._send({"fork": worker}, [channel, output])

    def kill(self, worker: int) -> None:
        """Ask for a worker's death, its children's included; a :class:`Death` follows. Raises :class:`NurseryLost`."""
        self._send({"kill": worker}, [])

    def news(self) -> list[Forked | Death]:
        """What the nursery has reported since the last call, without waiting. Raises :class:`NurseryLost`."""
        found: list[Forked | Death] = []
        while self._control is not None:
            try:
                packet = self._control.recv(4096, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except ConnectionError:
                packet = b""
            if not packet:
                raise self._lost()
            message = json.loads(packet)
            if "forked" in message:
                found.append(Forked(message["forked"], message["pid"], message["idle_bytes"]))
            else:
                found.append(Death(message["died"], message["status"]))
        return found

    def close(self) -> None:
        """End the nursery and, through it, all workers."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _await_ready(self, output: int) -> None:
        assert self._control is not None
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        deadline = time.monotonic() + START_SECONDS
        packet = b""
        if poll.poll(1000 * max(0.0, deadline - time.monotonic())):
            with contextlib.suppress(ConnectionError):
                packet = self._control.recv(4096)
        if not packet:
            words = os.pread(output, 4000, max(0, os.fstat(output).st_size - 4000)).decode(errors="replace").strip()
            self.close()
            raise BenchError(f"the process that workers are forked from did not start: {words or 'it said nothing'}")

    def _send(self, message: dict[str, int], descriptors: list[int]) -> None:
        if self._control is None:
            raise NurseryLost
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], descriptors)
        except ConnectionError:
            raise self._lost() from None

    def _lost(self) -> NurseryLost:
        self.close()
        return NurseryLost()
