"""What a missing result counts as. The rule changes the figures, so it is an object that every table names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import pandas as pd

Fill: TypeAlias = Literal["skip", "zero", "dataset-mean"]


@dataclass(frozen=True)
class MissingRule:
    """How missing scores enter each metric.

    ``in_mean``, ``in_relative`` (PMA, P90, P95) and ``in_rank`` say what stands in for a missing score: nothing
    (``skip``: the average runs over what is there), 0, or the mean of the other methods on that dataset.
    ``common_only`` drops every dataset on which some method is missing before anything is computed.
    """

    name: str
    text: str
    in_mean: Fill
    in_relative: Fill
    in_rank: Fill
    common_only: bool = False


COMMON_DATASETS = MissingRule(
    name="common datasets",
    text="only datasets on which every method of the table has a result",
    in_mean="skip",
    in_relative="skip",
    in_rank="skip",
    common_only=True,
)
"""The harness's own rule: nothing is filled in."""

STUDY_2014 = MissingRule(
    name="2014 study",
    text="missing results are skipped in the mean, count 0 in PMA, P90 and P95, and take the dataset's mean in ranks",
    in_mean="skip",
    in_relative="zero",
    in_rank="dataset-mean",
)
"""Fernández-Delgado et al., JMLR 15 (2014): reproduces its printed figures."""

ZERO_EVERYWHERE = MissingRule(
    name="zero",
    text="missing results count as an accuracy of 0 everywhere",
    in_mean="zero",
    in_relative="zero",
    in_rank="zero",
)
"""Arora et al., ICLR 2020 (arXiv 1910.01663)."""


def filled(scores: pd.DataFrame, fill: Fill) -> pd.DataFrame:
    """``scores`` (datasets x methods) with what ``fill`` puts in place of NaN."""
    if fill == "zero":
        return scores.fillna(0.0)
    if fill == "dataset-mean":
        return scores.T.fillna(scores.mean(axis=1)).T
    return scores
