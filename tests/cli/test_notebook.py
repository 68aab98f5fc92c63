"""``bench.run`` and ``bench.load``: what the command line does, from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from command import Command
from plugin_text import NEIGHBOURS, write_plugin
from refusals import refused

import bench
from bench.cli.notebook import _Parser, _words
from bench.cli.run import add_arguments
from bench.errors import BenchError, ReportError, StoreError, UsageError
from bench.records.scores import SCORE_COLUMNS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _plugin(elsewhere: Path) -> None:
    write_plugin(elsewhere, NEIGHBOURS, "knn.py")


@pytest.mark.usefixtures("in_process")
def test_a_run_from_python_is_that_of_the_command_line(capsys: pytest.CaptureFixture[str], command: Command) -> None:
    done = bench.run(subset=["iris", "wine"], plugin="knn.py", methods=["knn"], run="a", jobs=1, folds=2)
    assert (done.folder, done.counts, done.already, done.undone, done.ok) == (Path("a"), {"ok": 2}, 0, 0, True)
    assert capsys.readouterr().out == ""
    words = ["run", "--subset", "iris,wine", "--plugin", "knn.py", "--methods", "knn", "--run", "b", "--jobs", "1"]
    command(*words, "--folds", "2")
    seconds = ["fit_seconds", "job_seconds", "cpu_seconds", "predict_seconds", "peak_rss_mb"]
    pd.testing.assert_frame_equal(done.scores.drop(columns=seconds), bench.load("b").drop(columns=seconds))
    assert tuple(done.scores.columns) == SCORE_COLUMNS
    again = bench.run(subset="iris,wine", plugin=["knn.py"], methods="knn", run=Path("a"), jobs=1, folds=2)
    assert (again.already, again.counts) == (2, {"ok": 2})
    planned = bench.run(subset="iris", plugin="knn.py", methods="knn", run="c", dry_run=True, retry_failed=False)
    assert (planned.undone, planned.counts, planned.ok, Path("c").exists()) == (1, {}, False, False)
    left = bench.run(subset="iris,lenses", plugin="knn.py", methods="knn", run="a", folds=2, dry_run=True)
    assert (left.undone, left.counts, left.already, left.ok) == (1, {"ok": 1}, 1, False)
    recorded = Path("a/provenance.json").read_text()
    assert "python -m bench run --subset=iris,wine --plugin=knn.py --methods=knn" in recorded
    pd.testing.assert_frame_equal(bench.load("b/scores.csv"), bench.load("b"))
    table = bench.load("b").assign(features=7)
    table.to_csv("other.csv", index=False)
    refused(ReportError, "datasets from several sources or splits: iris", bench.load, "a", "other.csv")
    assert len(bench.load("a", "other.csv", allow=["sources", "duplicates"])) == 4


def test_what_is_wrong_is_an_error_with_the_command_lines_words(capsys: pytest.CaptureFixture[str]) -> None:
    for flags, words in (
        ({}, "no dataset to run on"),
        ({"subset": "irsi"}, "'irsi': did you mean 'iris'"),
        ({"subset": "iris", "method": "rfm"}, "unknown argument of bench.run 'method': did you mean 'methods'"),
        ({"subset": "iris", "methods": "rmf"}, "unknown method 'rmf'"),
        ({"subset": "iris", "jobs": 0}, "--jobs 0: must be a whole number"),
        ({"subset": "iris", "folds": -1}, "--folds -1: must be a whole number of at least 1"),
        ({"subset": "iris", "dry_run": "yes"}, "dry_run='yes': a switch, True or False"),
        ({"subset": "iris", "task": "ranking"}, "invalid choice: 'ranking'"),
    ):
        refused(BenchError, words, bench.run, **flags)
    assert capsys.readouterr().out == ""
    refused(StoreError, "there is no such folder or file", bench.load, "nowhere")
    refused(UsageError, "name a run folder", bench.load)
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        _ = bench.runn


def test_every_flag_of_the_command_can_be_given() -> None:
    parser = _Parser(add_help=False)
    add_arguments(parser)
    known = {action.dest: action for action in parser._actions}
    given = {
        name: True if action.nargs == 0 else action.choices[0] if action.choices else "1"
        for name, action in known.items()
    }
    args = vars(parser.parse_args(_words(given, known)))
    assert args == {name: ["1"] if isinstance(args[name], list) else value for name, value in given.items()}
    assert _words({"data": ["a.csv", "b,c.csv"], "methods": ("x", "y")}, known) == [
        "--data=a.csv", "--data=b,c.csv", "--methods=x,y",
    ]  # fmt: skip


def test_the_package_is_light_and_the_name_run_serves_twice() -> None:
    used = (
        "assert not {'pandas', 'numpy', 'torch', 'argparse'} & set(sys.modules); "
        "import bench.run.jobs as jobs; assert jobs.expand_jobs; "
        "from bench import run, load; assert callable(run) and callable(load) and callable(bench.run)"
    )
    for code in (used, "bench.load, bench.run; assert 'pandas' not in sys.modules"):
        command = [sys.executable, "-c", f"import sys, bench; {code}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
