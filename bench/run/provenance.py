"""Where a result comes from: versions, machine, commit, command."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import os
import platform
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import bench
from bench.data.location import public_location
from bench.errors import UsageError
from bench.records.method import CPU
from bench.records.result import JobResult
from bench.run.resources import available_cores

_CHECKOUT = Path(__file__).resolve().parents[2]

_ABSOLUTE_PATH = re.compile(
    r"""(?<=["'])/(?:[^/"'\n]+/)+[^/"'\n]*(?=["'])"""  # in quotes, where it may have blanks
    r"""|(?<![^\s"'`(\[<=,:])/(?:[^\s/"'`()<>,:;]+/)+[^\s/"'`()<>,:;]*"""
)

# Terminal control sequences and other control characters a job may print; tabs and line ends stay.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_DISTRIBUTIONS = ("torch", "numpy", "scipy", "scikit-learn", "xgboost", "pandas")


@functools.cache
def versions() -> dict[str, str]:
    """Versions of the interpreter, of this project and of the libraries that do the arithmetic (without importing)."""
    found = {"python": platform.python_version(), "rfmbench": bench.__version__}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@functools.cache
def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def rfm_engine(device: str = CPU) -> str:
    """The engine that RFM's chains run on here, on ``device``, in words.

    Raises :class:`UsageError` if another is asked for.
    """
    from rfm.engines import engine  # here, so that what only reads results does not load what computes

    try:
        return str(engine(device))
    except ValueError as error:
        raise UsageError(str(error)) from None


def machine(threads: int, device: str = CPU) -> dict[str, Any]:
    """Of the process that runs a job: on what it runs and with what. Which machine it is stays private.

    Of another ``device`` than the processor its name alone: what it is, the job's process says.
    """
    return {
        "cpu": cpu_model(),
        "cores": available_cores(),
        "threads": threads,
        "versions": versions(),
        "engine": rfm_engine(device),
        **_named(device),
    }


def _named(device: str) -> dict[str, str]:
    return {} if device == CPU else {"device": device}


def invocation(
    seeds: Sequence[int],
    jobs: int,
    arguments: Sequence[str],
    origin: Mapping[str, Any] = MappingProxyType({}),
    methods: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    device: str = CPU,
) -> dict[str, Any]:
    """Of one ``bench run`` with these command-line ``arguments``: everything a reader needs to repeat it.

    ``origin`` is what :func:`bench.data.sources.origin` says of the tables, ``methods`` what
    :func:`bench.run.selection.additions` says of methods that are not built in; the libraries that these compute with
    join the versions. ``device`` is where methods that can compute there do.
    """
    libraries = {name: version for added in methods.values() for name, version in added["libraries"].items()}
    return {
        "versions": {**libraries, **versions()},
        "methods": {name: {"title": added["title"], "origin": added["origin"]} for name, added in methods.items()},
        "cpu": cpu_model(),
        "cores": available_cores(),
        "platform": f"{platform.system()} {platform.machine()}",
        "threads": 1,
        "engine": rfm_engine(device),
        **_named(device),
        "jobs": jobs,
        "seeds": list(seeds),
        "commit": commit(),
        "command": command(arguments),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **origin,
    }


def command(arguments: Sequence[str]) -> str:
    """The command as a line for a shell, the environment's archive included; nothing in it tells about the machine."""
    words = ["python", "-m", "bench"]
    given = set[str]()
    flag = ""
    for word in arguments:
        if flag:
            words.append(_PRIVATE[flag](word))
            flag = ""
            continue
        name, equals, value = word.partition("=")
        if name in _PRIVATE:
            given.add(name)
            if equals:
                word = f"{name}={_PRIVATE[name](value)}"
            else:
                flag = name
        words.append(word)
    from_environment = os.environ.get("BENCH_ARCHIVE")
    if from_environment and "--archive" not in given:
        return f"BENCH_ARCHIVE={shlex.quote(public_location(from_environment))} {shlex.join(words)}"
    return shlex.join(words)


REASON_CHARACTERS = 500
"""Of why a job has no result so many are kept."""


def printable(line: str) -> str:
    """``line`` without what would move a terminal's cursor or colour it, and with nothing that UTF-8 cannot say."""
    return _CONTROL.sub("", line).rstrip().encode("utf-8", "replace").decode()


def without_folders(text: str) -> str:
    """``text`` with absolute paths shortened to what means something elsewhere.

    That is the part below ``site-packages``, this project's checkout or the current folder, else the file's name.
    """
    return _ABSOLUTE_PATH.sub(lambda found: _shortened(found[0]), text)


def publishable(result: JobResult) -> JobResult:
    """``result`` with a reason and an output that are printable and name no folder of this machine."""
    reason, output = (without_folders(printable(text)) for text in (result.reason, result.output))
    return replace(result, reason=reason, output=output)


def _shortened(text: str) -> str:
    _, marker, below = text.rpartition("site-packages/")
    if marker and below:
        return below
    path = Path(os.path.normpath(text))
    for base in (_CHECKOUT, Path.cwd()):
        if path != base and path.is_relative_to(base):
            return str(path.relative_to(base))
    return path.name


def _without_host(address: str) -> str:
    """``tcp://HOST:8786``, whatever the host."""
    return re.sub(r"[^/]*?(:\d+)?$", lambda found: f"HOST{found[1] or ''}", address, count=1)


def commit() -> str:
    """The checkout's commit, with ``+dirty`` if tracked files differ from it; empty outside a checkout."""
    if not (_CHECKOUT / ".git").exists():
        return ""
    head = _git("rev-parse", "HEAD")
    if not head:
        return ""
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return f"{head}+dirty" if changed else head


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(_CHECKOUT), *words], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


_PRIVATE: dict[str, Callable[[str], str]] = {
    "--archive": public_location,
    "--cache": public_location,
    "--run": public_location,
    "--out": public_location,
    "--plugin": public_location,
    "--images": public_location,
    "--data": public_location,
    "--scheduler": _without_host,
}
"""Flags whose value may tell about the machine, and what is recorded instead."""
