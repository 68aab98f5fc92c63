"""What all commands share: readers that leave early, interruption, unknown words."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import Command

import bench
from bench import command_line
from bench.command_line import TolerantStream, main
from bench.store import read_run

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture(params=[os.pipe, os.openpty], ids=["pipe", "terminal"])
def close_the_reader(request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Replaces ``sys.stdout`` or ``sys.stderr`` by a pipe that nobody reads, or a terminal that was hung up."""
    with contextlib.ExitStack() as stack:

        def close(name: str) -> None:
            read_end, write_end = request.param()
            os.close(read_end)
            stream = stack.enter_context(os.fdopen(write_end, "w", encoding="utf-8"))
            stack.enter_context(pytest.MonkeyPatch.context()).setattr(sys, name, stream)

        yield close


def test_a_listing_whose_reader_left(close_the_reader: Callable[[str], None]) -> None:
    close_the_reader("stdout")
    assert main(["list"]) == 0
    print("after", flush=True)  # the descriptor leads to the null device now


@pytest.mark.usefixtures("in_process")
def test_no_output_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        patch.setattr(sys, "stderr", None)
        assert main(["list"]) == 0
        assert main(["run", "--subset", "iris", "--methods", "faulty_methods:Centroid", "--run", "r"]) == 0


def test_errors_nobody_reads_keep_their_exit_code(close_the_reader: Callable[[str], None]) -> None:
    close_the_reader("stderr")
    assert main(["status", "nowhere"]) == 2


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
def test_a_run_nobody_watches_is_complete(words: tuple[str, ...], close_the_reader: Callable[[str], None]) -> None:
    close_the_reader("stdout")
    close_the_reader("stderr")
    methods = "faulty_methods:Centroid,faulty_methods:Unstorable"
    command = ["run", "--subset", "iris,wine", "--methods", methods, "--run", "r", "--jobs", "2", *words]
    assert main(command) == 1
    assert sorted(r.status for r in read_run("r").results) == ["error", "error", "ok", "ok"]
    assert Path("r/scores.csv").exists()
    assert main(["status", "r"]) == 0


@pytest.mark.parametrize("where", ["bench.data.selection.resolve_source", "importlib.import_module"])
def test_ctrl_c_before_the_jobs_or_while_a_command_is_imported_is_one_line(
    where: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupted)
    assert command("run", "--subset", "iris", "--methods", "laplace", code=130).err == "bench: interrupted\n"


def test_a_full_disk_behind_the_output_is_no_reader_that_left() -> None:
    with Path("/dev/full").open("w") as full:
        stream = TolerantStream(full)
        stream.write("wanted")
        with pytest.raises(OSError, match="No space left"):
            stream.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())  # what is buffered still has to go somewhere


def test_wrong_words_and_paths_that_cannot_be_looked_at_are_one_line(command: Command) -> None:
    assert "did you mean 'list'?" in command("LIST", code=2).err
    said = "bench: unrecognized arguments: --subsett iris (see `python -m bench --help`)\n"
    assert command("run", "--subsett", "iris", code=2).err == said
    name = 300 * "x"
    for words in (["report", name], ["validate", f"{name}.csv"], ["run", "--subset", "iris", "--archive", name]):
        assert re.fullmatch(r"bench: xxx.*: File name too long\n", command(*words, code=2).err)


def test_packages_of_the_same_names_are_named(tmp_path: Path) -> None:
    """By the command, of rfm; by the script that looks through an environment, of both."""
    root = Path(command_line.__file__).parents[1]

    def said(*words: object, path: str) -> tuple[int, str]:
        env = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, *map(str, words)], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stderr

    script = root / "tools" / "check_environment.py"
    assert said(script, path=str(root)) == (0, "")
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").write_text("")
    code, line = said(script, path=f"{tmp_path}{os.pathsep}{root}")
    assert (code, line.count("\n")) == (1, 1)
    assert f"another package called bench ({tmp_path}/bench/__init__.py)" in line
    shutil.rmtree(tmp_path / "bench")
    (tmp_path / "rfm.py").write_text("")
    assert said(script, path=f"{tmp_path}{os.pathsep}{root}")[0] == 1
    code, line = said("-m", "bench", "list", path=str(root))
    assert (code, line.count("\n")) == (2, 1)
    assert line.startswith(f"bench: another package called rfm comes first on Python's path: {tmp_path}/rfm.py")


def test_the_version_is_the_installations(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"python -m bench {bench.__version__}\n"

    def not_installed(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"version of {name}")
    assert bench._version() == "version of rfmbench"
    monkeypatch.setattr(importlib.metadata, "version", not_installed)
    assert bench._version() == "0+unknown"
