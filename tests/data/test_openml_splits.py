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

Y = np.array([0, 1] * 4)
HEAD = "@relation s\n@attribute type {TRAIN,TEST}\n" + "".join(
    f"@attribute {name} numeric\n" for name in ("rowid", "repeat", "fold")
)


def read(text: str) -> object:
    return read_task_splits(text.encode(), 3, Y, "lists")


def lists(*lines: str, head: str = HEAD) -> str:
    return head + "@data\n" + "".join(f"{line}\n" for line in lines)


def test_the_first_repeat_and_sample_count() -> None:
    head = HEAD + "@attribute sample numeric\n"
    splits = read_task_splits(
        lists(
            *[f"TRAIN,{row},1,0,0" for row in range(4)],
            *[f"TEST,{row},1,0,0" for row in range(4, 8)],
            *[f"TRAIN,{row},2,0,0" for row in range(8)],
            *[f"TEST,{row},1,2,0" for row in (3, 1)],
            *[f"TRAIN,{row},1,2,0" for row in (7, 0)],
            *[f"TRAIN,{row},1,2,1" for row in range(8)],
            head=head,
        ).encode(),
        3,
        Y,
        "lists",
    )
    assert splits.name == "openml-task-3"
    assert [(h.train.tolist(), h.test.tolist()) for h in splits.holdouts] == [
        ([0, 1, 2, 3], [4, 5, 6, 7]),
        ([0, 7], [1, 3]),
    ]
    again = read_task_splits(lists("TRAIN,0,0,0", "TEST,1,0,0").encode(), 3, Y, "lists")
    assert again.tuning.train.tolist() == splits.tuning.train.tolist()  # drawn from the task's number alone


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lists("TRAIN,0,0,0"), "fold 0: no rows to train on or none to test"),
        (lists("TRAIN,0,0,0", "TEST,0,0,0"), "fold 0: row 0 is listed twice"),
        (lists("TRAIN,0,0,0", "TRAIN,0,0,0", "TEST,1,0,0"), "row 0 is listed twice"),
        (lists("TRAIN,8,0,0", "TEST,1,0,0"), "row number 8 in a table of 8 rows"),
        (lists("TRAIN,-1,0,0", "TEST,1,0,0"), "row number -1 in a table"),
        (lists("TRAIN,0.5,0,0", "TEST,1,0,0"), "rowid: something other than whole numbers"),
        (lists("TRAIN,?,0,0", "TEST,1,0,0"), "rowid: something other than whole numbers"),
        (lists("TRAIN,0,?,0", "TEST,1,0,0"), "repeat: something other than whole numbers"),
        (lists("TRAIN,1e300,0,0", "TEST,1,0,0"), "rowid: something other than whole numbers"),
        (lists("?,0,0,0", "TEST,1,0,0"), "rows are of type TRAIN or TEST, not 'NAN'"),
        (lists("0,0", head="@relation s\n@attribute type {0}\n@attribute rowid numeric\n"), "no column 'repeat'"),
        (lists(), "no rows"),
        ("", "not a readable ARFF|no rows"),
    ],
)
def test_lists_that_are_none(text: str, message: str) -> None:
    line = refused(DataInvalid, message, read, text)
    assert line.startswith("lists: ")


LINES = st.lists(
    st.tuples(
        st.sampled_from(["TRAIN", "TEST"]), st.integers(-1, 9), st.sampled_from([0, 1]), st.sampled_from([0, 1, 2])
    ),
    max_size=12,
)


@given(lines=LINES)
def test_any_lines_are_divisions_or_one_line(lines: list[tuple[str, int, int, int]]) -> None:
    said = ""
    try:
        splits = read_task_splits(lists(*(f"{t},{r},{p},{f}" for t, r, p, f in lines)).encode(), 3, Y, "lists")
    except DataInvalid as error:
        said = str(error)
    else:
        for holdout in splits.holdouts:
            assert len(holdout.train) > 0
            assert len(holdout.test) > 0
            assert not set(holdout.train) & set(holdout.test)
            assert set(holdout.train) | set(holdout.test) <= set(range(8))
    assert not said or re.fullmatch("lists: [^\n]+", said)
