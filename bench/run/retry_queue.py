"""Results on their way into the store. While another program holds it, they wait in memory and the run goes on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from bench.errors import StoreBusy, StoreError, first_few, plural
from bench.records.result import JobResult
from bench.run.provenance import REASON_CHARACTERS, printable, publishable
from bench.store import Store

RETRY_SECONDS = 2.0
LAST_TRY_SECONDS = 60.0
"""How long the end of a run waits for a store that is held."""

_NAMED = 5


class RetryQueue:
    """What is not stored yet, in the order in which it came."""

    def __init__(self, store: Store, note: Callable[[str], None]) -> None:
        self._store = store
        self._note = note
        self._waiting: deque[JobResult] = deque()
        self._blocked_at: float | None = None

    def add(self, result: JobResult) -> list[JobResult]:
        """Take ``result``; returns what could be stored now, as :meth:`flush`."""
        self._waiting.append(result)
        return self.flush()

    def flush(self) -> list[JobResult]:
        """Store what waits, unless that has just been tried in vain; returns what is on disk now and was not before.

        Raises :class:`StoreError` if the store takes nothing for another reason than that it is held.
        """
        if self._blocked_at is not None and time.monotonic() - self._blocked_at < RETRY_SECONDS:
            return []
        return self._store_all()

    def settle(self, given_up: Callable[[], bool]) -> list[JobResult]:
        """Store what waits at the end of the run, waiting for that as long as it is worth while.

        Raises :class:`StoreError` once :data:`LAST_TRY_SECONDS` have passed, or ``given_up()`` says so.
        """
        deadline = time.monotonic() + LAST_TRY_SECONDS
        stored = self._store_all()
        while self._waiting:
            if given_up() or time.monotonic() > deadline:
                jobs = first_few([f"{r.job.dataset}/{r.job.method}" for r in self._waiting], _NAMED)
                raise StoreError(
                    f"another program still holds {self._store.path}: the results of {jobs} could not be stored; all "
                    "before are intact. Close that program and run the same command again: only these jobs are run"
                )
            time.sleep(0.1)
            stored += self.flush()
        return stored

    def _store_all(self) -> list[JobResult]:
        stored = []
        while self._waiting:
            try:
                stored.append(_recorded(self._store, self._waiting[0]))
            except StoreBusy:
                if self._blocked_at is None:
                    self._note(
                        f"another program holds {self._store.path}: the run continues; its results are kept in memory "
                        "and stored as soon as that program closes it"
                    )
                self._blocked_at = time.monotonic()
                return stored
            self._waiting.popleft()
        if self._blocked_at is not None:
            self._blocked_at = None
            self._note(f"{self._store.path} is free again: {plural(len(stored), 'result')} stored")
        return stored


def _recorded(store: Store, result: JobResult) -> JobResult:
    """Store ``result``, or an ``error`` in its place if it is no result that can be stored; returns which it was.

    A store that takes nothing any more raises :class:`StoreError`: that is not the job's fault.
    """
    try:
        store.record(publishable(result))
        return result
    except StoreError:
        raise
    except Exception as error:
        reason = printable(f"its result cannot be stored ({type(error).__name__}: {error})"[:REASON_CHARACTERS])
        failed = JobResult(result.job, "error", reason)
        store.record(publishable(failed))
        return failed
