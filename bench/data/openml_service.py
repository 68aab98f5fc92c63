"""The ``openml`` package asked, with a time limit: what it answers, or one of the errors that sources raise.

It keeps in a cache of its own what it downloads. Importing it takes seconds, so it is imported when it is asked.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from bench.data.cache import writing
from bench.errors import BenchError, DataUnavailable, SourceError, one_line

DEFAULT_SERVER = "https://www.openml.org/api/v1/xml"
TRIES = 3

_OVERLOADED = 107
"""OpenML's code for a database that does not answer."""

Answer = TypeVar("Answer")
Question: TypeAlias = Callable[[Any], Answer]
"""Asked of the package."""


def server_address() -> str:
    """The service's address: ``BENCH_OPENML``, else OpenML's own."""
    return os.environ.get("BENCH_OPENML") or DEFAULT_SERVER


@dataclass(frozen=True)
class OpenMLService:
    """The service at ``location``; the package's cache is the folder ``root``. ``offline``: nothing is asked."""

    location: str
    root: Path
    offline: bool

    def ask(self, what: str, question: Question[Answer], seconds: float, *, parquet: bool = False) -> Answer:
        """What ``question`` gets from the package, which is to take a Parquet file where there is one if ``parquet``.

        Raises :class:`DataUnavailable` for what OpenML does not have, or not of a kind that can be used here, and
        :class:`SourceError` if it cannot be asked.
        """
        if self.offline:
            raise SourceError(f"{self.location}: not in the cache, and downloads are not allowed here")
        root = self.root
        with writing(root):  # the package's settings: read, and its folder made, at its import and with each question
            os.environ |= {"OPENML_CACHE_DIR": str(root), "OPENML_SKIP_PARQUET": str(not parquet)}
        try:
            import openml
            from filelock import FileLock

            settings = {"server": self.location, "apikey": "", "retry_policy": "human", "connection_n_retries": TRIES}
            # Its cache is for one process at a time.
            with FileLock(root / ".lock"), openml.config.overwrite_config_context(settings):
                answer = _answer(lambda: question(openml), seconds, root)
            try:
                return answer.result(0)
            except openml.exceptions.OpenMLServerException as error:
                if error.code == _OVERLOADED:
                    raise
                raise DataUnavailable(f"OpenML has no {what} to give: {one_line(error.message)}") from error
        except BenchError:
            raise
        except NotImplementedError as error:
            raise DataUnavailable(f"OpenML {what}: {_line(error)}") from error
        except TimeoutError as error:
            raise SourceError(f"{self.location}: {what}: no answer within {seconds:g} s") from error
        except Exception as error:  # its own, those of requests and of the XML parser, missing keys
            raise SourceError(f"{self.location}: {what}: {_line(error)}") from error


def _answer(question: Callable[[], Answer], seconds: float, cache: Path) -> Future[Answer]:
    """What ``question`` returns or raises, if it does so within ``seconds``.

    Else its thread is left behind: the package waits without end, and nothing ends its requests. What it parsed it
    keeps in pickles next to what it downloaded, and would load them: there are none in ``cache`` before and after.
    """
    answer: Future[Answer] = Future()

    def work() -> None:
        try:
            answer.set_result(question())
        except BaseException as error:
            answer.set_exception(error)

    _drop_pickles(cache)
    threading.Thread(target=work, daemon=True).start()
    wait([answer], seconds)
    _drop_pickles(cache)
    return answer


def _drop_pickles(cache: Path) -> None:
    for path in cache.rglob("*.pkl*"):
        path.unlink(missing_ok=True)


def _line(error: Exception) -> str:
    """``error`` in one line, without the web page that the package puts behind it."""
    if isinstance(error, KeyError | TypeError | AttributeError):
        return one_line(f"not an answer of OpenML ({type(error).__name__}: {error})")
    return one_line(str(error).partition("<")[0]) or type(error).__name__
