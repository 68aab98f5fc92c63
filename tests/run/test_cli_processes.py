"""``bench run`` as processes: jobs that crash, terminals, signals, outputs that are closed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from command import Command
from waiting import wait_until

from bench.store import read_run

ROOT = Path(__file__).parents[2]
TWO = ("--subset", "iris", "--methods", "faulty_methods:Centroid,faulty_methods:Shrunken")
SIXTEEN = ("--subset", "iris,wine,zoo,lenses", "--seeds", "0,1,2,3", "--methods", "faulty_methods:Slow")
"""Jobs of 0.2 seconds."""


@pytest.fixture(autouse=True)
def _importable(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(Path(__file__).parent)]))


def test_a_run_is_exported_summed_up_and_resumed_and_failures_are_explained(command: Command) -> None:
    out, err = command("run", *TWO, "--jobs", "2", "--run", "r")
    assert err.splitlines()[0] == "bench: 1 dataset from the package (embedded)"
    for said in (
        "\n1 dataset from the package (embedded)\nresults: r ", "2 jobs: 2 ok (0 from before)",
        "mean accuracy over the 1 dataset that all 2 methods have", "python -m bench report r",
    ):  # fmt: skip
        assert said in out
    assert len(Path("r/scores.csv").read_text().splitlines()) == 1 + 2 * 4
    assert Path("r/summary.csv").exists()
    assert not Path("r/live.json").exists()
    assert "ok iris/centroid (clean): " in "".join(p.read_text() for p in Path("r/logs").iterdir())
    out, err = command("run", *TWO[:-1], f"{TWO[-1]},faulty_methods:Exit3", "--run", "r", code=1)
    assert "3 jobs: 1 error, 2 ok (2 from before)" in out
    assert "error: iris/exit3: its process ended with exit code 3" in out
    assert "--retry-failed" in out
    assert "error iris/exit3 (clean): its process ended" in err


def start(*words: str, output: int = subprocess.PIPE) -> subprocess.Popen[str]:
    bench = [sys.executable, "-m", "bench", "run", "--run", "r", "--jobs", "2", *words]
    environment = dict(os.environ)  # as Python knows it: pytest has loaded readline, which adds a width to it in C
    return subprocess.Popen(bench, env=environment, stdout=output, stderr=output, text=True)


def running() -> list[str]:
    try:
        return [job["method"] for job in json.loads(Path("r/live.json").read_text())["running"]]
    except (OSError, ValueError):
        return []


def test_status_and_refusal_from_another_terminal(command: Command) -> None:
    process = start("--subset", "iris", "--methods", "faulty_methods:Sleeps,faulty_methods:Centroid")
    try:
        wait_until(lambda: running() == ["sleeps"] or process.poll() is not None)
        out = command("status", "r").out
        assert "r: 1 of 2 jobs done, 1 ok" in out
        assert f"in use by process {process.pid} on " in out
        assert "running iris/sleeps for 0:" in out
        command.refuses("is in use by process", "run", *TWO, "--run", "r")
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "1 not done" in out
    assert "run the same command again" in out
    assert "stopping now" in err
    assert "1 not done, nothing running; to resume: python -m bench run" in command("status", "r").out


def test_on_a_terminal_a_bar_says_where_the_run_stands_and_ctrl_c_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one of 64 columns, which is none of the widths that are taken where there is no terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 64))
    process = start(*SIXTEEN, output=theirs)
    os.close(theirs)
    text, pressed = "", False
    with contextlib.suppress(OSError):  # nobody writes any more
        while piece := os.read(ours, 4096).decode():
            text += piece
            if not pressed and "running" in text:
                process.send_signal(signal.SIGINT)
                pressed = True
    os.close(ours)
    assert process.wait(timeout=60) == 130
    lines = re.split(r"\r?\n", text)
    bars = [bar.rstrip() for line in lines for bar in line.split("\r") if re.match(r"\d+/16 \[[# ]{10}\] ", bar)]
    assert any(re.search(r"\] [12] running, \d+:\d\d left  [\w-]+/slow 0:", bar) for bar in bars)
    assert re.search(r"\] stopping: [012] in flight, \d+:\d\d left", bars[-1])
    assert max(map(len, bars)) <= 63
    (outcome,) = (line for line in lines if "16 jobs of 4 seeds" in line)
    *_, blank, words = outcome.split("\r")
    assert (blank.strip(), words[:8]) == ("", "16 jobs "), "the bar has to go first"
    assert "in flight will finish and be stored (Ctrl-C again to stop now)" in text
    assert "to resume: run the same command again" in text
    stored = len(read_run("r").results)
    again = start(*SIXTEEN)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert f"({stored} from before)" in out


def test_no_file_stands_in_for_outputs_that_are_closed() -> None:
    """Both outputs, and standard input too: the next files to be opened get their numbers."""
    for number, closed in enumerate((">&- 2>&-", "<&- >&- 2>&-")):
        typed = f"{sys.executable} -m bench run {' '.join(TWO)} --run r{number} {closed}"
        assert subprocess.run(["sh", "-c", typed], capture_output=True).returncode == 0
        assert {r.status for r in read_run(f"r{number}").results} == {"ok"}, closed
