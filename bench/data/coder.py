"""The columns of a table one by one: which hold numbers and which categories, and what they become as features.

The rules are those that :mod:`bench.data.columns` states.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.findings import Finding, as_key, first_of, quoted
from bench.data.text_columns import (
    NUMBERS,
    SOME_NUMBERS,
    in_order,
    known_texts,
    look_like_dates,
    nearly_equal,
    read_numbers,
    with_currency,
)
from bench.errors import DataInvalid, one_line
from bench.records.dataset import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

MAX_FEATURES = 5000
"""Columns after coding; OpenML's CC18 suite draws the same line."""
MAX_VALUES = 200_000_000
MAX_MAGNITUDE = 1e140
"""Of a number: the sum of the squares of as many as a table may have is still a float64."""
KEY_LEVELS = 20
"""Levels above which a column with more of them than half the rows is taken for a key."""
SHOWN_MARKS = 5
"""Texts that are to be called missing in an advice; of more only the number is said."""
EXACT = 2.0**53
"""Whole numbers beyond it are not all float64 numbers."""


class OtherKind(DataInvalid):
    """The target cannot be predicted as the kind of thing that was asked for."""


@dataclass
class Coder:
    """Codes the columns of a table one by one, and keeps what is to be reported of them."""

    where: str
    marks: Collection[str]
    level_marks: Collection[str]
    """What stands for a missing value among the levels that a column declares: only what the user names."""
    inputs: pd.DataFrame
    dates: Collection[str] = ()
    blocks: list[FloatArray] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    coded: int = 0

    def add(self, column: pd.Series, name: str, *, declared: bool) -> None:
        """Code one column; ``declared`` ones are categories."""
        import pandas as pd

        kind = pd.api.types.infer_dtype(column, skipna=True)
        if pd.api.types.is_complex_dtype(column):
            raise DataInvalid(f"{self.where}: column {name!r} holds complex numbers; drop it or split it")
        if declared:
            texts = self._known(column, name)
            texts = texts.str.removesuffix(".0") if column.dtype.kind == "f" else texts  # 3 rather than 3.0
            self._categories(name, len(column), texts, declared=True)
        elif self._dates(column, name):
            self._refuse_dates(name, column.dropna())
        elif kind == "categorical":
            levels = [str(level).strip() for level in column.cat.categories]
            self._categories(name, len(column), self._known(column, name, self.level_marks), levels)
        elif kind == "decimal" or pd.api.types.is_numeric_dtype(column):
            self._numbers(name, column)
        else:
            self._text(name, len(column), self._known(column, name))

    def target(self, column: pd.Series, name: str) -> FloatArray:
        """The numbers to predict (n,), NaN where there is none. Raises :class:`OtherKind` if they are not numbers."""
        import pandas as pd

        where = f"{self.where}: target {name!r}"
        found = pd.api.types.infer_dtype(column, skipna=True)
        texts = known_texts(column, self.marks)
        if self._dates(column, name) or (found == "string" and look_like_dates(texts)):
            raise DataInvalid(f"{where} holds dates or times (such as {quoted(texts.iloc[0])}); turn it into a number")
        if found == "categorical" or pd.api.types.is_complex_dtype(column):
            raise OtherKind(f"{where} is {found} (such as {quoted(texts.iloc[0])}), not a column of numbers")
        if found == "decimal" or pd.api.types.is_numeric_dtype(column):
            values = self._checked(name, column)
        else:
            numbers, strange = self._as_numbers(name, len(column), self._known(column, name))
            if numbers is None:
                raise OtherKind(f"{where} is text ({first_of(strange)}), not a column of numbers")
            values = self._checked(name, numbers)
        known = np.unique(values[~np.isnan(values)])
        if len(known) < 2:
            only = f"one value only ({known[0]:g})" if len(known) else "no number at all"
            raise DataInvalid(f"{where}: {only}; at least 2 different ones are needed")
        if not known.std() > 0:
            raise DataInvalid(f"{where}: the numbers differ by too little for float64; multiply them by a power of ten")
        return values

    def _dates(self, column: pd.Series, name: str) -> bool:
        """Whether a column is declared to hold dates, times or durations."""
        import pandas as pd

        found = pd.api.types.infer_dtype(column, skipna=True)
        return name in self.dates or found.startswith(("date", "time", "period"))

    @cached_property
    def _marks_in_use(self) -> list[str]:
        """The marks of missing values, but an empty cell, that stand in the features."""
        texts = [known_texts(column, ("",)) for _, column in self.inputs.items() if column.dtype in (object, "str")]
        return list(dict.fromkeys(mark for column in texts for mark in column[column.str.casefold().isin(self.marks)]))

    def _known(self, column: pd.Series, name: str, marks: Collection[str] | None = None) -> pd.Series:
        known = known_texts(column, self.marks if marks is None else marks)
        written = known_texts(column, ("",))
        counts = written.drop(known.index, errors="ignore").value_counts()
        self.marked += [f"{quoted(mark)} ({count} in {one_line(name, 50)})" for mark, count in counts.items()]
        return known

    def _text(self, name: str, rows: int, texts: pd.Series) -> None:
        numbers, strange = self._as_numbers(name, rows, texts)
        if numbers is not None:
            return self._numbers(name, numbers)
        if look_like_dates(texts):
            self._refuse_dates(name, texts)
        if 1 - len(strange) / len(texts) > SOME_NUMBERS:
            self.warn(
                "numbers and text",
                f"{name}: {len(texts) - len(strange)} of {len(texts)} known values are numbers, the others text,"
                f" {first_of(strange)}",
                f"taken as a column of categories; say so with {as_key('categories', name)}, or make it numbers",
                name,
            )
        elif with_currency(texts):
            self.warn(
                "numbers with a currency",
                f"{name}: the values are amounts of money (such as {quoted(texts.iloc[0])})",
                f"taken as a column of categories; say so with {as_key('categories', name)}, or take the signs out",
                name,
            )
        return self._categories(name, rows, texts)

    def _as_numbers(self, name: str, rows: int, texts: pd.Series) -> tuple[pd.Series | None, pd.Series]:
        """(the column of ``rows`` rows as numbers if most of its known ``texts`` are numbers; those that are none)."""
        numbers, open_question = read_numbers(texts)
        strange = texts[numbers.isna()]
        if len(texts) and 1 - len(strange) / len(texts) <= NUMBERS:
            return None, strange
        if len(strange):
            self.warn(
                "not all numbers",
                f"{name}: {len(strange)} of {len(texts)} known values are not numbers, {first_of(strange)}",
                f"they are taken as missing; to say so, describe the table with {self._missing_too(strange)}, "
                f"or, if {name} is not a number, with {as_key('categories', name)}",
                name,
            )
        if open_question:
            row = int(texts.str.contains(",").to_numpy().argmax())
            self.warn(
                "comma in numbers",
                f"{name}: {quoted(texts.iloc[row])} in row {texts.index[row] + 1} is read as {numbers.iloc[row]:g}",
                "the comma is taken to set thousands apart; if it stands before decimals, write a point",
                name,
            )
        if (numbers.abs() >= EXACT).any():
            large = texts[numbers.abs() >= EXACT]
            self._refuse_merged(name, large.map(_exact), numbers[large.index])
        return numbers.reindex(range(rows)), strange

    def _missing_too(self, strange: pd.Series) -> str:
        """The key that takes ``strange`` for missing. It replaces the usual marks, so those that occur are with it."""
        different = list(dict.fromkeys(strange))
        more = f" and the {len(different) - SHOWN_MARKS} others of this column" if len(different) > SHOWN_MARKS else ""
        return as_key("missing", *different[:SHOWN_MARKS], *self._marks_in_use) + more

    def _numbers(self, name: str, column: pd.Series) -> None:
        self._append(self._checked(name, column)[:, None], [name], name)

    def _checked(self, name: str, column: pd.Series) -> FloatArray:
        """The numbers (n,), NaN where missing."""
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if (np.abs(values) >= EXACT).any():  # of decimals and integers; numbers from text have been looked at
            known = column.reset_index(drop=True).dropna()
            self._refuse_merged(name, known, known.astype("float64"))
        for faulty, says in (
            (np.isinf(values), "not a finite number"),
            (np.abs(values) > MAX_MAGNITUDE, f"is beyond {MAX_MAGNITUDE:g}; rescale the column, or drop it"),
        ):
            if faulty.any():
                row = int(faulty.argmax())
                value = "" if np.isinf(values[row]) else f"{values[row]:g} "
                raise DataInvalid(f"{self.where}: column {name!r}, row {row + 1}: {value}{says}")
        for mark in self.marks:
            try:
                stands = values == float(mark)
            except ValueError:
                continue
            if stands.any():
                self.marked.append(f"{quoted(mark)} ({int(stands.sum())} in {one_line(name, 50)})")
                values = np.where(stands, np.nan, values)
        return np.where(np.isnan(values), np.nan, values)  # one NaN of all: the table's checksum is over the bytes

    def _categories(
        self, name: str, rows: int, texts: pd.Series, order: Iterable[str] = (), *, declared: bool = False
    ) -> None:
        present = set(texts)
        levels = [level for level in dict.fromkeys(order) if level in present] or in_order(present)
        self.compare(name, texts.value_counts().to_dict(), "categories")
        key = len(levels) == len(texts) > 2 or len(levels) > max(KEY_LEVELS, len(texts) // 2)
        if key and not declared:
            self.warn(
                "left out",
                f"{name}: nearly all values are different (such as {quoted(texts.iloc[0])})",
                f"it is no feature; say so with {as_key('drop', name)}, or keep it with {as_key('categories', name)}",
                name,
            )
            return None
        gaps = len(texts) < rows
        codes = np.full(rows, len(levels), dtype=np.int64)
        codes[texts.index] = positions(texts, levels)
        names = [f"{name}={level}" for level in levels] + ([f"{name} missing"] if gaps else [])
        self.coded += 1
        if len(names) <= 2:  # one 0/1 column says which of two; a constant column stays one
            values, names = (codes == len(names) - 1).astype(np.float64)[:, None], names[-1:] or [f"{name} missing"]
            return self._append(values, names, name)
        self._refuse_more(len(names), name)
        if rows * len(names) > MAX_VALUES:
            raise DataInvalid(f"{self.where}: column {name!r} of {len(names)} categories becomes too large; drop it")
        return self._append((codes[:, None] == np.arange(len(names))).astype(np.float64), names, name)

    def compare(self, name: str, counts: Mapping[Any, int], kind: str) -> None:
        """Warn of ``kind`` (classes or categories) that are nearly spelt the same."""
        alike = [f"{quoted(v)} ({counts[v]})" for group in nearly_equal(counts) for v in group]
        if alike:
            self.warn(
                f"similar {kind}",
                f"{name}: they differ only by case, blanks or a final period: {', '.join(alike[:20])}",
                f"they count as different {kind}; write them the same way if they are the same",
                name,
            )

    def _append(self, block: FloatArray, labels: list[str], name: str) -> None:
        self._refuse_more(len(labels), name)
        self.blocks.append(block)
        self.features += labels

    def warn(self, check: str, what: str, means: str, name: str) -> None:
        """Report what is odd about the column ``name``."""
        self.findings.append(Finding(check, "warning", one_line(what, limit=600), one_line(means, limit=600), (name,)))

    def _refuse_dates(self, name: str, known: pd.Series) -> None:
        such = f" (such as {quoted(known.iloc[0])})" if len(known) else ""
        raise DataInvalid(
            f"{self.where}: column {name!r} holds dates or times{such}; drop it or turn it into a number (in a "
            f"description: {as_key('drop', name)})"
        )

    def _refuse_merged(self, name: str, exact: pd.Series, rounded: pd.Series) -> None:
        different = exact.drop_duplicates()
        merged = different[rounded[different.index].duplicated(keep=False)]
        if len(merged):
            raise DataInvalid(
                f"{self.where}: column {name!r}, row {merged.index[0] + 1}: whole numbers beyond 2^53 (such as "
                f"{one_line(merged.iloc[0], 50)}) cannot be distinguished as float64; drop it, subtract a number, or "
                "declare it a category"
            )

    def _refuse_more(self, columns: int, name: str) -> None:
        if len(self.features) + columns > MAX_FEATURES:
            raise DataInvalid(
                f"{self.where}: more than {MAX_FEATURES} columns after coding: column {name!r} would add {columns}; "
                "drop it, or group its rare categories"
            )


def positions(texts: pd.Series, levels: list[str]) -> IntArray:
    """The place (n,) of each text among the ``levels``."""
    position = {level: index for index, level in enumerate(levels)}
    return np.array([position[text] for text in texts], dtype=np.int64)


def _exact(text: str) -> Decimal | str:
    """The number that ``text`` writes, to the last digit; the text itself if it is written in a way of its own."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text
