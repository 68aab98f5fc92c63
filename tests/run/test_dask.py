"""Jobs on a real scheduler and two worker processes on loopback: same scores, same isolation, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from plugin_text import CENTROIDS, write_plugin
from tiny_benchmark import Recorder, TinyBenchmark, by_method, scores, tables
from waiting import wait_until

from bench.command_line import main
from bench.errors import EngineError
from bench.records.result import RunRecord
from bench.run.dask import _Run
from bench.run.dask_worker import offer
from bench.run.processes import children
from bench.run.resources import available_cores
from bench.run.runner import Outcome, execute, open_executor
from bench.store import Store, read_run

pytest.importorskip("distributed")
pytestmark = [pytest.mark.dask, pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

HERE = Path(__file__).parent
PYTHONPATH = os.pathsep.join([str(HERE.parents[1]), str(HERE)])


class Cluster:
    """A scheduler and its workers, each a process of its own. They are kept for the next test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self.scheduler = spawn(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)
        )
        self.workers: list[subprocess.Popen[str]] = []
        wait_until(lambda: file.exists() and file.read_text().rstrip().endswith("}"))
        self.address = json.loads(file.read_text())["address"]

    def mend(self) -> None:
        """Two sound workers: those that the test before has killed are replaced, those that it has added end."""
        if self.scheduler.poll() is not None:
            self.stop()
            self.start()
        else:
            self.drop(*self.workers[2:], *(worker for worker in self.workers if worker.poll() is not None))
        while len(self.workers) < 2:
            self.add_worker()
        self.wait_for_workers()

    def add_worker(self) -> None:
        worker = spawn(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--local-directory", str(self.folder), "--memory-limit", "0",
        )  # fmt: skip
        self.workers.append(worker)

    def wait_for_workers(self) -> None:
        """Until the scheduler knows those that live and no other."""
        import distributed

        with distributed.Client(self.address, set_as_default=False) as client:
            wait_until(lambda: len(client.nthreads()) == len(self.workers))

    def drop(self, *workers: subprocess.Popen[str]) -> None:
        for process in workers:
            process.kill()
            process.communicate()
        self.workers = [worker for worker in self.workers if worker not in workers]

    def stop(self) -> None:
        self.drop(*self.workers, self.scheduler)


def spawn(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]],
        env={
            **os.environ,
            "PYTHONPATH": PYTHONPATH,
            # The first death of a worker makes Dask give up what it ran: that must not become a result.
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
            "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.fixture(scope="module")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("dask"))
    yield made
    made.stop()


@pytest.fixture
def cluster(_kept: Cluster) -> Cluster:
    """A scheduler and two workers that it knows."""
    _kept.mend()
    return _kept


class Watcher(Recorder):
    """A recorder that may act when a job starts, too, and that keeps count of what is out."""

    def __init__(self, on_finish: Any = lambda count: None, on_start: Any = lambda begun: None) -> None:
        super().__init__(on_finish)
        self._on_start = on_start
        self.begun: list[str] = []
        self.most_beside: dict[str, int] = {}
        """By job, how many were out when it started or while it ran, itself included."""

    def started(self, progress: Any, task: Any) -> None:
        super().started(progress, task)
        self.begun.append(task.job.id)
        out = progress.running
        self.most_beside |= {job: max(self.most_beside.get(job, 0), len(out)) for job in out}
        self._on_start(len(self.begun))


def run_on(
    address: str | None,
    benchmark: TinyBenchmark,
    *methods: str,
    watcher: Any = None,
    timeout: float = 60.0,
    memory_bytes: int | None = 2 << 30,
) -> tuple[Outcome, RunRecord]:
    plan = benchmark.plan(*methods, timeout=timeout)
    with (
        Store(benchmark.folder) as store,
        open_executor("dask", address, benchmark.folder, 2, memory_bytes) as executor,
    ):
        outcome = execute(plan, store, executor, {"seed": 0}, [watcher] if watcher else [])
    return outcome, read_run(benchmark.folder)


def test_the_same_scores_as_on_one_machine_and_a_table_is_sent_to_a_worker_once(
    tiny: TinyBenchmark, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    import distributed

    sent: list[tuple[str, str]] = []
    scatter = distributed.Client.scatter

    def counting(client: Any, data: Any, workers: Any = None, **more: Any) -> Any:
        sent.append((workers[0], data[0].name))
        return scatter(client, data, workers=workers, **more)

    monkeypatch.setattr(distributed.Client, "scatter", counting)
    methods, watcher = ("Slow", "Centroid", "Shrunken"), Watcher()
    local = TinyBenchmark(tiny.folder / "local", tables(3)).run(*methods)[1]
    benchmark = TinyBenchmark(tiny.folder / "dask", tables(3))
    outcome, record = run_on(cluster.address, benchmark, *methods, watcher=watcher, memory_bytes=None)
    assert outcome.all_ok
    assert scores(record) == scores(local)
    assert len(sent) == len(set(sent)), "a table was sent to the same worker twice"
    assert len({name for _, name in sent}) == 3
    with distributed.Client(cluster.address, set_as_default=False) as client:
        logs = client.run(lambda dask_worker: list(dask_worker.transfer_incoming_log))
    assert list(logs.values()) == [[], []], "workers have passed tables on among themselves"


@pytest.mark.parametrize("local", [False, True], ids=["cluster", "local"])
def test_a_fault_costs_its_own_job_only(
    tiny: TinyBenchmark, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, local: bool
) -> None:
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    faults = ("Segfault", "Allocates", "RaisesUnpicklable", "TooLarge")
    _, record = run_on(None if local else cluster.address, tiny, "Centroid", *faults, memory_bytes=1 << 29)
    assert {(r.job.method, r.status) for r in record.results} == {
        ("centroid", "ok"),
        ("segfault", "error"),
        ("allocates", "oom"),
        ("raises-unpicklable", "error"),
        ("too-large", "skipped"),
    }
    assert len(record.results) == 5 * len(tiny.entries)
    assert all(worker.poll() is None for worker in cluster.workers)


def test_killing_workers_loses_nothing(tiny: TinyBenchmark, cluster: Cluster) -> None:
    """All tables are on one worker or the other; each worker is killed in turn, and one joins in between."""

    def strike(count: int) -> None:
        if count == 3:
            cluster.workers[0].kill()
        if count == 6:
            cluster.add_worker()
        if count == 9:
            cluster.workers[1].kill()

    watcher = Watcher(strike)
    outcome, record = run_on(cluster.address, TinyBenchmark(tiny.folder, tables(5)), "Slow", "Centroid", "Shrunken",
                             watcher=watcher)  # fmt: skip
    assert [worker.poll() is None for worker in cluster.workers] == [False, False, True]
    assert outcome.all_ok
    assert len(watcher.finished_jobs) == len(record.results) == 15


def test_a_scheduler_that_dies_leaves_a_run_that_resumes(
    tiny: TinyBenchmark, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = TinyBenchmark(tiny.folder, tables(12))

    def strike(count: int) -> None:
        if count == 4:
            cluster.scheduler.kill()
            monkeypatch.setattr("bench.run.dask.NO_WORKER_SECONDS", 1.0)

    watcher = Watcher(strike)
    with pytest.raises(EngineError, match="run the same command again"):
        run_on(cluster.address, benchmark, "Slow", watcher=watcher)
    kept = read_run(tiny.folder).results
    assert len(kept) == len(watcher.finished_jobs) >= 4
    outcome, record = benchmark.run("Slow")
    assert outcome.already == len(kept)
    assert outcome.all_ok
    assert len(record.results) == 12


def test_no_scheduler_at_the_address(tiny: TinyBenchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.run.dask.CONNECT_SECONDS", 1)
    # Dask leaves a client that has failed to the garbage collector, which may then hang: there must be none.
    monkeypatch.setattr("distributed.Client", lambda *_, **__: pytest.fail("a client was made"))
    with pytest.raises(EngineError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run_on("tcp://127.0.0.1:9", tiny, "Centroid")
    with pytest.raises(EngineError, match="no Dask scheduler answers at nonsense"):
        run_on("nonsense://x", tiny, "Centroid")


def test_ctrl_c_finishes_what_runs(tiny: TinyBenchmark, cluster: Cluster) -> None:
    benchmark = TinyBenchmark(tiny.folder, tables(12))
    watcher = Watcher(lambda count: os.kill(os.getpid(), signal.SIGINT) if count == 2 else None)
    outcome, record = run_on(cluster.address, benchmark, "Slow", watcher=watcher)
    assert outcome.interrupted
    assert 2 <= len(record.results) <= 5
    assert outcome.undone == 12 - len(record.results)


def test_workers_are_waited_for_and_a_job_that_loses_its_own_again_and_again_is_not_called_faulty(
    tiny: TinyBenchmark, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is none at first, and none again while the one that has come is dead."""
    monkeypatch.setattr("bench.run.dask._LOSSES_ALLOWED", 0)
    cluster.drop(*cluster.workers)

    class Waiting(Watcher):
        def tick(self, progress: Any) -> None:
            if all(worker.poll() is not None for worker in cluster.workers):
                cluster.add_worker()

    def strike(begun: int) -> None:
        if begun == 1:
            wait_until(lambda: jobs_at_work(cluster) == 1)
            cluster.workers[0].kill()

    watcher = Waiting(on_start=strike)
    _, record = run_on(cluster.address, tiny, "TakesAMoment", watcher=watcher)
    told = {r.job.id: (r.status, r.reason.partition(" (")[0]) for r in record.results}
    lost = "not done: the Dask workers that had it were lost 1 times"
    assert told == dict(zip(watcher.begun, [("error", lost), ("ok", "")], strict=True))


def test_a_worker_that_lacks_this_package_is_named_and_given_nothing(
    tiny: TinyBenchmark, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.run.dask.offer", lambda wanted: __import__("no_such_package_there").offer())

    class Noting(Watcher):
        def note(self, text: str) -> None:
            super().note(text)
            monkeypatch.setattr("bench.run.dask.NO_WORKER_SECONDS", 0.0)

    watcher = Noting()
    with pytest.raises(EngineError, match="no usable worker"):
        run_on(cluster.address, tiny, "Centroid", watcher=watcher)
    assert "cannot be used (ModuleNotFoundError: No module named 'no_such" in "\n".join(watcher.notes)
    assert read_run(tiny.folder).results == ()


def jobs_at_work(cluster: Cluster) -> int:
    """Processes below the fork servers: the jobs' own."""
    servers = [child for worker in cluster.workers for child in children(worker.pid)]
    return sum(len(children(pid)) for pid in servers)


def test_jobs_of_a_killed_client_are_stopped(tiny: TinyBenchmark, cluster: Cluster) -> None:
    """They would sleep for ten minutes and keep their workers from everybody else."""
    client = subprocess.Popen(
        [sys.executable, str(HERE / "test_dask.py"), cluster.address, str(tiny.folder), "Sleeps"],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
    )
    try:
        wait_until(lambda: jobs_at_work(cluster) == 2)
    finally:
        client.kill()
        client.wait()
    wait_until(lambda: jobs_at_work(cluster) == 0)
    outcome, _ = run_on(cluster.address, tiny, "Centroid")
    assert outcome.all_ok


def test_stopping_now_stops_jobs_that_have_begun(tiny: TinyBenchmark, cluster: Cluster) -> None:
    def stop(begun: int) -> None:
        if begun == 2:
            wait_until(lambda: jobs_at_work(cluster) == 2)
            os.kill(os.getpid(), signal.SIGTERM)

    outcome, record = run_on(cluster.address, tiny, "Sleeps", watcher=Watcher(on_start=stop), timeout=600.0)
    assert (outcome.interrupted, outcome.undone, record.results) == (True, 2, ())
    wait_until(lambda: jobs_at_work(cluster) == 0)


def run_plugin(folder: Path, text: str, *more: str) -> dict[str, Any]:
    """What became of the plug-in ``text`` on iris, run from the command line: results by status."""
    folder.mkdir()
    path = write_plugin(folder, text)
    main(["run", "--subset", "iris", "--methods", "centroids", "--plugin", path, "--run", str(folder / "r"), *more])
    return {result.status: result for result in read_run(folder / "r").results}


@pytest.mark.usefixtures("in_process")  # what is run here, to compare with
def test_a_plugin_travels_to_workers_that_do_not_see_its_file(elsewhere: Path, cluster: Cluster) -> None:
    here = run_plugin(elsewhere / "here", CENTROIDS)["ok"]
    there = run_plugin(elsewhere / "there", CENTROIDS, "--engine", "dask", "--scheduler", cluster.address)["ok"]
    assert [h.score for h in there.holdouts] == [h.score for h in here.holdouts]
    assert there.job.id == here.job.id


def test_a_plugin_whose_library_no_worker_has_ends_the_command_with_the_reason(
    elsewhere: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.run.dask.NO_WORKER_SECONDS", 1.0)
    (elsewhere / "path").mkdir()
    (elsewhere / "path" / "only_installed_here.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(elsewhere / "path"))
    found = run_plugin(
        elsewhere / "run", "import only_installed_here\n" + CENTROIDS,
        "--engine", "dask", "--scheduler", cluster.address,
    )  # fmt: skip
    assert found == {}
    assert (
        "no usable worker for 1 seconds (it does not have what centroids needs: plug-in my_method.py cannot be loaded: "
        "ModuleNotFoundError: No module named 'only_installed_here')"
    ) in capsys.readouterr().err


def test_a_worker_says_of_what_it_has_another_version(tiny: TinyBenchmark) -> None:
    """And is then left out, as one that lacks a library."""
    (task, _) = tiny.plan("Centroid").tasks
    here = task.work.fingerprint()
    newer = replace(here, versions=here.versions | {"numpy": "99.0"})
    for wanted, said in (
        (here, ()),
        (replace(here, code="another"), ("other code of centroid",)),
        (newer, (f"centroid: {here.words} there, {newer.words} where the run was started",)),
    ):
        assert offer([("centroid", task.work, wanted)]).differences == said


def test_large_jobs_run_one_after_another_alone_with_all_cores(tiny: TinyBenchmark, cluster: Cluster) -> None:
    """The last here: afterwards the workers' fork servers load torch, whatever else they are to load."""
    watcher, benchmark = Watcher(), TinyBenchmark(tiny.folder, tables(3))
    outcome, record = run_on(cluster.address, benchmark, "counting_methods:CountsThreadsLarge", "Slow", watcher=watcher)
    assert outcome.all_ok
    large = by_method(record)["counts-threads-large"]
    assert {r.holdouts[0].details["threads"]["torch"] for r in large} == {available_cores()}
    assert {watcher.most_beside[r.job.id] for r in large} == {1}
    assert {r.provenance["threads"] for r in by_method(record)["slow"]} == {1}


if __name__ == "__main__":
    run_on(sys.argv[1], TinyBenchmark(Path(sys.argv[2])), sys.argv[3], timeout=600.0)


def test_a_worker_that_gets_no_process_for_a_job_has_lost_it(tiny: TinyBenchmark) -> None:
    (task, _) = tiny.plan("Centroid").tasks
    run: Any = object.__new__(_Run)
    for error, lost in ((EngineError("the fork server does not start"), True), (RuntimeError("odd"), False)):
        future = SimpleNamespace(status="error", exception=lambda timeout, error=error: error)
        assert (run._outcome(future, task) is None) == lost
