"""Which datasets a summary is over, and which protocols are compared for the noise of the selection."""

from __future__ import annotations

from bench.stats.groups import standard_groups
from bench.stats.protocols import noise_pair


def test_regression_is_a_group_of_its_own() -> None:
    group_of = {"a": "small", "b": "large", "c": "test-file", "r": "small"}
    found = {g.key: g.datasets for g in standard_groups(["r", "c", "b", "a", "mine", "a"], group_of, {"r", "s"})}
    assert found == {
        "small90": ("a",),
        "no-test-file": ("a", "b"),
        "test-file": ("c",),
        "all-available": ("a", "b", "c", "mine"),
        "regression": ("r",),
    }
    assert [g.key for g in standard_groups(["b"], group_of)] == ["no-test-file", "all-available"]


def test_noise_is_between_the_fewest_inner_folds_and_the_most() -> None:
    pair = noise_pair(["clean-cv", "published", "clean", "relearn"])
    assert pair is not None
    assert [protocol.name for protocol in pair] == ["clean", "clean-cv"]
    assert noise_pair(["clean", "published"]) is None
