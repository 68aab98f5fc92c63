"""Plug-in methods for the runner's tests: a quick honest one, and one for every way to misbehave."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import multiprocessing
import os
import pathlib
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing import shared_memory
from typing import Any, ClassVar

import numpy as np

from bench.records.dataset import IntArray
from bench.records.method import Choice, Fold, Method, Path, Prediction, Session


class CentroidSession(Session):
    """Nearest class mean with shrunken means; deterministic and done in well under a millisecond."""

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        paths = []
        for shrink in (0.0, 0.5):
            figures = [
                self.task.judge(self._scores(shrink, fold.fit, fold.validation), self.task.y[fold.validation])
                for fold in folds
            ]
            accuracy, error = np.array(figures).T
            paths.append(Path({"shrink": shrink}, (0,), accuracy[:, None], error[:, None]))
        return paths

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        # A draw from the global generator: it must not depend on other jobs.
        return Prediction(self._scores(choice.config["shrink"], train, test), {"drawn": float(np.random.rand())})  # noqa: NPY002

    def _scores(self, shrink: float, train: IntArray, test: IntArray) -> np.ndarray:
        X, y = self.task.X, self.task.y
        means = np.array(
            [X[train][y[train] == k].mean(axis=0) if np.any(y[train] == k) else X[train].mean(axis=0)
             for k in range(self.task.n_classes)]
        )  # fmt: skip
        means = (1 - shrink) * means + shrink * X[train].mean(axis=0)
        return -np.linalg.norm(X[test][:, None, :] - means[None], axis=2)


class Centroid(Method):
    name: ClassVar[str] = "centroid"
    title: ClassVar[str] = "Nearest centroid"
    session_class: ClassVar[type[Session]] = CentroidSession
    estimate: ClassVar[int] = 1 << 20

    def configurations(self) -> list[dict[str, Any]]:
        return [{"shrink": 0.0}, {"shrink": 0.5}]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        return self.estimate

    def work(self, n: int, d: int, c: int) -> float:
        return 0.01

    def session(self, task: Any) -> Session:
        return self.session_class(task)


class Shrunken(Centroid):
    name = "shrunken"

    def configurations(self) -> list[dict[str, Any]]:
        return [{"shrink": 0.5}, {"shrink": 0.0}]


class UsesMultiprocessing(Centroid):
    """With a function that only forking can hand over."""

    name = "uses-multiprocessing"

    def session(self, task: Any) -> Session:
        process = multiprocessing.Process(target=lambda: None)
        process.start()
        process.join(30)
        if process.exitcode != 0:
            raise RuntimeError(f"exit code {process.exitcode}")
        return super().session(task)


class Limited(Centroid):
    name = "limited"

    def limitation(self, n: int, d: int, c: int) -> str | None:
        return "has its limits"


class Boundless(Centroid):
    name = "boundless"
    estimate = float("nan")  # type: ignore[assignment]


class Guessless(Centroid):
    name = "guessless"

    def work(self, n: int, d: int, c: int) -> float:
        raise ZeroDivisionError("no idea")


class TooLarge(Centroid):
    name = "too-large"
    estimate = 1 << 50


def misbehaving(label: str, act: Any) -> type[Centroid]:
    """A method that does ``act(session)`` in the middle of its tuning, and goes on if that returns."""

    class Misbehaving(CentroidSession):
        def tune(self, folds: Sequence[Fold]) -> list[Path]:
            act(self)
            return super().tune(folds)

    return type(label, (Centroid,), {"name": label, "session_class": Misbehaving})


class Unpicklable(Exception):
    """Cannot be pickled, nor even be shown."""

    def __init__(self) -> None:
        super().__init__(threading.Lock())

    def __str__(self) -> str:
        raise RuntimeError("no words")

    def __reduce__(self) -> Any:
        raise TypeError("not to be pickled")


def _segfault(session: Session) -> None:
    print("about to crash", flush=True)
    ctypes.string_at(0)


def _kill_parent(session: Session) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)  # the kernel takes the job along, but a moment later


def _allocate(session: Session) -> None:
    held = []
    while True:
        held.append(np.ones(8 << 20))  # 64 MiB, touched
        time.sleep(0.01)


def _allocate_in_child(session: Session) -> None:
    if os.fork() == 0:
        _allocate(session)
    os.wait()


def _raise_unpicklable(session: Session) -> None:
    raise Unpicklable


def _raise_unencodable(session: Session) -> None:
    print("on \x1b[1mtable", os.fsdecode(b"caf\xe9"), file=sys.stderr, flush=True)
    raise ValueError(os.fsdecode(b"no such file: caf\xe9"))


def _junk_then_fail(session: Session) -> None:
    os.write(1, bytes(range(256)) * 40)
    sys.stdout.buffer.write(b"\xff\xfe\x00\x1b[2J junk \n")
    sys.stdout.flush()
    raise ValueError("after the \x1b[31mjunk\x07")


def _print_without_end(session: Session) -> None:
    block = "x" * (1 << 20)
    while True:
        print(block)


def _fork_children(session: Session) -> None:
    for detach in (False, True):
        if os.fork() == 0:
            if detach:
                os.setsid()
            time.sleep(600)
            os._exit(0)


def _detach(work: Any) -> None:
    """Have ``work()`` done by a process that was forked twice, in a session of its own: nobody's child."""
    first = os.fork()
    if first == 0:
        os.setsid()
        if os.fork() == 0:
            work()
        os._exit(0)
    os.waitpid(first, 0)


def _leave_a_daemon(and_sleep: float = 0.0) -> None:
    _detach(lambda: time.sleep(600))
    time.sleep(and_sleep)


def _hang_as_it_ends() -> None:
    os._exit = lambda code: time.sleep(600)  # type: ignore[assignment, return-value]


def _ask_a_daemon(session: Session) -> None:
    """Its answer comes later; none comes if something kills it before."""
    ours, theirs = os.pipe()
    _detach(lambda: (time.sleep(0.5), os.write(theirs, b"answer"), os._exit(0)))
    os.close(theirs)
    if os.read(ours, 6) != b"answer":
        raise RuntimeError("its daemon is dead")
    os.close(ours)


def _share_with_children(session: Session) -> None:
    """150 MB which four children see and none copies."""
    held = np.ones(150_000_000 // 8)
    pids = []
    for _ in range(4):
        pids.append(os.fork())
        if pids[-1] == 0:
            time.sleep(0.5)
            os._exit(int(held[0]))
    for pid in pids:
        os.waitpid(pid, 0)


def _write_junk_to_harness(session: Session) -> None:
    for descriptor in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(descriptor, b"\xff" * 64)
    time.sleep(600)


def _segment() -> str:
    """A name in /dev/shm that has the number of the harness in it: that of the test which looks for it."""
    return f"bench-test-{os.environ['BENCH_JOBS_OF'].split(':')[1]}-{os.getpid()}"


def _touch(held: Any) -> None:
    """Every page, slowly enough to be seen; then it waits."""
    for position in range(0, len(held), 4096):
        held[position] = 1
        if position % (64 << 20) == 0:
            time.sleep(0.05)
    time.sleep(600)


def _fill(write: Callable[[bytes], object]) -> None:
    """In steps that are slow enough to be seen; then it waits."""
    for _ in range(12):
        write(bytes(64 << 20))
        time.sleep(0.05)
    time.sleep(600)


def _share_segment(session: Session) -> None:
    segment = shared_memory.SharedMemory(create=True, size=800 << 20, name=_segment())
    _touch(segment.buf)


def _fill_a_nameless_file(session: Session) -> None:
    """Written to and never mapped."""
    descriptor = os.memfd_create("big")
    _fill(lambda block: os.write(descriptor, block))


def _write_in_a_folder(session: Session) -> None:
    folder = pathlib.Path(f"/dev/shm/{_segment()}/deeper")
    folder.mkdir(parents=True)
    with (folder / "file").open("wb", buffering=0) as file:
        _fill(file.write)


def _forget_segment(session: Session) -> None:
    segment = shared_memory.SharedMemory(create=True, size=1 << 20, name=_segment())
    segment.buf[0] = 1
    time.sleep(0.5)
    os._exit(3)


def _pollute(session: Session) -> None:
    np.random.default_rng = lambda *_: np.random.Generator(np.random.PCG64(1))  # type: ignore[assignment]
    np.seterr(all="raise")
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    signal.signal(signal.SIGALRM, lambda *_: None)
    resource.setrlimit(resource.RLIMIT_CPU, (600, 600))
    sys.setrecursionlimit(200)
    os.environ["OMP_NUM_THREADS"] = "7"


def _be_killed_once(session: Session) -> None:
    """The first time; a file in the folder that the test names remembers."""
    mark = pathlib.Path(os.environ["KILLED_ONCE"]) / str(len(session.task.y))
    if not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)


def _unstorable(session: Session) -> None:
    scores = np.zeros((len(session.task.y), session.task.n_classes))
    session.predict = lambda choice, train, test, **_: Prediction(scores[test], {"handle": object()})  # type: ignore[method-assign]


Segfault = misbehaving("segfault", _segfault)
Exit3 = misbehaving("exit3", lambda _: os._exit(3))
KilledOutside = misbehaving("killed-outside", lambda _: os.kill(os.getpid(), signal.SIGKILL))
KillsServer = misbehaving("kills-server", _kill_parent)
AnswersAndHangs = misbehaving("answers-and-hangs", lambda _: _hang_as_it_ends())
SharesAnonymous = misbehaving("shares-anonymous", lambda _: _touch(mmap.mmap(-1, 800 << 20)))
SharesSegment = misbehaving("shares-segment", _share_segment)
FillsNameless = misbehaving("fills-nameless", _fill_a_nameless_file)
WritesInFolder = misbehaving("writes-in-folder", _write_in_a_folder)
ForgetsSegment = misbehaving("forgets-segment", _forget_segment)
Pollutes = misbehaving("pollutes", _pollute)
KilledOnce = misbehaving("killed-once", _be_killed_once)
Allocates = misbehaving("allocates", _allocate)
ChildAllocates = misbehaving("child-allocates", _allocate_in_child)
HugeArray = misbehaving("huge-array", lambda _: np.ones(1 << 40))
Sleeps = misbehaving("sleeps", lambda _: time.sleep(600))
RaisesUnpicklable = misbehaving("raises-unpicklable", _raise_unpicklable)
RaisesUnencodable = misbehaving("raises-unencodable", _raise_unencodable)
RaisesExit = misbehaving("raises-exit", lambda _: sys.exit("going away"))
JunkThenFails = misbehaving("junk-then-fails", _junk_then_fail)
PrintsWithoutEnd = misbehaving("prints-without-end", _print_without_end)
ForksChildren = misbehaving("forks-children", _fork_children)
LeavesDaemon = misbehaving("leaves-daemon", lambda _: _leave_a_daemon())
LeavesDaemonAndWaits = misbehaving("leaves-daemon-and-waits", lambda _: _leave_a_daemon(0.1))
LeavesDaemonAndSleeps = misbehaving("leaves-daemon-and-sleeps", lambda _: _leave_a_daemon(600))
ImportsEnd = misbehaving("imports-end", lambda _: __import__("ends_the_process"))
AsksDaemon = misbehaving("asks-daemon", _ask_a_daemon)
SharesWithChildren = misbehaving("shares-with-children", _share_with_children)
TakesAMoment = misbehaving("takes-a-moment", lambda _: time.sleep(0.3))
ForksAndReturns = misbehaving("forks-and-returns", lambda _: os.fork())
ClosesEverything = misbehaving("closes-everything", lambda _: os.closerange(3, 256))
WritesToHarness = misbehaving("writes-to-harness", _write_junk_to_harness)
Unstorable = misbehaving("unstorable", _unstorable)
Slow = misbehaving("slow", lambda _: time.sleep(0.05))  # 0.2 s a job: long enough to be killed in the middle
