"""What a column of text is, judged by all of its cells: numbers, dates and times, or categories.

The rules are the same for every format, and are stated in `docs/add-a-dataset.md`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import numpy as np

from bench.records.dataset import FloatArray

if TYPE_CHECKING:
    import pandas as pd

MISSING = ("", "?", "-", "na", "n/a", "#n/a", "nan", "null", "none")
"""What stands for a missing value, in small or capital letters."""
MISSING_LABELS = tuple(mark for mark in MISSING if mark not in ("-", "none"))
"""In the target ``-`` and ``None`` are classes: many tables have them (``+`` and ``-``)."""
NUMBERS = 0.8
"""A column is one of numbers if more than this share of its known values are numbers."""
SOME_NUMBERS = 0.1
"""A column of categories with more numbers than this share holds two kinds of values."""
DATES = 0.5

_MINUS = str.maketrans("\u2212\u2013", "--")
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DAY = (
    rf"\d{{4}}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](?:\d\d|\d{{4}})|\d\d?[- ]{_MONTH}[- ,]+\d{{2,4}}|"
    rf"{_MONTH} \d\d?,? \d{{4}}|(?:19|20)\d\d-(?:0[1-9]|1[0-2])"
)
_TIME = r"\d{1,3}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[ap]m)?(?: ?(?:z|utc|[+-]\d\d:?\d\d))?"
_DURATION = r"[+-]?p(?=t?\d)(?:\d+[ymwd])*(?:t(?:\d+(?:[.,]\d+)?[hms])+)?|-?\d+ days?"
_DATE = re.compile(rf"(?:{_DAY})(?:[ t]{_TIME})?|-?(?:\d+ days?,? \+?)?{_TIME}|{_DURATION}", re.IGNORECASE)


def _numbers_with(point: str, comma: str) -> re.Pattern[str]:
    """Numbers with ``point`` before the decimals; three digits each may be set apart, all by the same character."""
    grouped = rf"[1-9]\d{{0,2}}(?:([{comma} '’\u00a0\u202f\u2009])\d{{3}})(?:\1\d{{3}})*|\d*"
    return re.compile(rf"[+-]?(?:(?=[{point}]?\d)(?:{grouped})(?:[{point}]\d*)?(?:e[+-]?\d+)?|inf|infinity)", re.I)


_SPELT = {".": _numbers_with(".", ","), ",": _numbers_with(",", ".")}


def known_texts(column: pd.Series, marks: Collection[str]) -> pd.Series:
    """The values that are not missing as text, without blanks around them, by their row (from 0)."""
    known = column.reset_index(drop=True).dropna().astype(str).str.strip()
    missing = known.str.casefold().isin(marks)
    if column.dtype.kind == "f":  # -999 is written -999.0 there
        missing |= known.str.removesuffix(".0").isin(marks)
    return known[~missing]


def read_numbers(texts: pd.Series) -> tuple[pd.Series, bool]:
    """(the numbers, NaN where a text is none; whether they could as well be read otherwise).

    A column is read in one way: with a decimal point or comma (then the other may set thousands apart), with per cent
    signs or without, whichever makes numbers of more cells; if that leaves it open, with a point, without the sign.
    """
    plain = as_numbers(texts)
    if plain is not None:
        return plain, False
    counts = texts.value_counts()
    spelt = [text.translate(_MINUS) for text in counts.index]
    signs = (False, True) if any(text.endswith("%") for text in spelt) else (False,)
    ways = {(point, percent): _values(spelt, point, percent) for percent in signs for point in _SPELT}
    found = {way: int(counts.to_numpy()[~np.isnan(values)].sum()) for way, values in ways.items()}
    point, percent = max(found, key=lambda way: found[way])
    best, other = ways[point, percent], ways[",", percent]
    known = ~np.isnan(best)
    commas = point == "." and any("," in text for text in spelt)
    open_question = commas and found[",", percent] == found[".", percent] and (best != other)[known].any()
    return texts.map(dict(zip(counts.index, best, strict=True))).astype("float64"), bool(open_question)


def as_numbers(texts: pd.Series) -> pd.Series | None:
    """The texts as numbers, if all of them are as they stand."""
    try:
        numbers = texts.astype("float64")
    except ValueError:
        return None
    return None if numbers.isna().any() or texts.str.contains("_", regex=False).any() else numbers


def _values(texts: Iterable[str], point: str, percent: bool) -> FloatArray:
    return np.array([_value(text, point, percent) for text in texts], dtype=np.float64)


def _value(text: str, point: str, percent: bool) -> float:
    if percent:
        if not text.endswith("%"):
            return np.nan
        text = text[:-1].rstrip()
    if not _SPELT[point].fullmatch(text):
        return np.nan
    return float(re.sub(rf"[^0-9a-zA-Z+\-{point}]", "", text).replace(point, "."))


def with_currency(texts: pd.Series) -> bool:
    """Whether most of the texts are numbers with the sign of a currency."""
    bare = texts.str.replace(r"[$€£¥]|\b(?:USD|EUR|GBP)\b", "", regex=True).str.strip()
    return bool((bare != texts).any() and read_numbers(bare)[0].notna().mean() > NUMBERS)


def look_like_dates(texts: pd.Series) -> bool:
    """Whether most of the texts are dates, times of the day or durations."""
    return bool(len(texts)) and texts.map(lambda text: bool(_DATE.fullmatch(text))).mean() > DATES


def in_order(texts: Iterable[str]) -> list[str]:
    """The different texts: by value if all of them are plain numbers, else as text."""
    different = sorted(set(texts))
    try:
        return sorted(different, key=float)
    except ValueError:
        return different


def nearly_equal(values: Iterable[str]) -> list[list[str]]:
    """Groups of values that differ only by case, by blanks or by a final period."""
    groups: dict[str, list[str]] = {}
    for value in values:
        groups.setdefault(" ".join(value.casefold().removesuffix(".").split()), []).append(value)
    return [group for group in groups.values() if len(group) > 1]
