"""What all commands share: readers that leave early, interruption, unknown words."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bench
from bench import command_line
from bench.command_line import TolerantStream, main
from bench.store import read_run

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
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


@pytest.mark.parametrize("words", [("list",), ("list", "--json")], ids=" ".join)
def test_a_listing_whose_reader_left(words: tuple[str, ...], close_the_reader: Callable[[str], None]) -> None:
    close_the_reader("stdout")
    assert main(words) == 0
    print("after", flush=True)  # the descriptor leads to the null device now


def test_no_output_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        patch.setattr(sys, "stderr", None)
        assert main(["list"]) == 0
        assert main(["run", "--subset", "iris", "--methods", "faulty_methods:Centroid", "--run", "r"]) == 0


def test_errors_nobody_reads_keep_their_exit_code(close_the_reader: Callable[[str], None]) -> None:
    close_the_reader("stderr")
    assert main(["status", "nowhere"]) == 2


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
def test_a_run_nobody_watches_is_complete(words: tuple[str, ...], close_the_reader: Callable[[str], None]) -> None:
    close_the_reader("stdout")
    close_the_reader("stderr")
    methods = "faulty_methods:Centroid,faulty_methods:Exit3"
    command = ["run", "--subset", "iris,wine", "--methods", methods, "--run", "r", "--jobs", "2", *words]
    assert main(command) == 1
    assert sorted(r.status for r in read_run("r").results) == ["error", "error", "ok", "ok"]
    assert Path("r/scores.csv").exists()
    assert main(["status", "r"]) == 0


def test_ctrl_c_before_the_jobs_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.data.selection.resolve_source", interrupted)
    assert main(["run", "--subset", "iris", "--methods", "laplace", "--run", "r"]) == 130
    assert capsys.readouterr().err == "bench: interrupted\n"


def test_ctrl_c_while_a_command_is_imported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line.importlib, "import_module", interrupted)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "bench: interrupted\n"


def test_an_unknown_command_in_capitals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["LIST"]) == 2
    assert "did you mean 'list'?" in capsys.readouterr().err


def test_a_full_disk_behind_the_output_is_no_reader_that_left() -> None:
    with Path("/dev/full").open("w") as full:
        stream = TolerantStream(full)
        stream.write("wanted")
        with pytest.raises(OSError, match="No space left"):
            stream.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())  # what is buffered still has to go somewhere


def test_wrong_arguments_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--subsett", "iris"]) == 2
    said = capsys.readouterr().err
    assert said == "bench: unrecognized arguments: --subsett iris (see `python -m bench --help`)\n"


def test_a_path_that_cannot_be_looked_at_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    name = 300 * "x"
    for words in (["report", name], ["validate", f"{name}.csv"], ["run", "--subset", "iris", "--archive", name]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert said.endswith(": File name too long\n")
        assert said.startswith("bench: xxx")
        assert said.count("\n") == 1


def test_another_package_called_rfm_is_named(tmp_path: Path) -> None:
    (tmp_path / "rfm.py").write_text("")
    root = Path(command_line.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "list"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"bench: another package called rfm comes first on Python's path: {tmp_path}/rfm.py")
    assert len(done.stderr.splitlines()) == 1


def test_the_environment_is_checked_for_packages_of_the_same_names(tmp_path: Path) -> None:
    root = Path(command_line.__file__).parents[1]
    script = [sys.executable, str(root / "tools" / "check_environment.py")]
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").write_text("")
    for path, code in ((str(root), 0), (f"{tmp_path}{os.pathsep}{root}", 1)):
        done = subprocess.run(
            script, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1
    assert f"another package called bench ({tmp_path}/bench/__init__.py)" in done.stderr


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
