"""What the command line does, from Python: ``bench.run`` and ``bench.load``. What goes wrong is a ``BenchError``."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.command_line import refuse_empty, refuse_foreign_rfm
from bench.data.cache import using_cache
from bench.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """What became of a run.

    Attributes
    ----------
    folder : Path
        Where its results are: ``scores.csv`` and what ``python -m bench report`` reads.
    counts : dict of str to int
        Jobs by status: ``{"ok": 8, "timeout": 1}``; those done before are among them.
    already : int
        How many of them were done before.
    undone : int
        Planned jobs without a result: the run was interrupted, or it was a ``dry_run``.
    seconds : float
        Wall seconds of this invocation.
    """

    folder: Path
    counts: dict[str, int]
    already: int = 0
    undone: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every job is ``ok``."""
        return not self.undone and set(self.counts) <= {"ok"}

    @property
    def scores(self) -> pd.DataFrame:
        """All that the folder holds, as :func:`load` gives it."""
        return load(self.folder)


def run(**flags: Any) -> Run:
    """Run methods on datasets under a protocol, as ``python -m bench run`` does; the same folder resumes.

    Parameters
    ----------
    **flags
        The flags of the command under their own names, ``-`` written ``_``: ``subset``, ``data``, ``target``,
        ``methods``, ``plugin``, ``protocol``, ``archive``, ``run``, ``seed``, ``seeds``, ``folds``, ``jobs``,
        ``timeout``, ``retry_failed`` and all others of ``python -m bench run --help``. Several values are a list; a
        switch is True.

    Returns
    -------
    Run
        Folder, counts by status, and the scores. Progress goes to standard error, and so do the failures.

    Raises
    ------
    BenchError
        With the message that the command line would print.

    Examples
    --------
    >>> import bench
    >>> done = bench.run(subset="smoke", methods=["rfm", "laplace"], run="results/first")  # doctest: +SKIP
    >>> done.scores.groupby("method")["accuracy"].mean()  # doctest: +SKIP
    """
    from bench.cli.run import add_arguments, carry_out

    refuse_foreign_rfm()
    parser = _Parser(add_help=False, allow_abbrev=False)
    add_arguments(parser)
    words = _words(flags, {action.dest: action for action in parser._actions})
    refuse_empty(words)
    args = parser.parse_args(words, argparse.Namespace(arguments=["run", *words]))
    with using_cache(args.cache):
        done = carry_out(args)
    counts = {str(status): count for status, count in sorted(done.outcome.statuses.items())}
    return Run(done.folder, counts, done.outcome.already, done.outcome.undone, done.outcome.seconds)


def load(*places: str | Path, allow: Collection[str] = ()) -> pd.DataFrame:
    """The scores of run folders, or of files of exported scores, together: one row per test fold.

    Parameters
    ----------
    *places : str or Path
        Run folders, ``scores.csv`` (also compressed, or Parquet), or folders with one.
    allow : collection of str
        Differences between them to accept, as with ``--allow``.

    Returns
    -------
    pandas.DataFrame
        The columns of ``scores.csv`` (:mod:`bench.records.scores`). A failed job has one row without a test fold.

    Raises
    ------
    BenchError
        Naming file, row and column of what cannot be read, or why results do not belong together.
    """
    from bench.cli.export import gathered
    from bench.stats.frame import scores_frame

    if not places:
        raise UsageError("bench.load: name a run folder or a file of exported scores")
    return scores_frame(gathered([Path(place) for place in places], allow).results)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise UsageError(message)


def _words(flags: Mapping[str, Any], known: Mapping[str, argparse.Action]) -> list[str]:
    """``flags`` as they would be typed, ``known`` being the parser's actions by name."""
    words: list[str] = []
    for name, value in flags.items():
        if name not in known:
            raise unknown_name("argument of bench.run", name, known)
        flag, action = known[name].option_strings[-1], known[name]
        if action.nargs == 0:
            if value not in (None, True, False):
                raise UsageError(f"{name}={value!r}: a switch, True or False")
            words += [flag] if value else []
        elif value is not None:
            values = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
            texts = [str(each) for each in values]
            # Of what can be given several times each value stands alone; elsewhere commas join them.
            alone = isinstance(action, argparse._AppendAction)
            words += [f"{flag}={text}" for text in (texts if alone else [",".join(texts)])]
    return words
