"""The one stated reduction of large tables: the same for every method and protocol.

A full grid on a table of tens of thousands of rows takes days on a small machine and decides little: with thousands of
test rows one hold-out has a standard error below half a point, and thousands of rows choose a configuration as well as
all of them. Above :data:`LARGE_ROWS` rows hyperparameters are therefore chosen on a stratified sample of at most
:data:`TUNING_ROWS` training rows (`clean`, `clean-cv`) or on one such sample of either tuning half (`relearn`,
`published`), and only the first hold-out is tested. What is chosen is fitted on *all* its training rows. ``--full``
turns the reduction off. Divisions with validation parts of their own keep all their test folds: their benchmark has
bounded them already.
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
    """What the reduction left of ``splits``, in words that are kept with each result; None if nothing was taken."""
    if splits.tuning_rows is None:
        return None
    words = f"chosen on at most {splits.tuning_rows:,} rows"
    return words if splits.holdouts[0].validation is not None else f"{words}, tested on the first hold-out only"
