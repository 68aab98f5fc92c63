"""A damaged store: refused in one line, or read as far as it is sound. Never a traceback, never another number."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from refusals import refused
from test_store import as_written_by_version, execute, filled, job, result

from bench.errors import BenchError, StoreError
from bench.records.result import JobResult, RunRecord
from bench.store import STORE_NAME, Store, read_run
from bench.store.rows import parsed_provenance

JOBS = [job(k, method) for k in range(2) for method in ("rfm", "laplace")]
CELL = job(7, "cell", parameters='{"width": 8}', seed=5, work="w", versions="numpy 2.4, torch 2.13", split="")
STORED = {
    r.job.id: r
    for r in (
        *(result(one, accuracy=10.0 * k, kilobytes=k) for k, one in enumerate(JOBS)),
        JobResult(CELL, "ok", values={"error": 0.25, "norms": [1.0, float("inf")]}, provenance={"threads": 2}),
    )
}


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder in memory, where there is one: thousands of flushes to disk would take minutes."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def sound(memory: Path) -> Path:
    path = filled(memory / "sound", list(STORED.values()), seed=0, started="now")
    assert_whole(path.parent)
    return path


def assert_whole(folder: Path) -> None:
    record = read_run(folder)
    assert ({r.job.id: r for r in record.results}, record.damaged) == (STORED, ())


def completed(folder: Path) -> set[str]:
    """The ids of what counts when the run is repeated; what does not is run again."""
    with Store(folder) as store:
        known = store.begin([*JOBS, CELL], {})
        assert known.items() <= dict.fromkeys(STORED, "ok").items()
        for key in STORED.keys() - known:
            store.record(STORED[key])
    return set(known)


def unless_refused(error: type[BenchError], use: Callable[[Path], Any], folder: Path) -> Any:
    """What comes of ``use(folder)``; None if it is refused, in one line."""
    try:
        return use(folder)
    except error as fault:
        assert "\n" not in str(fault)  # noqa: PT017
        return None


def read_or_refused(folder: Path) -> RunRecord | None:
    record: RunRecord | None = unless_refused(StoreError, read_run, folder)
    if record is not None:
        assert len({r.job.id for r in record.results}) == len(record.results)
        assert all(one == STORED[one.job.id] for one in record.results)
    return record


def opened_or_refused(folder: Path) -> None:
    if unless_refused(BenchError, completed, folder) is not None:
        assert_whole(folder)


@pytest.mark.parametrize("seed", range(2))
def test_a_flipped_byte(memory: Path, sound: Path, seed: int) -> None:
    rng = random.Random(seed)
    content = sound.read_bytes()
    outcomes = {"refused": 0, "damaged": 0, "sound": 0}
    folder = memory / f"flipped-{seed}"
    for number in range(200):
        position = rng.randrange(len(content)) if number % 4 else rng.randrange(100)  # the header too
        damaged = bytearray(content)
        damaged[position] ^= rng.randrange(1, 256)
        folder.mkdir()
        (folder / STORE_NAME).write_bytes(damaged)
        record = read_or_refused(folder)
        assert (folder / STORE_NAME).read_bytes() == damaged
        assert [file.name for file in folder.iterdir()] == [STORE_NAME]
        outcomes["refused" if record is None else "damaged" if len(record.results) < len(STORED) else "sound"] += 1
        if number % 3 == 0:
            opened_or_refused(folder)
        shutil.rmtree(folder)
    assert all(outcomes.values()), outcomes


def test_a_store_cut_short(memory: Path, sound: Path) -> None:
    content = sound.read_bytes()
    rng = random.Random(0)
    folder = memory / "short"
    for length in (0, 1, 99, 100, 4096, len(content) - 1, *(rng.randrange(len(content)) for _ in range(60))):
        folder.mkdir()
        (folder / STORE_NAME).write_bytes(content[:length])
        assert read_or_refused(folder) is None
        opened_or_refused(folder)
        assert (folder / STORE_NAME).read_bytes() == content[:length]
        shutil.rmtree(folder)


def test_flipped_bytes_in_the_log_of_a_killed_run(memory: Path) -> None:
    """Its own checksums end the log where it is damaged: what was stored before is there."""
    killed = memory / "killed"
    with Store(memory / "log") as store:
        store.begin([*JOBS, CELL], {})
        for one in STORED.values():
            store.record(one)
        shutil.copytree(store.folder, killed, ignore=shutil.ignore_patterns("*-shm"))
    log = killed / f"{STORE_NAME}-wal"
    content, rng, seen = log.read_bytes(), random.Random(0), set()
    for _ in range(100):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= rng.randrange(1, 256)
        log.write_bytes(damaged)
        record = read_or_refused(killed)
        seen.add(len(record.results) if record else -1)
    assert {0, len(STORED) - 1} <= seen
    log.write_bytes(content[: len(content) // 2])
    assert read_or_refused(killed) is not None
    opened_or_refused(killed)


CHANGES = {
    "an accuracy": "UPDATE holdouts SET score = score + 1 WHERE job = 'rfm-0' AND holdout = 2",
    "a hold-out less": "DELETE FROM holdouts WHERE job = 'rfm-0' AND holdout = 3",
    "JSON of another shape": "UPDATE holdouts SET path = '{}' WHERE job = 'rfm-0'",
    "no JSON": "UPDATE results SET provenance = '{' WHERE job = 'rfm-0'",
    "text for a number": "UPDATE results SET job_seconds = 'long' WHERE job = 'rfm-0'",
    "the job": "UPDATE jobs SET rows = 11 WHERE id = 'rfm-0'",
    "no checksum": "UPDATE results SET checksum = '' WHERE job = 'rfm-0'",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_result_is_named_and_run_again(tmp_path: Path, sound: Path, change: str) -> None:
    shutil.copy(sound, tmp_path)
    execute(tmp_path / STORE_NAME, CHANGES[change])
    record = read_run(tmp_path)
    assert record.damaged == ("d0000/rfm (clean)",)
    assert {r.job.id for r in record.results} == STORED.keys() - {"rfm-0"}
    assert {j.id for j in record.planned} == STORED.keys()
    mended = {"rfm-0"} if change == "the job" else set()  # planning it anew mends its row
    assert completed(tmp_path) == STORED.keys() - {"rfm-0"} | mended
    assert_whole(tmp_path)


def test_a_damaged_result_is_not_kept_for_a_table_that_cannot_be_read(tmp_path: Path, sound: Path) -> None:
    shutil.copy(sound, tmp_path)
    execute(tmp_path / STORE_NAME, CHANGES["an accuracy"])
    unread = [replace(one, id=f"{one.id}-unread", split="") for one in JOBS[:2]]
    with Store(tmp_path) as store:
        store.begin([], {}, unread=unread)
        assert [store.is_current(one) for one in unread] == [True, False]


def test_a_planned_job_may_say_more_than_before(tmp_path: Path, sound: Path) -> None:
    """The checksum is over the job's row too: planning it with another row keeps its result."""
    shutil.copy(sound, tmp_path)
    more = replace(JOBS[0], work="the work", versions="numpy 2.4")
    with Store(tmp_path) as store:
        assert store.begin([more], {}) == {"rfm-0": "ok"}
    record = read_run(tmp_path)
    assert record.damaged == ()
    assert record.results[1] == replace(STORED["rfm-0"], job=more)


FOREIGN = {
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON results BEGIN UPDATE holdouts SET score = 100; END",
    "a view": "CREATE VIEW sqliteX AS SELECT 1",
    "a column": "ALTER TABLE results ADD COLUMN more TEXT",
    "no table": "DROP TABLE holdouts",
}


@pytest.mark.parametrize("change", FOREIGN)
def test_a_store_of_other_tables_is_refused_and_left_alone(tmp_path: Path, sound: Path, change: str) -> None:
    path = Path(shutil.copy(sound, tmp_path))
    execute(path, FOREIGN[change])
    before = path.read_bytes()
    for use in (read_run, Store):
        refused(StoreError, "has other tables than format version 5", use, tmp_path)
    assert path.read_bytes() == before


def test_a_result_of_an_old_version_that_cannot_be_read_is_run_again(tmp_path: Path) -> None:
    path = filled(tmp_path, [STORED[one.id] for one in JOBS])
    as_written_by_version(2, path)
    execute(path, CHANGES["JSON of another shape"])
    assert read_run(tmp_path).damaged == ("d0000/rfm (clean)",)
    with Store(tmp_path) as store:
        assert store.begin(JOBS, {}).keys() == {one.id for one in JOBS[1:]}


@pytest.mark.parametrize(
    "text",
    [
        "5", "[]", "null", "{", '{"versions": 5, "methods": [1]}', '{"versions": {"numpy": 2}, "methods": {"a": null}}',
        '{"methods": {"a": {"title": 1, "origin": "x"}}, "archive": "x"}', '{"tables": [1], "results": "3"}',
        '{"tables": {"iris": 3, "mine": {"origin": "mine.csv"}}}',
    ],
)  # fmt: skip
def test_a_damaged_account_of_an_invocation_is_read_without_what_is_damaged(text: str) -> None:
    """It has no checksum: what is left is of the kinds that reports count on."""
    found = parsed_provenance(text)
    assert all(isinstance(version, str) for version in found.get("versions", {}).values())
    assert all(isinstance(v, str) for about in found.get("methods", {}).values() for v in about.values())
    assert isinstance(found.get("archive", {}), dict)
    assert not found.keys() & {"tables", "results"}
    sound = '{"versions": {"numpy": "2.4"}, "methods": {"a": {"title": "A", "origin": "a.py"}}, "seed": 0}'
    assert parsed_provenance(sound) == json.loads(sound)
