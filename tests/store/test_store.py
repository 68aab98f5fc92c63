"""The store: what goes in comes out, what is not a store is left alone, what is full or taken is said."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from refusals import refused

from bench.errors import StoreError, UsageError
from bench.records.method import HoldoutResult
from bench.records.result import Job, JobResult
from bench.store import STORE_NAME, Store, holder, read_run, schema
from bench.store.rows import seal

ROOT = Path(__file__).parents[2]


def job(number: int = 0, method: str = "rfm", identity: str | None = None, **changed: Any) -> Job:
    name = identity or f"{method}-{number}"
    return replace(Job(name, f"d{number:04d}", "tiny", 10, 2, 3, method, "clean", "seed-0", 0), **changed)


def result(of: Job, accuracy: float = 100 / 3, kilobytes: int = 0) -> JobResult:
    holdouts = tuple(
        HoldoutResult(
            holdout=k,
            score=accuracy + k,
            config={"ridge": 0.1, "unit_norm": True, "name": "ünïcode <&'\""},
            iteration=k,
            validation_score=0.1 + 0.2,
            fit_seconds=1e-9,
            path=[{"config": {"ridge": 0.1}, "iterations": [0, 1], "score": [1.5, 2.5], "squared_error": [0.1, 0.2]}],
            details={"metric_diagonal": [math.pi] * (kilobytes * 64)},
        )
        for k in range(4)
    )
    return JobResult(of, "ok", "", holdouts, 1.5, 1.25, 300.5, {"threads": 1, "memory_peak_mb": 3.5})


def filled(folder: Path, results: Sequence[JobResult], jobs: Sequence[Job] = (), **provenance: object) -> Path:
    """A new store with ``results``; of ``jobs``, where more are planned than have one."""
    with Store(folder) as store:
        assert store.begin(jobs or [one.job for one in results], provenance) == {}
        for one in results:
            store.record(one)
    return folder / STORE_NAME


TWENTY = [result(job(k), kilobytes=4) for k in range(20)]


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    jobs = [job(k, m) for k in range(3) for m in ("laplace", "rfm")]
    stored = (result(jobs[0]), JobResult(jobs[1], "oom", "too big", output="line 1\nline 2"), result(jobs[3]))
    path = filled(tmp_path / "deep" / "run", stored, jobs, seed=0, command="x")
    record = read_run(path.parent)
    assert (record.results, record.planned) == (stored, tuple(jobs))
    assert record.provenance == {"seed": 0, "command": "x", "results": 3}
    with contextlib.closing(sqlite3.connect(path)) as plain:  # a database that others can open, without a log
        assert plain.execute("SELECT count(*) FROM holdouts").fetchone() == (8,)
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_what_scoring_took_and_the_sizes_of_test_folds_come_out_where_they_were_told(tmp_path: Path) -> None:
    first, *others = result(job()).holdouts
    told = replace(first, predict_seconds=1e-9 / 3, train_samples=7, test_samples=3)
    with Store(tmp_path) as store:
        store.begin([job(), job(1)], {})
        store.record(replace(result(job()), holdouts=(told, *others)))
        with pytest.raises(ValueError, match=r"type str is not supported where .*float \| None is expected"):
            store.record(replace(result(job(1)), holdouts=(replace(first, predict_seconds="1"),)))  # type: ignore[arg-type]
    (only,) = read_run(tmp_path).results
    assert only.holdouts == (told, *others)
    assert {(h.predict_seconds, h.train_samples, h.test_samples) for h in only.holdouts[1:]} == {(None, None, None)}


def test_a_new_result_of_a_job_replaces_the_old_with_its_holdouts(tmp_path: Path) -> None:
    filled(tmp_path, [result(job()), failed := JobResult(job(), "error", "broke")])
    assert read_run(tmp_path).results == (failed,)


def test_a_superseded_result_is_not_read_but_comes_back_with_its_job(tmp_path: Path) -> None:
    cases = ((0, "old"), (0, "new"), (1, "other"))
    old, new, other = (result(job(k, identity=name), float(n)) for n, (k, name) in enumerate(cases))
    filled(tmp_path, [old, other], started="first")
    with Store(tmp_path) as store:
        assert store.begin([new.job], {"started": "second"}) == {}
        assert read_run(tmp_path).results == (other,)
        store.record(new)
        assert read_run(tmp_path).results == (new, other)
        assert store.begin([old.job], {"started": "third"}) == {"old": "ok"}
        assert read_run(tmp_path).results == (old, other)
        store.begin([new.job, other.job], {"started": "fourth"})
        store.record(other)
    assert [i["started"] for i in read_run(tmp_path).invocations] == ["second", "fourth"], (
        "the first has none that counts"
    )


def test_an_invocation_that_found_all_done_is_not_where_the_results_come_from(tmp_path: Path) -> None:
    jobs = [job(0), job(1), job(2)]
    filled(tmp_path, [result(one) for one in jobs[:2]], started="first", commit="a")
    with Store(tmp_path) as store:
        store.begin(jobs, {"started": "second", "commit": "b"})
        store.record(result(jobs[1]))
        store.begin(jobs[2:], {"started": "third", "commit": "c"})
    record = read_run(tmp_path)
    assert record.invocations == (
        {"started": "first", "commit": "a", "results": 1},
        {"started": "second", "commit": "b", "results": 1},
    )
    assert record.provenance == record.invocations[-1]
    assert (record.planned_by, record.planned) == ({"started": "third", "commit": "c"}, (jobs[2],))
    filled(tmp_path / "none", [], jobs, started="first")
    assert read_run(tmp_path / "none").provenance == {"started": "first"}


def test_it_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    counts: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            counts.append(len(read_run(tmp_path).results))

    with Store(tmp_path) as store:
        store.begin([job(k) for k in range(60)], {})
        reader = threading.Thread(target=look)
        reader.start()
        try:
            for k in range(60):
                if k % 20 == 0:
                    looked = len(counts)
                    while len(counts) < looked + 2:  # one look that began after the last result
                        time.sleep(0.001)
                store.record(result(job(k)))
        finally:
            done.set()
            reader.join()
    assert counts == sorted(counts)
    assert {0, 20, 40} <= set(counts)
    assert len(read_run(tmp_path).results) == 60


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.begin([job()], {})
        program = f"from pathlib import Path; from bench.store import Store; Store(Path({str(tmp_path)!r}))"
        second = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
        assert second.returncode == 1
        assert f"is in use by process {os.getpid()} on " in second.stderr
        assert "StoreError" in second.stderr
        assert holder(tmp_path) is not None
        store.record(result(job()))  # the first one goes on
    assert holder(tmp_path) is None
    Store(tmp_path).close()


def set_bytes(path: Path, offset: int, value: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[offset : offset + len(value)] = value
    path.write_bytes(content)


BREAKAGES: dict[str, tuple[Callable[[Path], object], str | tuple[str, str]]] = {
    "another version": (lambda p: set_bytes(p, 60, (99).to_bytes(4, "big")), "format version 99"),
    "another program's": (lambda p: set_bytes(p, 68, b"\0\0\0\0"), "another program"),
    "cut in half": (lambda p: os.truncate(p, p.stat().st_size // 2), "cut short"),
    "one byte missing": (lambda p: os.truncate(p, p.stat().st_size - 1), "cut short"),
    "nearly empty": (lambda p: os.truncate(p, 50), "broken"),
    "empty": (lambda p: os.truncate(p, 0), "broken"),
    "text": (lambda p: p.write_text("hello" * 100), "not a SQLite file"),
    "damaged pages": (
        lambda p: set_bytes(p, 4096, b"\xab" * (p.stat().st_size - 8192)),
        ("is damaged", "cannot be read"),
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_what_is_not_a_sound_store_is_refused_and_left_alone(tmp_path: Path, breakage: str) -> None:
    path = filled(tmp_path, TWENTY)
    damage, words = BREAKAGES[breakage]
    damage(path)
    before = path.read_bytes()
    for use, said in zip((Store, read_run), words if isinstance(words, tuple) else (words, words), strict=True):
        refused(StoreError, said, use, tmp_path)
    assert path.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"lock", STORE_NAME}
    assert holder(tmp_path) is None


def execute(path: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(sql)


def dropped(table: str, *columns: str) -> list[str]:
    return [f"ALTER TABLE {table} DROP COLUMN {column}" for column in columns]


UNDONE = {
    5: [
        "ALTER TABLE cells RENAME TO seeded",
        "CREATE TABLE cells (dataset TEXT NOT NULL, method TEXT NOT NULL, protocol TEXT NOT NULL, job TEXT NOT NULL "
        "REFERENCES jobs (id), invocation INTEGER NOT NULL REFERENCES invocations (number), PRIMARY KEY (dataset, "
        "method, protocol)) WITHOUT ROWID",
        "INSERT INTO cells SELECT dataset, method, protocol, job, invocation FROM seeded",
        "DROP TABLE seeded",
        *dropped("jobs", "table_sha256", "fold_sha256"),
        *dropped("holdouts", "predict_seconds", "train_samples", "test_samples"),
    ],
    4: [
        *dropped("jobs", "kind", "selected_by"),
        *dropped("holdouts", "measures"),
        "ALTER TABLE holdouts RENAME COLUMN score TO accuracy",
        "ALTER TABLE holdouts RENAME COLUMN validation_score TO validation_accuracy",
        """UPDATE holdouts SET path = replace(path, '"score"', '"accuracy"')""",
    ],
    3: [*dropped("jobs", "work", "versions", "parameters"), *dropped("results", "vals", "checksum")],
    2: dropped("jobs", "reduction"),
}
"""What makes a store of one version one of the version before."""


def as_written_by_version(version: int, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in (each for later in range(5, version, -1) for each in UNDONE[later]):
            connection.execute(statement)
        if version >= 3:
            for (one,) in connection.execute("SELECT job FROM results").fetchall():
                seal(connection, one)
        connection.execute(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_store_of_a_version_before_is_read_as_it_is_and_gone_on_with(tmp_path: Path, version: int) -> None:
    """Its jobs have the checksums of data, which were not recorded before the last version, once planned again."""
    path = filled(tmp_path, TWENTY)
    expected = read_run(tmp_path)
    as_written_by_version(version, path)
    before = path.read_bytes()
    assert read_run(tmp_path) == expected
    assert path.read_bytes() == before
    jobs = [replace(one.job, table_sha256="t", fold_sha256="a b") for one in TWENTY]
    large = job(20, reduction="tested on the first hold-out only")
    with Store(tmp_path) as store:
        assert list(store.begin([*jobs, large], {}).values()) == ["ok"] * 20
        store.record(result(large))
    record = read_run(tmp_path)
    assert ([r.job for r in record.results], record.damaged) == ([*jobs, large], ())
    assert (jobs[0].folds, large.folds) == (("a", "b"), ())


def test_a_result_of_the_version_before_that_was_damaged_is_no_sounder_after_the_upgrade(tmp_path: Path) -> None:
    path = filled(tmp_path, TWENTY[:4])
    as_written_by_version(3, path)
    execute(path, "UPDATE holdouts SET accuracy = 99.5 WHERE job = 'rfm-3' AND holdout = 1")
    damaged = ("d0003/rfm (clean)",)
    assert read_run(tmp_path).damaged == damaged
    with Store(tmp_path) as store:
        assert len(store.begin([one.job for one in TWENTY[:4]], {})) == 3
    assert read_run(tmp_path).damaged == damaged


def test_an_upgrade_cut_off_leaves_the_version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path, TWENTY)
    expected = read_run(tmp_path)
    as_written_by_version(1, path)
    monkeypatch.setitem(schema._UPGRADES, 3, ("no SQL",))
    refused(StoreError, "cannot be opened for writing", Store, tmp_path)
    monkeypatch.undo()
    assert path.read_bytes()[60:64] == (1).to_bytes(4, "big")
    assert read_run(tmp_path) == expected


def test_a_table_in_full_and_reduced_is_not_mixed(tmp_path: Path) -> None:
    reduced = "tested on the first hold-out only"
    with Store(tmp_path) as store:
        store.begin([job(0), job(1, reduction=reduced)], {})
        for one in (job(1, "laplace"), job(0, "laplace", reduction=reduced)):
            refused(UsageError, r"in full for some methods and reduced for others.*--full", store.begin, [one], {})
        store.begin([job(0, "laplace"), job(1, "laplace", reduction=reduced)], {})
        both = [job(0, method, f"{method}-again", reduction=reduced) for method in ("rfm", "laplace")]
        assert store.begin(both, {}) == {}  # all methods of the table: nothing is left to be mixed with
    assert {j.reduction for j in read_run(tmp_path).planned} == {reduced}


def test_what_is_no_store_yet(tmp_path: Path) -> None:
    refused(StoreError, r"results\.sqlite is not there", read_run, tmp_path)
    (tmp_path / "file").write_text("")
    refused(StoreError, "cannot be created", Store, tmp_path / "file" / "run")
    (tmp_path / f"{STORE_NAME}.new").write_bytes(b"SQLite format 3\0 and then the power went")
    Store(tmp_path).close()  # an unfinished creation is no obstacle
    assert read_run(tmp_path).results == ()


def test_a_transaction_cut_off_is_undone_by_the_next_reader(tmp_path: Path) -> None:
    """A process killed between writing pages and committing leaves a journal."""
    path = filled(tmp_path, TWENTY)
    program = (
        f"import os, sqlite3\nc = sqlite3.connect({str(path)!r}, isolation_level=None)\n"
        "for sql in ('PRAGMA cache_size = 1', 'BEGIN', 'DELETE FROM holdouts', 'DELETE FROM results'): c.execute(sql)\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert (tmp_path / f"{STORE_NAME}-journal").stat().st_size > 0
    assert read_run(tmp_path).results == tuple(TWENTY)


def test_a_full_disk_ends_cleanly_and_what_was_stored_stays(small_disk: Path) -> None:
    folder, results, kept = small_disk / "run", [result(job(k), kilobytes=2) for k in range(400)], 0
    jobs = [one.job for one in results]
    with Store(folder) as store:
        store.begin(jobs, {})
        with pytest.raises(StoreError, match=r"full.*All results before are intact"):  # noqa: PT012
            for one in results:
                store.record(one)
                kept += 1
    assert 0 < kept < 400
    assert read_run(folder).results == tuple(results[:kept])
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    with Store(folder) as store:
        assert len(store.begin(jobs, {})) == kept
        store.record(results[-1])
    assert len(read_run(folder).results) == kept + 1


def test_a_disk_without_a_byte_free_is_said_at_the_start(small_disk: Path) -> None:
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x" * 4096):
            pass
    refused(StoreError, r"full|No space left", Store, small_disk / "run")


def test_a_read_only_folder_can_be_read_and_not_written(small_disk: Path) -> None:
    filled(small_disk / "run", TWENTY[:2])
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        assert len(read_run(small_disk / "run").results) == 2
        refused(StoreError, "cannot be written to: Read-only", Store, small_disk / "run")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
