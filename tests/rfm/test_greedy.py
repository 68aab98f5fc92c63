"""Greedy selection of a mean's members, against means that are computed anew in every step."""

from __future__ import annotations

import numpy as np
import pytest

from rfm.greedy import SMALLEST_GAIN, STEPS, first_of_least, greedy_counts


def guesses(seed: int, count: int, rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Targets (rows, 2), and guesses (count, rows, 2) of different worth whose errors are in part shared."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(rows, 2))
    shared = rng.normal(size=(3, rows, 2))
    sizes = rng.uniform(0.5, 1.5, size=(count, 1, 1))
    return truth, truth + sizes * (rng.normal(size=(count, rows, 2)) + shared[np.arange(count) % 3])


def by_means(truth: np.ndarray, offered: np.ndarray, steps: int = STEPS) -> list[int]:
    """The members in the order in which they are added, by the error of the mean of the guesses themselves."""

    def error(members: list[int]) -> float:
        return float(np.sum((np.mean([offered[k] for k in members], axis=0) - truth) ** 2))

    members = [min(range(len(offered)), key=lambda k: error([k]))]
    while len(members) <= steps:
        best = min(([*members, k] for k in range(len(offered))), key=error)
        if error(best) >= error(members) * (1 - SMALLEST_GAIN):
            break
        members = best
    return members


def products(truth: np.ndarray, offered: np.ndarray) -> np.ndarray:
    residuals = (offered - truth).reshape(len(offered), -1)
    return residuals @ residuals.T


@pytest.mark.parametrize("count", [1, 2, 6, 30])
@pytest.mark.parametrize("seed", range(5))
def test_the_members_are_those_of_means_computed_anew(seed: int, count: int) -> None:
    truth, offered = guesses(seed, count)
    members = by_means(truth, offered)
    G = products(truth, offered)
    for unit in (1.0, 1.0 / truth.size, 1e6):
        assert greedy_counts(unit * G).tolist() == np.bincount(members, minlength=count).tolist()
    assert len(members) <= STEPS + 1
    counts = greedy_counts(G)
    assert counts @ G @ counts / counts.sum() ** 2 <= G.diagonal().min()


def test_it_ends_after_so_many_steps() -> None:
    rng = np.random.default_rng(0)
    independent = rng.normal(size=(200, 500, 1))  # every further one lowers the error of the mean
    assert greedy_counts(products(np.zeros((500, 1)), independent)).sum() == STEPS + 1


@pytest.mark.parametrize(
    ("G", "counts"),
    [
        (np.full((4, 4), 0.3), [1, 0, 0, 0]),  # equal candidates
        (np.zeros((3, 3)), [1, 0, 0]),  # nothing to gain
        (np.array([[1.0, -1.0], [-1.0, 1.0]]), [1, 1]),  # residuals that cancel
        (np.diag([9.0, 1.0, 1.0 + 1e-13]), [0, 1, 1]),  # the best single one is not the first
        (np.array([[1.0, 1.0 - 1e-12], [1.0 - 1e-12, 1.0 + 1e-12]]), [1, 0]),  # a gain of rounding only
        (np.array([[7.0]]), [1]),  # one candidate
    ],
)
def test_where_it_begins_and_ends(G: np.ndarray, counts: list[int]) -> None:
    assert greedy_counts(G).tolist() == counts


def test_the_first_of_equals_is_taken() -> None:
    assert first_of_least(np.array([3.0, 1.0 + 1e-12, 1.0])) == 1
    assert first_of_least(np.array([3.0, 1.1, 1.0])) == 2
    assert first_of_least(np.array([-1.0, -1.0 - 1e-12])) == 0
