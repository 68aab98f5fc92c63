"""Which job may start: within the budget, longest first, nobody starves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.protocols import PROTOCOLS
from bench.records.result import Job
from bench.run.jobs import LARGE_BYTES
from bench.run.local import Scheduler
from bench.run.plan import Task
from bench.run.work import MethodWork

MB = 1 << 20


def task(number: int, megabytes: int, seconds: float = 1.0) -> Task:
    job = Job(f"{number}", f"d{number}", "tiny", 10, 2, 2, "m", "clean", "seed-0", 0)
    work = MethodWork("m", (PROTOCOLS["clean"],), 0, None, "k")
    large = megabytes * MB > LARGE_BYTES
    return Task(job, work, megabytes * MB, seconds, 60.0, alone=large, all_cores=large)


@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=30),
    st.integers(1, 6),
    st.integers(300, 4000),
    st.randoms(use_true_random=False),
)
def test_every_job_runs_once_within_budget_and_size(sizes, size, budget_mb, random):  # type: ignore[no-untyped-def]
    tasks = [task(number, megabytes) for number, megabytes in enumerate(sizes)]
    queue = Scheduler(tasks, size, budget_mb * MB)
    refused = {r.job.id for r in queue.refused()}
    assert refused == {t.job.id for t in tasks if t.estimated_bytes > budget_mb * MB}
    running: list[Task] = []
    ran: list[str] = []
    while not queue.empty or running:
        while (admitted := queue.admit(running)) is not None:
            running.append(admitted)
            ran.append(admitted.job.id)
            assert len(running) <= size
            assert sum(queue.allowance(t) for t in running) <= budget_mb * MB
            if any(t.alone for t in running):
                assert len(running) == 1
        assert running, "nothing runs although jobs are waiting"
        running.remove(random.choice(running))
    assert sorted(ran) == sorted({t.job.id for t in tasks} - refused)


def test_order_is_kept_while_memory_admits() -> None:
    queue = Scheduler([task(k, 1) for k in range(5)], 5, 8000 * MB)
    running: list[Task] = []
    while (admitted := queue.admit(running)) is not None:
        running.append(admitted)
    assert [t.job.id for t in running] == ["0", "1", "2", "3", "4"]


def test_small_jobs_fill_in_but_do_not_delay_the_one_that_waits() -> None:
    """Budget 2000: the first takes 900 (its allowance 1606); the second waits for it, small ones may pass."""
    first, second = task(0, 900), task(1, 900)
    small = [task(k, 0) for k in range(2, 12)]  # 256 MB of allowance each
    queue = Scheduler([first, second, *small], 8, 2000 * MB)
    running = [queue.admit([])]
    assert running == [first]
    passed = queue.admit(running)  # type: ignore[arg-type]
    assert passed == small[0]
    # Another would fit beside these two no longer; and once the first ends, the second starts though one passed it.
    assert queue.admit([first, passed]) is None
    assert queue.admit([passed]) == second


def test_a_large_job_waits_for_an_empty_machine_and_is_not_overtaken() -> None:
    large = task(1, (LARGE_BYTES >> 20) + 1)
    queue = Scheduler([task(0, 1), large, task(2, 1)], 4, 64_000 * MB)
    first = queue.admit([])
    assert first is not None
    assert queue.admit([first]) is None
    assert queue.admit([]) == large
    assert queue.admit([large]) is None


def test_a_job_put_back_is_the_next() -> None:
    queue = Scheduler([task(0, 1), task(1, 1)], 1, 1000 * MB)
    first = queue.admit([])
    assert first is not None
    queue.put_back(first)
    assert queue.admit([]) == first
