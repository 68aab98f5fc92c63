"""How a choice is made from figures of several folds."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import MethodError
from bench.protocols.choosing import choose
from bench.records.method import Choice, Fold, Path


def folds_of(*sizes: int) -> list[Fold]:
    return [Fold(np.arange(3), np.arange(size)) for size in sizes]


def path(name: str, accuracy: list[list[float]], error: list[list[float]]) -> Path:
    return Path({"name": name}, tuple(range(len(accuracy[0]))), np.array(accuracy), np.array(error))


def test_right_rows_are_counted_not_their_rounded_shares() -> None:
    assert 1 / 49 * 49 < 1
    paths = [path("a", [[1 / 49], [0.0]], [[0.1], [0.1]]), path("b", [[0.0], [1.0]], [[0.1], [0.1]])]
    assert choose(paths, folds_of(49, 1), ties="order")[0] == Choice({"name": "a"}, 0)
    assert choose(paths, folds_of(49, 1), ties="order", counts=False)[0] == Choice({"name": "b"}, 0)


def test_the_brier_score_is_that_of_all_rows_not_the_mean_over_folds() -> None:
    paths = [path("a", [[0.5], [0.5]], [[0.3], [0.1]]), path("b", [[0.5], [0.5]], [[0.2], [0.3]])]
    assert choose(paths, folds_of(30, 10), ties="brier")[0] == Choice({"name": "b"}, 0)


def test_the_most_right_rows_over_all_folds_win() -> None:
    # 8 of 10 and 0 of 2 against 7 of 10 and 2 of 2: the folds' rows count, not the mean of their shares.
    paths = [path("a", [[0.8], [0.0]], [[0.1], [0.1]]), path("b", [[0.7], [1.0]], [[0.9], [0.9]])]
    choice, accuracy = choose(paths, folds_of(10, 2), ties="order")
    assert choice == Choice({"name": "b"}, 0)
    assert accuracy == 9 / 12


def test_ties_go_to_the_first_or_to_the_smaller_brier_score() -> None:
    paths = [path("a", [[0.5, 0.5]], [[0.4, 0.3]]), path("b", [[0.5, 0.5]], [[0.3, 0.2]])]
    assert choose(paths, folds_of(10), ties="order")[0] == Choice({"name": "a"}, 0)
    assert choose(paths, folds_of(10), ties="brier")[0] == Choice({"name": "b"}, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_figures_that_are_not_finite_are_an_error(bad: float) -> None:
    with pytest.raises(MethodError, match=r"'a'.*not finite"):
        choose([path("a", [[bad]], [[0.1]])], folds_of(10), ties="order")
    with pytest.raises(MethodError, match=r"'a'.*not finite"):
        choose([path("a", [[0.5]], [[bad]])], folds_of(10), ties="brier")
    with pytest.raises(MethodError, match="no configuration"):
        choose([], folds_of(10), ties="order")
