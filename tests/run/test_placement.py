"""Which job may start where: within the budget, longest first, nobody starves; on a cluster, which worker takes it:
memory is shared out per machine, large jobs have one to themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.protocols import PROTOCOLS
from bench.records.result import Job
from bench.run.dask_worker import Offer
from bench.run.jobs import LARGE_BYTES
from bench.run.local import Scheduler
from bench.run.placement import Place, Placement
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


LARGE = LARGE_BYTES // MB + 1
GB = 1000 * MB


def cluster(*machines: tuple[int, ...], memory_bytes: int | None = None, offer_bytes: int = 8 * GB) -> Placement:
    """One number of threads per worker; workers are named ``m0w0``, ``m0w1``, ``m1w0`` ..."""
    placement = Placement(memory_bytes)
    threads = {f"m{m}w{w}": count for m, workers in enumerate(machines) for w, count in enumerate(workers)}
    placement.update(threads)
    for name in threads:
        placement.offered(name, Offer(name[:2], name[:2], 4, offer_bytes))
    return placement


def send(placement: Placement, *tasks: Task) -> list[Place]:
    kept_free: set[str] = set()
    places = []
    for each in tasks:
        place = placement.place(each, kept_free=kept_free)
        if place is not None:
            placement.sent(each, place)
            places.append(place)
    return places


def test_the_memory_of_a_machine_is_divided_by_the_jobs_its_workers_can_run() -> None:
    placement = cluster((1, 1, 2), (1,))
    places = send(placement, *(task(k, 1) for k in range(9)))
    assert len(places) == placement.slots == 5
    assert {(p.worker[:2], p.memory_bytes, p.cores) for p in places} == {("m0", 2 * GB, 1), ("m1", 8 * GB, 1)}
    assert sorted(p.worker for p in places) == ["m0w0", "m0w1", "m0w2", "m0w2", "m1w0"]


def test_it_is_decided_on_before_jobs_use_it_and_again_when_workers_join() -> None:
    placement = cluster((1,))
    assert placement.news() == [
        "m0: 1 Dask worker, 1 job at a time with 8,389 MB each; large ones alone, with 8,389 MB and 4 cores"
    ]
    assert placement.news() == []
    placement.update({"m0w0": 1, "m0w1": 1})
    assert placement.slots == 1, "a worker is given nothing before it has said what it has"
    placement.offered("m0w1", Offer("m0", "m0", 4, 7 * GB))  # a job of the first one is using some
    assert "2 Dask workers, 2 jobs at a time with 4,194 MB each" in placement.news()[0]


def test_a_worker_with_a_limit_of_its_own_keeps_to_it() -> None:
    placement = Placement(None)
    placement.update({"a": 1, "b": 1})
    placement.offered("a", Offer("m", "m", 4, 8 * GB))
    placement.offered("b", Offer("m", "m", 4, 1 * GB))
    assert {p.worker: p.memory_bytes for p in send(placement, task(0, 1), task(1, 1))} == {"a": 4 * GB, "b": 1 * GB}


def test_a_figure_given_is_each_workers() -> None:
    placement = cluster((1, 2), memory_bytes=6 * GB)
    places = send(placement, *(task(k, 1) for k in range(3)))
    assert {(p.worker, p.memory_bytes) for p in places} == {("m0w0", 6 * GB), ("m0w1", 3 * GB)}
    assert send(cluster((1, 2), memory_bytes=6 * GB), task(0, LARGE))[0].memory_bytes == 12 * GB


def test_a_large_job_waits_for_a_machine_that_others_then_leave_alone() -> None:
    placement = cluster((1, 1), (1, 1))
    first = [task(k, 1) for k in range(3)]
    there = {p.worker[:2]: t for p, t in zip(send(placement, *first), first, strict=True)}
    large, later = task(10, LARGE), task(11, 1)
    assert send(placement, large, later) == [], "the one free place is on the machine with fewest jobs, kept free now"
    for machine in ("m0", "m1"):
        placement.returned(there[machine])
    placed = send(placement, large, later)
    assert [p.alone for p in placed] == [True, False]
    assert placed[0].worker[:2] != placed[1].worker[:2]


def test_a_large_job_has_the_machine_to_itself() -> None:
    placement = cluster((1, 1))
    large = [task(k, LARGE) for k in range(2)]
    (place,) = send(placement, *large, task(9, 1))
    assert (place.memory_bytes, place.cores, place.alone) == (8 * GB, 4, True)
    assert not placement.has_room(set())
    placement.returned(large[0])
    assert [p.alone for p in send(placement, large[1], task(9, 1))] == [True]


def test_what_needs_more_than_a_share_has_a_machine_to_itself_too() -> None:
    placement = cluster((1,) * 16)  # 500 MB each
    (place, *others) = send(placement, task(0, 600), task(1, 400))
    assert (place.alone, place.memory_bytes, others) == (True, 8 * GB, [])


def test_it_goes_where_it_fits() -> None:
    placement = Placement(None)
    placement.update({"a": 1, "b": 1})
    placement.offered("a", Offer("small", "small", 4, 2 * GB))
    placement.offered("b", Offer("big", "big", 4, 9 * GB))
    assert send(placement, task(0, 5000))[0].worker == "b"
    assert send(placement, task(1, 99_000))[0].worker == "a"  # fits nowhere: refused there, with the figures


def test_jobs_of_workers_that_are_gone_are_named() -> None:
    placement = cluster((1, 1))
    tasks = [task(0, 1), task(1, 1)]
    there = {p.worker: t for p, t in zip(send(placement, *tasks), tasks, strict=True)}
    assert placement.update({"m0w0": 1}) == [there["m0w1"].job.id]
    placement.returned(there["m0w1"])
    assert placement.update({"m0w0": 1}) == []
    assert not placement.has_room(set())


def test_a_worker_that_has_the_table_is_preferred() -> None:
    placement = cluster((2, 2))
    first = task(0, 1)
    (place,) = send(placement, first)
    placement.returned(first)
    assert [p.worker for p in send(placement, task(1, 1), task(2, 1))] == [place.worker] * 2


@given(
    st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), min_size=1, max_size=3),
    st.lists(st.integers(0, 3000), max_size=25),
    st.randoms(use_true_random=False),
)
def test_every_job_is_placed_and_no_machine_overused(machines, sizes, random):  # type: ignore[no-untyped-def]
    placement = cluster(*map(tuple, machines), offer_bytes=4 * GB)
    waiting = [task(number, megabytes) for number, megabytes in enumerate(sizes)]
    out: list[tuple[Task, Place]] = []
    while waiting or out:
        kept_free: set[str] = set()
        for each in list(waiting):
            place = placement.place(each, kept_free=kept_free)
            if place is not None:
                assert placement.has_room(kept_free)
                placement.sent(each, place)
                waiting.remove(each)
                out.append((each, place))
        assert out, "nothing runs although jobs are waiting"
        for machine in range(len(machines)):
            here = [p for _, p in out if p.worker.startswith(f"m{machine}")]
            assert sum(p.memory_bytes for p in here) <= 4 * GB
            assert len(here) == 1 or not any(p.alone for p in here)
        each, place = out.pop(random.randrange(len(out)))
        assert place.alone == placement.needs_a_machine(each)
        placement.returned(each)
