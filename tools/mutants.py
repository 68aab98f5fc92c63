"""Plant faults, one at a time, in a copy of the checkout, and say which of them the tests catch.

The faults and the tests that must find them are in ``tools/mutants.toml``: per file of the product its tests, and per
fault a text that stands once in the file and what takes its place. A fault that no test finds is a test that is missing
(or no fault: then it goes from the list). The libraries are loaded once; each fault has a process of its own.

    python tools/mutants.py [WORDS ...]     all faults, or those whose file or description has one of the words

Exit code 0: all are caught; 1: some are not; 2: a fault's text is not there any more, or tests fail without a fault.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARIES = ["torch", "pandas", "scipy.stats", "sklearn.model_selection", "pytest", "scikit_posthocs"]
CPU_SECONDS = 300
"""A fault may make its tests run on: then they are killed, which counts as caught."""
FAILED = 1
"""pytest's exit code where tests ran and some failed; others mean that there was nothing to run."""


@dataclass(frozen=True)
class Fault:
    """``old``, which stands once in ``file``, becomes ``new``; ``tests`` are files and options of pytest."""

    file: str
    what: str
    old: str
    new: str
    tests: tuple[str, ...]

    def planted(self, text: str) -> str:
        """The file's ``text`` with the fault. Raises ``ValueError`` if it has no such place, or several,
        ``SyntaxError`` if that is no Python any more."""
        if text.count(self.old) != 1 or self.old == self.new:
            raise ValueError(f"{self.file}: {self.what}: {text.count(self.old)} places have {self.old!r}, expected one")
        planted = text.replace(self.old, self.new)
        compile(planted, self.file, "exec")  # what is no Python would be caught by anything
        return planted


def read_faults(path: Path) -> list[Fault]:
    """The faults of a list, in its order."""
    return [
        Fault(entry["file"], fault["what"], fault["old"], fault["new"], tuple(entry["tests"]))
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["module"]
        for fault in entry["fault"]
    ]


def copy_checkout(target: Path) -> None:
    """Copy what git knows or does not ignore, and the built native chain, to ``target``."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    built = [str(path.relative_to(ROOT)) for path in (ROOT / "rfm" / "native").glob("*.so")]
    for name in [*listed.stdout.decode().split("\0"), *built]:
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)


def _test(copy: Path, tests: Sequence[str], log: Path) -> None:
    """Run pytest on the copy, in this process, and end with its exit code."""
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(copy)
    os.environ["PYTHONPATH"] = str(copy)
    sys.path.insert(0, str(copy))
    sys.dont_write_bytecode = True
    import pytest

    import rfm

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))

    assert Path(rfm.__file__ or "").is_relative_to(copy), f"{rfm.__file__} is not the copy's"
    raise SystemExit(int(pytest.main([*tests, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"])))


def run_tests(copy: Path, tests: Sequence[str], log: Path) -> tuple[int, str]:
    """pytest's exit code on the copy, negative if it took too long, and the first test that failed."""
    process = multiprocessing.get_context("forkserver").Process(target=_test, args=(copy, tests, log))
    process.start()
    process.join()
    code = int(process.exitcode or 0)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", log.read_text(errors="replace"), re.MULTILINE)
    return code, failed[1] if failed else ""


def main(words: Sequence[str]) -> int:
    """Print a table of the faults; return the exit code."""
    faults = read_faults(ROOT / "tools" / "mutants.toml")
    faults = [f for f in faults if not words or any(word in f"{f.file} {f.what}" for word in words)]
    for fault in faults:
        fault.planted((ROOT / fault.file).read_text(encoding="utf-8"))
    multiprocessing.get_context("forkserver").set_forkserver_preload(LIBRARIES)
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy, log = Path(folder) / "checkout", Path(folder) / "log"
        copy_checkout(copy)
        every = list(dict.fromkeys(name for fault in faults for name in fault.tests))
        code, failed = run_tests(copy, every, log)
        if code != 0:
            print(f"without a fault: exit code {code} {failed}\n{log.read_text()[-3000:]}", file=sys.stderr)
            return 2
        for fault in faults:
            path, started = copy / fault.file, time.monotonic()
            sound = path.read_text(encoding="utf-8")
            path.write_text(fault.planted(sound), encoding="utf-8")
            code, failed = run_tests(copy, fault.tests, log)
            path.write_text(sound, encoding="utf-8")
            caught = code == FAILED or code < 0
            missed += [] if caught else [fault]
            verdict = "caught" if caught else f"NOT CAUGHT ({code})"
            by = failed if code > 0 else "(killed)" if code else ""
            print(f"{verdict:7} {time.monotonic() - started:5.1f} s  {fault.file}: {fault.what}  {by}", flush=True)
    print(f"{len(faults) - len(missed)} of {len(faults)} faults caught")
    return 1 if missed else 0


if __name__ == "__main__":
    with contextlib.chdir(ROOT):
        try:
            sys.exit(main(sys.argv[1:]))
        except (ValueError, SyntaxError) as error:
            print(error, file=sys.stderr)
            sys.exit(2)
