"""The store: what goes in comes out, what is not a store is left alone, what is full or taken is said."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from refusals import refused

from bench.errors import StoreError, UsageError
from bench.records.method import HoldoutResult
from bench.records.result import Job, JobResult
from bench.store import STORE_NAME, Store, holder, read_run, schema
from bench.store.rows import seal

ROOT = Path(__file__).parents[2]


def job(number: int = 0, method: str = "rfm", identity: str | None = None, **changed: object) -> Job:
    fields = {
        "id": identity or f"{method}-{number}",
        "dataset": f"d{number:04d}",
        "source": "tiny",
        "rows": 10,
        "features": 2,
        "classes": 3,
        "method": method,
        "protocol": "clean",
        "split": "seed-0",
        "seed": 0,
    }
    return Job(**{**fields, **changed})  # type: ignore[arg-type]


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


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    jobs = [job(k, m) for k in range(3) for m in ("rfm", "laplace")]
    stored = [result(jobs[0]), result(jobs[3]), JobResult(jobs[1], "oom", "too big", output="line 1\nline 2")]
    with Store(tmp_path / "deep" / "run") as store:
        assert store.begin(jobs, {"seed": 0, "command": "x"}) == {}
        for item in stored:
            store.record(item)
    record = read_run(tmp_path / "deep" / "run")
    assert sorted(record.results, key=lambda r: r.job.id) == sorted(stored, key=lambda r: r.job.id)
    assert sorted(record.planned, key=lambda j: j.id) == sorted(jobs, key=lambda j: j.id)
    assert record.provenance == {"seed": 0, "command": "x", "results": 3}


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
    with Store(tmp_path) as store:
        store.begin([job()], {})
        store.record(result(job()))
        store.record(JobResult(job(), "error", "broke"))
    (only,) = read_run(tmp_path).results
    assert (only.status, only.holdouts) == ("error", ())


def test_a_superseded_result_is_not_read_but_comes_back_with_its_job(tmp_path: Path) -> None:
    old, new = job(identity="old"), job(identity="new")
    with Store(tmp_path) as store:
        store.begin([old, job(1)], {})
        store.record(result(old, accuracy=1.0))
        store.record(result(job(1)))
        assert store.begin([new], {}) == {}
        assert [r.job.id for r in read_run(tmp_path).results] == ["rfm-1"]
        store.record(result(new, accuracy=2.0))
        assert [r.job.id for r in read_run(tmp_path).results] == ["new", "rfm-1"]
        assert store.begin([old], {}) == {"old": "ok"}
    assert {r.job.id: r.holdouts[0].score for r in read_run(tmp_path).results}["old"] == 1.0


def test_planned_are_the_last_invocations_jobs_only(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.begin([job(0), job(1)], {"started": "first"})
        store.begin([job(2)], {"started": "second"})
    record = read_run(tmp_path)
    assert [j.dataset for j in record.planned] == ["d0002"]
    assert record.provenance["started"] == "second"


def test_an_invocation_that_found_all_done_is_not_where_the_results_come_from(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.begin([job(0), job(1)], {"started": "first", "commit": "a"})
        store.record(result(job(0)))
        store.record(result(job(1)))
        store.begin([job(0), job(1), job(2)], {"started": "second", "commit": "b"})
        store.record(result(job(1)))
        store.begin([job(0), job(1), job(2)], {"started": "third", "commit": "c"})
    record = read_run(tmp_path)
    assert record.invocations == (
        {"started": "first", "commit": "a", "results": 1},
        {"started": "second", "commit": "b", "results": 1},
    )
    assert record.provenance == record.invocations[-1]
    assert record.planned_by == {"started": "third", "commit": "c"}


def test_invocations_whose_results_are_all_superseded_are_left_out(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.begin([job(identity="old")], {"started": "first"})
        store.record(result(job(identity="old")))
        store.begin([job(identity="new")], {"started": "second"})
        store.record(result(job(identity="new")))
    assert [i["started"] for i in read_run(tmp_path).invocations] == ["second"]


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


def test_a_lock_left_by_a_dead_process_does_not_hold(tmp_path: Path) -> None:
    program = (
        "import os; from pathlib import Path; from bench.store import Store\n"
        f"store = Store(Path({str(tmp_path)!r})); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == -9
    assert (tmp_path / "lock").exists()
    Store(tmp_path).close()


def filled(folder: Path) -> Path:
    with Store(folder) as store:
        store.begin([job(k) for k in range(20)], {})
        for k in range(20):
            store.record(result(job(k), kilobytes=4))
    return folder / STORE_NAME


def set_bytes(path: Path, offset: int, value: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[offset : offset + len(value)] = value
    path.write_bytes(content)


BREAKAGES = {
    "another version": (lambda p: set_bytes(p, 60, (99).to_bytes(4, "big")), "format version 99"),
    "another program's": (lambda p: set_bytes(p, 68, b"\0\0\0\0"), "another program"),
    "cut in half": (lambda p: os.truncate(p, p.stat().st_size // 2), "cut short"),
    "one byte missing": (lambda p: os.truncate(p, p.stat().st_size - 1), "cut short"),
    "nearly empty": (lambda p: os.truncate(p, 50), "broken"),
    "empty": (lambda p: os.truncate(p, 0), "broken"),
    "text": (lambda p: p.write_text("hello" * 100), "not a SQLite file"),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_what_is_not_a_sound_store_is_refused_and_left_alone(tmp_path: Path, breakage: str) -> None:
    path = filled(tmp_path)
    damage, words = BREAKAGES[breakage]
    damage(path)
    before = path.read_bytes()
    refused(StoreError, words, Store, tmp_path)
    refused(StoreError, words, read_run, tmp_path)
    assert path.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"lock", STORE_NAME}
    assert holder(tmp_path) is None


def test_damaged_pages_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = filled(tmp_path)
    set_bytes(path, 4096, b"\xab" * (path.stat().st_size - 8192))
    before = path.read_bytes()
    refused(StoreError, "is damaged", Store, tmp_path)
    assert path.read_bytes() == before


def execute(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(sql)
    connection.close()


def as_written_by_version(version: int, path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "ALTER TABLE cells RENAME TO seeded; CREATE TABLE cells (dataset TEXT NOT NULL, method TEXT NOT NULL, protocol "
        "TEXT NOT NULL, job TEXT NOT NULL REFERENCES jobs (id), invocation INTEGER NOT NULL REFERENCES invocations "
        "(number), PRIMARY KEY (dataset, method, protocol)) WITHOUT ROWID; INSERT INTO cells SELECT dataset, method, "
        "protocol, job, invocation FROM seeded; DROP TABLE seeded; "
        "ALTER TABLE jobs DROP COLUMN table_sha256; ALTER TABLE jobs DROP COLUMN fold_sha256; "
        "ALTER TABLE holdouts DROP COLUMN predict_seconds; ALTER TABLE holdouts DROP COLUMN train_samples; "
        "ALTER TABLE holdouts DROP COLUMN test_samples"
    )
    if version < 4:
        without_measures(version, connection)
    if version >= 3:
        for (one,) in connection.execute("SELECT job FROM results").fetchall():
            seal(connection, one)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def without_measures(version: int, connection: sqlite3.Connection) -> None:
    dropped = {"jobs": ["kind", "selected_by"], "holdouts": ["measures"], "results": []}
    if version < 3:
        dropped["jobs"] += ["work", "versions", "parameters"]
        dropped["results"] += ["vals", "checksum"]
    if version < 2:
        dropped["jobs"].append("reduction")
    for table, columns in dropped.items():
        for column in columns:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.execute("ALTER TABLE holdouts RENAME COLUMN score TO accuracy")
    connection.execute("ALTER TABLE holdouts RENAME COLUMN validation_score TO validation_accuracy")
    connection.execute("""UPDATE holdouts SET path = replace(path, '"score"', '"accuracy"')""")


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_store_of_a_version_before_is_read_as_it_is_and_gone_on_with(tmp_path: Path, version: int) -> None:
    path = filled(tmp_path)
    expected = read_run(tmp_path)
    as_written_by_version(version, path)
    before = path.read_bytes()
    assert read_run(tmp_path) == expected
    assert path.read_bytes() == before
    large = job(20, reduction="tested on the first hold-out only")
    with Store(tmp_path) as store:
        assert set(store.begin([*(job(k) for k in range(20)), large], {}).values()) == {"ok"}
        store.record(result(large))
    assert [r.job for r in read_run(tmp_path).results] == [*(job(k) for k in range(20)), large]


def test_jobs_of_before_checksums_were_recorded_have_them_once_planned_again(tmp_path: Path) -> None:
    path = filled(tmp_path)
    as_written_by_version(4, path)
    found = [job(k, table_sha256="t", fold_sha256="a b") for k in range(20)]
    with Store(tmp_path) as store:
        assert list(store.begin(found, {}).values()) == ["ok"] * 20
    record = read_run(tmp_path)
    assert ([r.job for r in record.results], record.damaged) == (found, ())
    assert found[0].folds == ("a", "b")
    assert job().folds == ()


def test_a_result_of_the_version_before_that_was_damaged_is_no_sounder_after_the_upgrade(tmp_path: Path) -> None:
    path = filled(tmp_path)
    as_written_by_version(3, path)
    execute(path, "UPDATE holdouts SET accuracy = 99.5 WHERE job = 'rfm-3' AND holdout = 1")
    damaged = ("d0003/rfm (clean)",)
    assert read_run(tmp_path).damaged == damaged
    with Store(tmp_path) as store:
        assert len(store.begin([job(k) for k in range(20)], {})) == 19
    assert read_run(tmp_path).damaged == damaged


def test_an_upgrade_cut_off_leaves_the_version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path)
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


def test_no_store_is_said(tmp_path: Path) -> None:
    refused(StoreError, r"results\.sqlite is not there", read_run, tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(StoreError, "cannot be created", Store, tmp_path / "file" / "run")


def test_an_unfinished_creation_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / f"{STORE_NAME}.new").write_bytes(b"SQLite format 3\0 and then the power went")
    Store(tmp_path).close()
    assert read_run(tmp_path).results == ()


def test_a_transaction_cut_off_is_undone_by_the_next_reader(tmp_path: Path) -> None:
    """A process killed between writing pages and committing leaves a journal."""
    filled(tmp_path)
    program = (
        "import os, sqlite3\n"
        f"c = sqlite3.connect({str(tmp_path / STORE_NAME)!r}, isolation_level=None)\n"
        "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN'); c.execute('DELETE FROM holdouts')\n"
        "c.execute('DELETE FROM results'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert (tmp_path / f"{STORE_NAME}-journal").stat().st_size > 0
    assert len(read_run(tmp_path).results) == 20
    assert all(len(r.holdouts) == 4 for r in read_run(tmp_path).results)


def test_a_full_disk_ends_cleanly_and_what_was_stored_stays(small_disk: Path) -> None:
    jobs = [job(k) for k in range(400)]
    kept = 0
    with Store(small_disk / "run") as store:
        store.begin(jobs, {})
        with pytest.raises(StoreError, match=r"full.*All results before are intact"):  # noqa: PT012
            for item in jobs:
                store.record(result(item, kilobytes=2))
                kept += 1
    assert 0 < kept < 400
    (small_disk / "filler").write_bytes(b"")
    record = read_run(small_disk / "run")
    assert len(record.results) == kept
    assert [r.holdouts for r in record.results] == [result(j, kilobytes=2).holdouts for j in jobs[:kept]]
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    with Store(small_disk / "run") as store:
        assert len(store.begin(jobs, {})) == kept
        store.record(result(jobs[-1], kilobytes=2))
    assert len(read_run(small_disk / "run").results) == kept + 1


def test_a_disk_without_a_byte_free_is_said_at_the_start(small_disk: Path) -> None:
    descriptor = os.open(small_disk / "filler", os.O_CREAT | os.O_WRONLY)
    try:
        while os.write(descriptor, b"x" * 4096):
            pass
    except OSError:
        pass  # full
    finally:
        os.close(descriptor)
    refused(StoreError, r"full|No space left", Store, small_disk / "run")


def test_a_read_only_folder_can_be_read_and_not_written(small_disk: Path) -> None:
    filled_with_few(small_disk / "run")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        assert len(read_run(small_disk / "run").results) == 2
        refused(StoreError, "cannot be written to: Read-only", Store, small_disk / "run")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


def filled_with_few(folder: Path) -> None:
    with Store(folder) as store:
        store.begin([job(0), job(1)], {})
        store.record(result(job(0)))
        store.record(result(job(1)))


def test_the_file_is_a_plain_database_that_others_can_open(tmp_path: Path) -> None:
    path = filled(tmp_path)
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("SELECT count(*) FROM holdouts").fetchone() == (80,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    finally:
        connection.close()
