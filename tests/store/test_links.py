"""A run folder that comes from elsewhere: what is written to it stays in it."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refusals import refused
from test_store import TWENTY, filled

from bench.errors import StoreError
from bench.run.events import Tick
from bench.run.predictions import PredictionFiles
from bench.run.progress import Progress
from bench.run.runlog import LIVE_NAME, LiveFile, log_file
from bench.store import LOCK_NAME, STORE_NAME, Store, holder, read_run

FILES = [LOCK_NAME, *(STORE_NAME + suffix for suffix in ("", "-journal", "-wal", "-shm"))]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    file = tmp_path / "outside"
    file.write_text("precious")
    return file


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return filled(tmp_path / "run", TWENTY[:2]).parent


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_a_link_is_named_and_not_followed(run: Path, outside: Path, name: str, link: str) -> None:
    (run / name).unlink(missing_ok=True)
    getattr(run / name, link)(outside)
    refused(StoreError, rf"run/{name} is a (symbolic|hard) link.*remove it, or choose another folder", Store, run)
    assert outside.read_text() == "precious"
    assert holder(run) is None


@pytest.mark.parametrize("name", [LOCK_NAME, STORE_NAME])
def test_a_link_to_nothing_makes_no_file_there_and_a_pipe_is_not_waited_for(
    run: Path, tmp_path: Path, name: str
) -> None:
    (run / name).unlink()
    (run / name).symlink_to(tmp_path / "new")
    refused(StoreError, f"symbolic link to {tmp_path}/new", Store, run)
    assert not (tmp_path / "new").exists()
    (run / name).unlink()
    os.mkfifo(run / name)
    refused(StoreError, "not an ordinary file", Store, run)
    assert holder(run) is None
    if name == STORE_NAME:
        refused(StoreError, "is not there", read_run, run)


def test_the_folder_itself_may_be_a_link(run: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run)
    Store(tmp_path / "link").close()
    assert len(read_run(tmp_path / "link").results) == 2


class Noon(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Noon:
        return cls(2026, 1, 1, 12, tzinfo=tz)


def test_logs_that_lead_elsewhere_are_refused(run: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.run.runlog.datetime.datetime", Noon)
    (run.parent / "elsewhere").mkdir()
    (run / "logs").symlink_to(run.parent / "elsewhere")
    with pytest.raises(StoreError, match="logs is a symbolic link"), log_file(run):
        pass
    assert list((run / "logs").iterdir()) == []
    (run / "logs").unlink()
    (run / "logs").mkdir()
    (run / "logs" / "20260101T120000Z.log").symlink_to(outside)
    with pytest.raises(StoreError, match=r"Z\.log is a symbolic link"), log_file(run):
        pass
    assert outside.read_text() == "precious"


def test_a_live_file_that_is_a_link_is_replaced(run: Path, outside: Path) -> None:
    for name in (LIVE_NAME, "live.tmp"):
        (run / name).symlink_to(outside)
    live = LiveFile(run)
    live(Progress([], 1, total=1), Tick())
    assert not (run / LIVE_NAME).is_symlink()
    live.close()
    assert outside.read_text() == "precious"


def test_predictions_that_lead_elsewhere_are_left_there(run: Path) -> None:
    other = run.parent / "other"
    other.mkdir()
    pq.write_table(pa.table({"row": [0]}).replace_schema_metadata({b"job": b"a"}), other / "a.parquet")
    (run / "predictions").symlink_to(other)
    PredictionFiles(run).drop_others([])
    assert (other / "a.parquet").exists()
    (run / "predictions").unlink()
    other.rename(run / "predictions")
    PredictionFiles(run).drop_others([])
    assert list((run / "predictions").iterdir()) == []
