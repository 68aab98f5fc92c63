"""The reduction of large datasets: the same for every method and protocol.

A full grid on tens of thousands of samples takes days on a small machine and decides little: with thousands of test
samples one test fold has a standard error below half a percentage point, and thousands of samples select a
configuration as well as all of them. Above :data:`LARGE_ROWS` samples hyperparameters are therefore selected on a
stratified subset of at most :data:`TUNING_ROWS` training samples (`clean`, `clean-cv`) or on one such subset of each
tuning half (`relearn`, `published`), and only the first test fold is tested. The selected configuration is fitted on
*all* its training samples. ``--full`` turns the reduction off. Splits with validation parts of their own keep all
their test folds: their benchmark has limited them already.
"""

from __future__ import annotations

from dataclasses import replace

from bench.records.dataset import Splits

LARGE_ROWS = 10_000
TUNING_ROWS = 5_000


def reduced(splits: Splits, rows: int) -> Splits:
    """``splits`` of a table of ``rows`` rows as the reduction leaves them: unchanged up to :data:`LARGE_ROWS`.

    With validation parts of their own they are unchanged up to :data:`TUNING_ROWS` training rows.
    """
    first = splits.holdouts[0]
    if first.validation is not None:
        return replace(splits, tuning_rows=TUNING_ROWS) if len(first.train) > TUNING_ROWS else splits
    if rows <= LARGE_ROWS:
        return splits
    return replace(splits, holdouts=splits.holdouts[:1], tuning_rows=TUNING_ROWS)


def reduction(splits: Splits) -> str | None:
    """What the reduction did to ``splits``, in words that are stored with each result; None if nothing.

    Results are compared by these words, so they stay as they were; :func:`bench.protocols.registry.reduction_in_words`
    is what a reader sees.
    """
    if splits.tuning_rows is None:
        return None
    words = f"chosen on at most {splits.tuning_rows:,} rows"
    return words if splits.holdouts[0].validation is not None else f"{words}, tested on the first hold-out only"
