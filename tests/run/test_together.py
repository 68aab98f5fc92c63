"""Jobs that tune alike are one task; each has its own result, whatever becomes of their process."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_benchmark import TinyBenchmark

from bench.run.plan import together
from bench.run.runner import left_to_do


def stored(tiny: TinyBenchmark) -> dict[tuple[str, str], str]:
    """By table and protocol: status, and all that does not change from run to run."""
    from bench.store import read_run

    return {
        (r.job.dataset, r.job.protocol): r.status + repr([(h.score, h.config, h.iteration) for h in r.holdouts])
        for r in read_run(tiny.folder).results
    }


def test_results_are_those_of_runs_apart(tmp_path: Path) -> None:
    one, apart = TinyBenchmark(tmp_path / "one"), TinyBenchmark(tmp_path / "apart")
    names = "clean,clean-top5,clean-cv"
    plan = one.plan("Centroid", protocol=names)
    assert len(together(plan.tasks)) == 4, "clean and its mean of five for two tables, and clean-cv"
    outcome, record = one.run("Centroid", protocol=names)
    assert outcome.all_ok
    assert {r.job.id for r in record.results} == {job.id for job in plan.jobs}
    for name in names.split(","):
        apart.run("Centroid", protocol=name)
    assert stored(one) == stored(apart)
    assert all(r.cpu_seconds > 0 and not r.further for r in record.results)


@pytest.mark.usefixtures("in_process")
def test_what_is_done_is_left_out(tmp_path: Path) -> None:
    tiny = TinyBenchmark(tmp_path)
    _, record = tiny.run("Centroid", protocol="clean")
    plan = tiny.plan("Centroid", protocol="clean,clean-top5")
    todo = together(left_to_do(plan.tasks, {r.job.id: r.status for r in record.results}, retry_failed=False))
    assert [(t.job.protocol, t.further) for t in todo] == [("clean-top5", ())] * 2
    outcome, record = tiny.run(plan=plan)
    assert (outcome.already, outcome.all_ok, len(record.results)) == (2, True, 4)


@pytest.mark.parametrize(
    ("method", "status", "words"),
    [("RaisesExit", "error", "SystemExit"), ("Segfault", "error", "SIGSEGV"), ("Sleeps", "timeout", "--timeout")],
)
def test_what_ends_the_process_is_the_result_of_all(tmp_path: Path, method: str, status: str, words: str) -> None:
    _, record = TinyBenchmark(tmp_path).run(method, protocol="clean,clean-top5", timeout=1.0)
    found = {(r.job.dataset, r.job.protocol): (r.status, r.reason) for r in record.results}
    assert len(found) == 4
    assert {s for s, _ in found.values()} == {status}
    assert all(words in reason for _, reason in found.values()), found


def test_what_one_protocol_cannot_do_is_not_the_others_error(tmp_path: Path) -> None:
    _, record = TinyBenchmark(tmp_path).run("Centroid", protocol="clean,clean-greedy")
    found = {r.job.protocol: (r.status, r.reason) for r in record.results}
    assert found["clean"] == ("ok", "")
    assert found["clean-greedy"][0] == "error"
    assert "Path.scores" in found["clean-greedy"][1]
    _, alone = TinyBenchmark(tmp_path / "alone").run("Centroid", protocol="clean-greedy")
    assert {(r.status, r.reason) for r in alone.results} == {found["clean-greedy"]}
