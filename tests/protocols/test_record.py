"""What a protocol cannot be, and where the reduction of large datasets begins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.protocols import Protocol
from bench.protocols.reduction import LARGE_ROWS, TUNING_ROWS, reduced, reduction
from bench.records.dataset import Holdout, Splits


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"reuses_metric": True}, ""),
        ({"inner_folds": 0}, ""),
        ({"selected_on": "tuning halves", "ensemble": "greedy"}, "on the tuning halves one configuration is selected"),
        ({"selected_on": "tuning halves", "inputs": "nominal"}, "on the tuning halves one configuration is selected"),
    ],
)
def test_rules_that_do_not_go_together_are_refused(rules: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"protocol 'mine': .*{words}"):
        Protocol("mine", **rules)


def splits(train: int, validation: int | None = None) -> Splits:
    part = None if validation is None else np.arange(validation)
    fold = Holdout(np.arange(train), np.arange(9), part)
    return Splits("own", Holdout(np.arange(4), np.arange(4)), (fold, fold))


def test_above_ten_thousand_rows_the_first_fold_is_tested_after_a_smaller_selection() -> None:
    drawn = splits(30)
    assert reduced(drawn, LARGE_ROWS) is drawn
    less = reduced(drawn, LARGE_ROWS + 1)
    assert (len(less.holdouts), less.tuning_rows) == (1, TUNING_ROWS)
    assert (reduction(drawn), reduction(less)) == (
        None,
        "chosen on at most 5,000 rows, tested on the first hold-out only",
    )


def test_with_validation_parts_all_folds_are_tested() -> None:
    own = splits(TUNING_ROWS, validation=50)
    assert reduced(own, LARGE_ROWS + 1) is own
    less = reduced(splits(TUNING_ROWS + 1, validation=50), 99)
    assert (len(less.holdouts), less.tuning_rows) == (2, TUNING_ROWS)
    assert reduction(less) == "chosen on at most 5,000 rows"
