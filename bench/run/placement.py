"""Which Dask worker takes which job, with how much memory and how many cores.

Workers of one machine share its memory and its cores. What a machine has for jobs is measured once, before the first
of them runs there, and divided evenly among its workers' threads. A job that runs alone, or needs more than such a
share, gets a machine to itself, with all its cores and all its memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import plural
from bench.run.dask_worker import Offer
from bench.run.plan import Task

_MB = 1e6


@dataclass(frozen=True)
class Place:
    """Where a job is to run, and what it may use there."""

    worker: str
    memory_bytes: int
    cores: int
    alone: bool


class Placement:
    """The workers of a cluster and the jobs that are out. ``memory_bytes`` is each worker's, None for the default."""

    def __init__(self, memory_bytes: int | None) -> None:
        self._memory_bytes = memory_bytes
        self._threads: dict[str, int] = {}
        self._offers: dict[str, Offer] = {}
        self._budgets: dict[str, int] = {}
        """Of each machine: the first offer made there."""
        self._out: dict[str, Place] = {}
        self._has: defaultdict[str, set[str]] = defaultdict(set)
        self._said: dict[str, str] = {}

    def update(self, threads: Mapping[str, int]) -> list[str]:
        """Take note of the workers there are, with their threads; returns the jobs whose worker is gone."""
        self._threads = dict(threads)
        self._offers = {worker: offer for worker, offer in self._offers.items() if worker in threads}
        return [job for job, place in self._out.items() if place.worker not in threads]

    def offered(self, worker: str, offer: Offer) -> None:
        """Take note of what a worker has; it is given jobs from now on."""
        self._offers[worker] = offer
        self._budgets.setdefault(offer.machine, offer.memory_bytes)

    def news(self) -> list[str]:
        """Lines for the log on machines whose workers, or what each of them may use, have changed."""
        lines = []
        for machine, workers in self._machines().items():
            slots = sum(self._threads[w] for w in workers)
            shares = sorted({self._share(w) for w in workers})
            each = " to ".join(f"{share / _MB:,.0f}" for share in dict.fromkeys((shares[0], shares[-1])))
            line = (
                f"{self._offers[workers[0]].host}: {plural(len(workers), 'Dask worker')}, "
                f"{plural(slots, 'job')} at a time with {each} MB each; "
                f"large ones alone, with {self._whole(machine) / _MB:,.0f} MB and "
                f"{plural(self._offers[workers[0]].cores, 'core')}"
            )
            if self._said.get(machine) != line:
                self._said[machine] = line
                lines.append(line)
        return lines

    def place(self, task: Task, *, kept_free: set[str]) -> Place | None:
        """Where ``task`` can start now; None if it has to wait.

        For a job that needs a machine to itself and finds none idle, the one with the fewest jobs is added to
        ``kept_free``: those that come after it are not placed there.
        """
        machines = self._machines()
        if self.needs_a_machine(task):
            fitting = [m for m in machines if self._whole(m) >= task.estimated_bytes] or list(machines)
            free = [m for m in fitting if m not in kept_free]
            if not free:
                return None
            machine = min(free, key=lambda m: (len(self._out_on(m)), m))
            if self._out_on(machine):
                kept_free.add(machine)
                return None
            worker = max(machines[machine], key=lambda w: task.work.data_key in self._has[w])
            return Place(worker, self._whole(machine), self._offers[worker].cores, alone=True)
        best: tuple[bool, int, str] | None = None
        for machine, workers in machines.items():
            if machine in kept_free or any(place.alone for place in self._out_on(machine)):
                continue
            for worker in workers:
                idle = self._threads[worker] - sum(place.worker == worker for place in self._out.values())
                if idle > 0 and self._share(worker) >= task.estimated_bytes:
                    best = max(best or (False, 0, ""), (task.work.data_key in self._has[worker], idle, worker))
        return None if best is None else Place(best[2], self._share(best[2]), 1, alone=False)

    def needs_a_machine(self, task: Task) -> bool:
        """Whether ``task`` runs alone, or needs more than any worker has for one of several jobs."""
        return task.alone or all(self._share(w) < task.estimated_bytes for w in self._usable())

    def sent(self, task: Task, place: Place) -> None:
        """``task`` is out at ``place``."""
        self._out[task.job.id] = place
        self._has[place.worker].add(task.work.data_key)

    def returned(self, task: Task) -> Place:
        """``task`` is out no longer; returns where it was."""
        return self._out.pop(task.job.id)

    @property
    def slots(self) -> int:
        """Jobs that can run at a time."""
        return sum(self._threads[w] for w in self._usable())

    def has_room(self, kept_free: set[str]) -> bool:
        """Whether any job at all could start now on a machine that is not to be ``kept_free``."""
        for machine, workers in self._machines().items():
            out, slots = self._out_on(machine), sum(self._threads[w] for w in workers)
            if machine not in kept_free and len(out) < slots and not any(place.alone for place in out):
                return True
        return False

    def _usable(self) -> list[str]:
        return [w for w in self._offers if self._threads.get(w, 0) > 0]

    def _machines(self) -> dict[str, list[str]]:
        machines: dict[str, list[str]] = {}
        for worker in sorted(self._usable()):
            machines.setdefault(self._offers[worker].machine, []).append(worker)
        return machines

    def _out_on(self, machine: str) -> list[Place]:
        return [p for p in self._out.values() if p.worker in self._offers and self._offers[p.worker].machine == machine]

    def _share(self, worker: str) -> int:
        """Bytes for one of several jobs at a time on ``worker``."""
        if self._memory_bytes is not None:
            return self._memory_bytes // self._threads[worker]
        offer = self._offers[worker]
        slots = sum(self._threads[w] for w in self._usable() if self._offers[w].machine == offer.machine)
        # A worker in a container of its own may have less than its part of the machine.
        return min(self._budgets[offer.machine] // slots, offer.memory_bytes // self._threads[worker])

    def _whole(self, machine: str) -> int:
        """Bytes for a job that has ``machine`` to itself."""
        workers = [w for w in self._usable() if self._offers[w].machine == machine]
        if self._memory_bytes is not None:
            return self._memory_bytes * len(workers)
        return min(self._budgets[machine], max(self._offers[w].memory_bytes for w in workers))
