"""The command line: its commands and exit codes, and standard output whose reader may leave before they are done.

Each command is a module of :mod:`bench.cli`, imported only when it is called.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import importlib.util
import io
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

import bench
from bench.data.cache import using_cache
from bench.errors import BenchError, UsageError, one_line, unknown_name

EXIT_UNUSABLE, EXIT_INTERRUPTED = 2, 130

COMMANDS = {
    "list": "datasets of the registry: sizes, licences, sources available here",
    "fetch": "download datasets and check them",
    "run": "run methods on datasets under a protocol; the same command resumes",
    "status": "progress of a run: done, failed, not done yet",
    "export": "write scores.csv, summary.csv and provenance.json of one or more run folders",
    "report": "HTML and Markdown report over one or more run folders",
    "validate": "look for problems in a dataset, your own or a known one, and explain them",
    "study": "companion experiments (ansatz, lin-rfm, low-rank, phenomena); the same command resumes",
    "check-method": "check that a method, your own file or a known one, keeps the contract",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """What is wrong with the arguments, as all else that is wrong: in one line."""
        raise UsageError(f"{message} (see `{self.prog} --help`)")


class _Version(argparse.Action):
    """As argparse's own, but the version is looked up only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"{parser.prog} {bench.__version__}")
        parser.exit()


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The argument parser; ``only`` limits the import of subcommand modules to one."""
    parser = _Parser(prog="python -m bench", description="Benchmark of Recursive Feature Machines on tabular data.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        if only is None or only == name:
            module = importlib.import_module(f"bench.cli.{name.replace('-', '_')}")
            module.add_arguments(sub)
            sub.set_defaults(handler=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 all jobs ok, 1 some failed (all others are stored), 2 the command could not run, 130 interrupted.

    A reader of the output that leaves early (``| head``) changes neither the work nor the exit code.
    """
    _fill_standard_descriptors()
    # Not list(...): once imported, the subcommand's module `list` has that name here.
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    with tolerant_output():
        return _command(arguments)


def _fill_standard_descriptors() -> None:
    """Where a shell has closed 0, 1 or 2 (`>&-`), the null device: no file of ours shall stand in for the output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def refuse_foreign_rfm() -> None:
    """Raise :class:`UsageError` if `import rfm` gives a package that is not the one next to this one."""
    found = importlib.util.find_spec("rfm")
    where = Path(found.origin).resolve() if found and found.origin else None
    if where != Path(__file__).resolve().parents[1] / "rfm" / "__init__.py":
        raise UsageError(
            f"another package called rfm comes first on Python's path: {where}; uninstall or rename it, or run this "
            "from another folder"
        )


def refuse_empty(arguments: Sequence[str]) -> None:
    """Raise :class:`UsageError` for a flag whose value is empty."""
    for word, following in pairwise([*arguments, "-"]):
        flag, assigned, value = word.partition("=")
        if flag.startswith("--") and not (value if assigned else following).strip():
            raise UsageError(f"{flag} is empty (an unset shell variable?): give it a value or leave it out")


def _command(arguments: Sequence[str]) -> int:
    word = next((a for a in arguments if not a.startswith("-")), None)
    try:
        if word is not None and word not in COMMANDS:
            raise unknown_name("command", word, COMMANDS)
        refuse_foreign_rfm()
        refuse_empty(arguments)
        args = build_parser(only=word).parse_args(arguments, argparse.Namespace(arguments=arguments))
        with using_cache(getattr(args, "cache", None)):
            return int(args.handler(args))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    except OSError as error:
        # Of a path that was named, such as one that may not even be looked at; without a path it is no user's mistake.
        if error.filename is None:
            raise
        print(f"bench: {one_line(error.filename)}: {error.strerror}", file=sys.stderr)
        return EXIT_UNUSABLE
    except KeyboardInterrupt:  # while jobs run, `bench run` handles it itself
        print("bench: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


_READER_GONE = (errno.EPIPE, errno.ESHUTDOWN, errno.EIO, errno.ENXIO, errno.ECONNRESET)
"""What writing gives when nobody will ever read it: a closed pipe or socket, a terminal that was hung up. A full disk
is not among them: somebody wanted that output."""


class TolerantStream:
    """A text stream that goes on into the null device once its reader is gone, so that the command ends its work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As the stream's own, but for a reader that is gone."""
        with self._reader_may_be_gone():
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As the stream's own, but for a reader that is gone."""
        with self._reader_may_be_gone():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _reader_may_be_gone(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _READER_GONE:
                raise
            self._discard_the_rest()

    def _discard_the_rest(self) -> None:
        # The descriptor itself, not only this object: what is still buffered is flushed into it as Python ends.
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, self._stream.fileno())
        finally:
            os.close(null)


@contextlib.contextmanager
def tolerant_output() -> Iterator[None]:
    """While active, neither a closed pipe nor nothing behind standard output or standard error stops anything."""
    with contextlib.ExitStack() as stack:
        streams = []
        for stream in (sys.stdout, sys.stderr):
            if stream is None:  # closed by the shell (`>&-`)
                stream = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
            if isinstance(stream, io.TextIOWrapper):  # a terminal of few characters shows `?` for others
                stream.reconfigure(errors="replace")
            streams.append(TolerantStream(stream))
        out, err = (cast(TextIO, stream) for stream in streams)
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            yield
        finally:
            for tolerant in streams:
                tolerant.flush()
