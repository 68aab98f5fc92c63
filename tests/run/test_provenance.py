"""What is recorded of a run: enough to repeat it, nothing of the machine's own names."""

from __future__ import annotations

import json
import socket
import sysconfig
from pathlib import Path

import pytest
from tiny_benchmark import TinyBenchmark

import rfm
from bench.records.result import Job, JobResult
from bench.run.plan import Plan
from bench.run.provenance import command, invocation, machine, without_folders
from bench.store import LOCK_NAME, Store, read_run

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.usefixtures("elsewhere")

COMMANDS = {
    "run --subset iris --archive /home/jane/uci121.tar.xz": "run --subset iris --archive uci121.tar.xz",
    "run --archive=/home/jane/uci121.tar.xz --seed 3": "run --archive=uci121.tar.xz --seed 3",
    "run --archive ../../secret/data": "run --archive data",
    "run --archive ./deep/data": "run --archive deep/data",
    "run --archive https://jane:pw@host.org/a.tar.gz?token=x": "run --archive https://host.org/a.tar.gz",
    "run --run /scratch/jane/r --json": "run --run r --json",
    "run --run results/r": "run --run results/r",
    "run --cache /home/jane/.cache/bench --offline": "run --cache bench --offline",
    "run --engine dask --scheduler tcp://node7.cluster:8786": "run --engine dask --scheduler tcp://HOST:8786",
    "run --scheduler 10.1.2.3:8786": "run --scheduler HOST:8786",
}


@pytest.mark.parametrize("given", COMMANDS)
def test_the_command_without_what_is_private(given: str) -> None:
    assert command(given.split()) == f"python -m bench {COMMANDS[given]}"


def test_the_environments_archive_is_part_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_ARCHIVE", "/home/jane/my data.tar")
    assert command(["run", "--subset", "iris"]) == "BENCH_ARCHIVE='my data.tar' python -m bench run --subset iris"
    assert command(["run", "--archive", "x"]) == "python -m bench run --archive x"
    monkeypatch.setenv("BENCH_ARCHIVE", str(tmp_path / "inside"))
    assert command(["run"]) == "BENCH_ARCHIVE=inside python -m bench run"


def test_the_machine_is_described_but_not_named() -> None:
    recorded = json.dumps([machine(1), {k: v for k, v in invocation((0,), 2, ["run"]).items() if k != "platform"}])
    assert "host" not in machine(1)
    assert machine(1)["engine"] == str(rfm.engine())
    assert socket.gethostname() not in recorded
    assert invocation((0,), 2, ["run"], {"source": "embedded"})["source"] == "embedded"


TEXTS = {
    "FileNotFoundError: [Errno 2] No such file: '/home/jane doe/data/x.csv'": (
        "FileNotFoundError: [Errno 2] No such file: 'x.csv'"
    ),
    "/data/uci.tar: iris/iris_R.dat: SHA-256 is 12, not /data/list": (
        "uci.tar: iris/iris_R.dat: SHA-256 is 12, not list"
    ),
    f'File "{sysconfig.get_path("purelib")}/torch/nn/x.py", line 3': 'File "torch/nn/x.py", line 3',
    f'File "{ROOT}/bench/run/worker.py", line 3, in f': 'File "bench/run/worker.py", line 3, in f',
    "see https://example.org/a/b and 3 / 4 or n/a or /dev": "see https://example.org/a/b and 3 / 4 or n/a or /dev",
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts_name_no_folder_of_this_machine(text: str) -> None:
    assert without_folders(text) == TEXTS[text]


def test_stored_failures_name_no_folder_of_this_machine(tiny: TinyBenchmark) -> None:
    job = Job("id", "gamma", "tiny", 1, 1, 2, "centroid", "clean", "", 0)
    fault = JobResult(job, "error", "/home/jane/uci: gamma/gamma_R.dat: broken", output='File "/home/jane/x.py"')
    (stored,) = tiny.run(plan=Plan((), (fault,)))[1].results
    assert (stored.reason, stored.output) == ("uci: gamma/gamma_R.dat: broken", 'File "x.py"')
    (crashed, _) = tiny.run("Segfault")[1].results[:2]
    assert str(ROOT) not in crashed.output
    assert "faulty_methods.py" in crashed.output
    assert all("host" not in r.provenance for r in read_run(tiny.folder).results)


def test_the_lock_forgets_its_holder(tmp_path: Path) -> None:
    with Store(tmp_path):
        assert socket.gethostname() in (tmp_path / LOCK_NAME).read_text()
    assert (tmp_path / LOCK_NAME).read_text() == ""
