"""What a protocol can be, and where the reduction of large datasets begins. Variants of the protocols that see no test
label: ensembles and coded nominal columns, each a record of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from refusals import refused
from small_methods import Watched

from bench.data.splits import draw_splits
from bench.errors import UsageError
from bench.protocols import PROTOCOLS, Protocol, carry_out, register, with_variants
from bench.protocols.reduction import LARGE_ROWS, TUNING_ROWS, reduced, reduction
from bench.protocols.registry import asked_variant, asked_variants, plain_names
from bench.protocols.rows import encode_nominal, fill_missing, standardise
from bench.records.dataset import Dataset, Holdout, Splits
from bench.stats.protocols import leak_path, noise_pair, variant_pairs

BASES = ("clean", "clean-cv")
ENDINGS = ("nominal", "top5", "top5-nominal", "greedy", "greedy-nominal")


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


def test_every_variant_is_named_ordered_and_explained() -> None:
    variants = [p for p in PROTOCOLS.values() if p.variant_of]
    assert [p.name for p in variants] == [f"{base}-{ending}" for base in BASES for ending in ENDINGS]
    assert plain_names(PROTOCOLS) == ["clean", "clean-cv", "relearn", "published"]
    assert plain_names(["clean-greedy", "elsewhere", "clean"]) == ["elsewhere", "clean"]
    assert len({p.meaning for p in PROTOCOLS.values()}) == len(PROTOCOLS)
    for p in variants:
        base = PROTOCOLS[p.variant_of]
        assert not p.plain
        assert (p.base, base.base) == (base.name, base.name)
        assert p.meaning.startswith(f"As {base.name}. ")
        assert p.tag
        assert ("Caruana" in p.meaning) == (p.ensemble == "greedy")
        assert ("category" in p.meaning) == (p.inputs == "nominal")
        assert p.rules == base.rules | {k: v for k, v in p.varied.items() if v != base.varied[k]} | {"name": p.name}
        assert replace(p, ensemble="none", inputs="archive").plain


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("clean", None, None), ["clean"]),
        (("clean", "none", "archive"), ["clean"]),
        (("clean-cv", "greedy", None), ["clean-cv-greedy"]),
        (("clean-cv", "greedy", "nominal"), ["clean-cv-greedy-nominal"]),
        (("clean", None, "nominal"), ["clean-nominal"]),
        (("clean-cv-greedy", None, "nominal"), ["clean-cv-greedy-nominal"]),
        (("clean-nominal", "top5", "nominal"), ["clean-top5-nominal"]),
        (("published", "none", None), ["published"]),
        (("clean,clean-cv", None, None), ["clean", "clean-cv"]),
        (("published, relearn", None, None), ["published", "relearn"]),
        (("clean-cv", "none,greedy", None), ["clean-cv", "clean-cv-greedy"]),
        (("clean", "none,top5", "archive,nominal"), ["clean", "clean-nominal", "clean-top5", "clean-top5-nominal"]),
    ],
)
def test_flags_select_variants(asked: tuple[str, str | None, str | None], found: list[str]) -> None:
    assert [protocol.name for protocol in asked_variants(*asked)] == found


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("clean", "gredy", None), "unknown --ensemble 'gredy': did you mean 'greedy'"),
        (("clean", None, "one-hot"), "unknown --inputs 'one-hot'"),
        (("relearn", "greedy", None), "--ensemble greedy: --protocol relearn repeats the paper's procedure"),
        (("published", None, "nominal"), "--inputs nominal: --protocol published.*use clean or clean-cv$"),
        (("clean-greedy", "top5", None), "--ensemble top5: --protocol clean-greedy has greedy; use --protocol clean$"),
        (("clean-nominal", None, "archive"), "--inputs archive: --protocol clean-nominal has nominal"),
        (("clean-3", "greedy", None), "--ensemble greedy: --protocol clean-3 has no such variant: use clean or"),
        (("cleen", "greedy", None), "unknown protocol 'cleen': did you mean 'clean'"),
        (("clean,clean", None, None), "--protocol clean,clean: clean is given twice"),
        (("clean", "none,none", None), "--ensemble none,none: none is given twice"),
        (("clean,", None, None), "unknown protocol ''"),
        (("clean,published", "greedy", None), "--ensemble greedy: --protocol published repeats"),
    ],
)
def test_what_there_is_not_is_said_in_a_line(
    registry: dict[str, Protocol], asked: tuple[str, str | None, str | None], words: str
) -> None:
    register(Protocol("clean-3", inner_folds=3))
    refused(UsageError, words, asked_variants, *asked)


def test_a_protocol_of_ones_own_can_have_variants(registry: dict[str, Protocol]) -> None:
    for protocol in with_variants(Protocol("clean-3", inner_folds=3, order=9)):
        register(protocol)
    assert asked_variant("clean-3", "greedy", "nominal").name == "clean-3-greedy-nominal"
    assert list(registry)[-1] == "clean-3-greedy-nominal"


def test_comparisons_of_protocols_leave_variants_out_and_pair_them_among_themselves() -> None:
    clean, clean_cv = (PROTOCOLS[name] for name in BASES)
    assert [p.name for p in leak_path(PROTOCOLS)] == ["published", "relearn", "clean", "clean-cv"]
    assert noise_pair(["clean-greedy", "clean-cv-nominal", "clean-cv", "clean"]) == (clean, clean_cv)
    assert noise_pair(["clean", "clean-cv-greedy"]) is None
    ran = ["clean-cv", "clean-cv-greedy", "clean-cv-top5", "clean-cv-greedy-nominal", "clean-cv-nominal", "clean-top5"]
    found = {field: [(a.name, b.name) for a, b in variant_pairs(ran, field)] for field in ("ensemble", "inputs")}
    assert found == {
        "ensemble": [
            ("clean-cv", "clean-cv-top5"),
            ("clean-cv", "clean-cv-greedy"),
            ("clean-cv-nominal", "clean-cv-greedy-nominal"),
        ],
        "inputs": [("clean-cv", "clean-cv-nominal"), ("clean-cv-greedy", "clean-cv-greedy-nominal")],
    }


@pytest.mark.parametrize("protocol", ["clean", "clean-nominal", "clean-cv-top5-nominal"])
def test_nominal_columns_are_coded_from_the_training_part_and_standardised(protocol: str) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 20)
    X = np.column_stack([rng.normal(size=40), rng.integers(0, 4, 40), rng.normal(size=40)]).astype(np.float64)
    X[3, 1] = np.nan
    splits = draw_splits("table", y, 0)
    only = splits.holdouts[1].test[0]
    X[only, 1] = 9.0  # a category that a training part lacks
    table = Dataset("table", X, y, 2, "embedded", nominal=(1,))
    method = Watched()
    carry_out(method, table, splits, PROTOCOLS[protocol], 0)
    coded = PROTOCOLS[protocol].inputs == "nominal"
    for task, fold in zip(method.tasks, splits.holdouts, strict=True):
        rows, train = np.concatenate([fold.train, fold.test]), np.arange(len(fold.train))
        seen = encode_nominal(X[rows], (1,), train) if coded else X[rows]
        assert seen.shape[1] == (3 if not coded else 2 + len(set(X[fold.train, 1][~np.isnan(X[fold.train, 1])])))
        np.testing.assert_array_equal(task.X, standardise(fill_missing(seen, train), train))
    assert {task.X.shape[1] for task in method.tasks} == ({3} if not coded else {6, 7})
