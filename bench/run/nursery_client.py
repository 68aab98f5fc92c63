"""The harness's end of the nursery: start it, ask it for workers, hear of deaths."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import BenchError
from bench.run.processes import marked
from bench.run.tables import anonymous_file
from bench.run.worker import THREAD_VARIABLES

START_SECONDS = 300.0
"""Loading torch from a cold disk takes a while; longer than this and something is wrong."""

_STOP_SECONDS = 10.0
_SWEEP_SECONDS = 2.0

_MARK = "BENCH_NURSERY"
"""Environment variable that all processes of a nursery have in common, whoever their parent is by now."""

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
    """Starts the nursery when it is first needed, and again if it was lost."""

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = list(preload)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._mark = ""
        self._output: int | None = None
        """Where the nursery writes until it is ready."""
        self._deadline = 0.0

    @property
    def channel(self) -> socket.socket | None:
        """The control socket, to wait on; ``None`` while no nursery runs."""
        return self._control

    @property
    def pid(self) -> int:
        """The nursery's process id; 0 while none runs."""
        return 0 if self._process is None else self._process.pid

    def ready(self, wait_seconds: float) -> bool:
        """Whether the nursery can be asked for workers; started if it does not run, and waited for so long.

        Raises :class:`BenchError` with its last words if it does not come up.
        """
        if self._control is None:
            self._start()
        if self._output is None:
            return True
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        packet = b""
        if poll.poll(1000 * wait_seconds):
            with contextlib.suppress(ConnectionError):
                packet = self._channel.recv(4096)
        elif time.monotonic() < self._deadline:
            return False
        if not packet:
            size = os.fstat(self._output).st_size
            words = os.pread(self._output, 4000, max(0, size - 4000)).decode(errors="replace").strip()
            self.close()
            raise BenchError(f"the process that workers are forked from did not start: {words or 'it said nothing'}")
        os.close(self._output)
        self._output = None
        return True

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._output = output = anonymous_file("bench-nursery")
        self._deadline = time.monotonic() + START_SECONDS
        self._mark = secrets.token_hex(16)
        settings = {"control": theirs.fileno(), "preload": self._preload}
        program = f"import sys; sys.path[:] = {sys.path!r}; from bench.run.nursery import main; main()"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, json.dumps(settings)],
                env={**os.environ, **_ENVIRONMENT, _MARK: self._mark},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C at the terminal is for the harness to interpret
            )
            self._control = ours
        except OSError as error:  # no memory or no process to be had
            ours.close()
            self.close()
            raise BenchError(f"the process that workers are forked from did not start: {error}") from error
        finally:
            theirs.close()

    def fork(self, worker: int, channel: int, output: int) -> None:
        """Ask for a worker with these two descriptors. Raises :class:`NurseryLost`."""
        self._send({"fork": worker}, [channel, output])

    def kill(self, worker: int) -> None:
        """Ask for a worker's death, its children's included; a :class:`Death` follows. Raises :class:`NurseryLost`."""
        self._send({"kill": worker}, [])

    def news(self) -> list[Forked | Death]:
        """What the nursery has reported since the last call, without waiting. Raises :class:`NurseryLost`."""
        found: list[Forked | Death] = []
        while True:
            try:
                packet = self._channel.recv(4096, socket.MSG_DONTWAIT)
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
        """End the nursery, all workers and whatever they have forked: when this returns, none of them is left."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            if self._output is not None:  # still loading: it has no workers yet, and would not listen for a while
                self._process.kill()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            self._sweep()
        if self._output is not None:
            os.close(self._output)
            self._output = None

    def _sweep(self) -> None:
        """Kill what a nursery that was itself killed has left: its workers are dying, their daemons have no parent."""
        deadline = time.monotonic() + _SWEEP_SECONDS
        while (left := marked(_MARK, self._mark)) and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)

    @property
    def _channel(self) -> socket.socket:
        if self._control is None:
            raise NurseryLost
        return self._control

    def _send(self, message: dict[str, int], descriptors: list[int]) -> None:
        try:
            socket.send_fds(self._channel, [json.dumps(message).encode()], descriptors)
        except ConnectionError:
            raise self._lost() from None

    def _lost(self) -> NurseryLost:
        self.close()
        return NurseryLost()
