"""The index lists of OpenML's tasks: the first repeat's folds, or one line about what is wrong with them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from bench.data.openml_splits import read_task_splits
from bench.errors import DataInvalid
from bench.records.dataset import Splits

Y = np.array([0, 1] * 4)
HEAD = "@relation s\n@attribute type {TRAIN,TEST}\n" + "".join(
    f"@attribute {name} numeric\n" for name in ("rowid", "repeat", "fold")
)


def read(*lines: str, head: str = HEAD) -> Splits:
    return read_task_splits((head + "@data\n" + "\n".join(lines)).encode(), 3, Y, "lists")


def test_the_first_repeat_and_sample_count() -> None:
    parts = [
        ("TRAIN", range(4), "1,0,0"),
        ("TEST", range(4, 8), "1,0,0"),
        ("TRAIN", range(8), "2,0,0"),
        ("TEST", (3, 1), "1,2,0"),
        ("TRAIN", (7, 0), "1,2,0"),
        ("TRAIN", range(8), "1,2,1"),
    ]
    lines = [f"{kind},{row},{where}" for kind, rows, where in parts for row in rows]
    splits = read(*lines, head=f"{HEAD}@attribute sample numeric\n")
    assert splits.name == "openml-task-3"
    first, second = splits.holdouts
    assert (first.train.tolist(), first.test.tolist()) == ([0, 1, 2, 3], [4, 5, 6, 7])
    assert (second.train.tolist(), second.test.tolist()) == ([0, 7], [1, 3])
    again = read("TRAIN,0,0,0", "TEST,1,0,0")
    assert again.tuning.train.tolist() == splits.tuning.train.tolist()  # drawn from the task's number alone


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["TRAIN,0,0,0"], "fold 0: no rows to train on or none to test"),
        (["TRAIN,0,0,0", "TEST,0,0,0"], "fold 0: row 0 is listed twice"),
        (["TRAIN,0,0,0", "TRAIN,0,0,0", "TEST,1,0,0"], "row 0 is listed twice"),
        (["TRAIN,8,0,0", "TEST,1,0,0"], "row number 8 in a table of 8 rows"),
        (["TRAIN,-1,0,0", "TEST,1,0,0"], "row number -1 in a table"),
        (["TRAIN,0.5,0,0", "TEST,1,0,0"], "rowid: something other than whole numbers"),
        (["TRAIN,0,?,0", "TEST,1,0,0"], "repeat: something other than whole numbers"),
        (["TRAIN,1e300,0,0", "TEST,1,0,0"], "rowid: something other than whole numbers"),
        (["?,0,0,0", "TEST,1,0,0"], "rows are of type TRAIN or TEST, not 'NAN'"),
        ([], "no rows"),
    ],
)
def test_lists_that_are_none(lines: list[str], message: str) -> None:
    assert refused(DataInvalid, message, read, *lines).startswith("lists: ")


def test_lists_that_are_no_lists() -> None:
    head = "@relation s\n@attribute type {0}\n@attribute rowid numeric\n"
    refused(DataInvalid, "lists: no column 'repeat'", read, "0,0", head=head)
    refused(DataInvalid, "lists: not a readable ARFF", read, head="")


KIND = st.sampled_from(["TRAIN", "TEST"])
LINES = st.lists(st.tuples(KIND, st.integers(-1, 9), st.integers(0, 1), st.integers(0, 2)), max_size=12)


@given(lines=LINES)
def test_any_lines_are_divisions_or_one_line(lines: list[tuple[str, int, int, int]]) -> None:
    try:
        splits = read(*(f"{kind},{row},{repeat},{fold}" for kind, row, repeat, fold in lines))
    except DataInvalid as error:
        assert re.fullmatch("lists: [^\n]+", str(error))  # noqa: PT017
        return
    for holdout in splits.holdouts:
        train, test = set(holdout.train), set(holdout.test)
        assert train
        assert test
        assert not train & test
        assert train | test <= set(range(8))
