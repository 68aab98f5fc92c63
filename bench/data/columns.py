"""From a data frame and its target column to features and labels.

The coding needs no fitting, so that no row can leak into another through it:

- A number stays as it is (scaling is the protocol's, on the training part). What a column of text holds is decided by
  all of its cells (:mod:`bench.data.text_columns`): if they are mostly numbers, it is one of numbers.
- A column of categories becomes one 0/1 column per category, missing being one; two categories become one column.
  They are those of the whole table: one that only test rows have is constant on the training part, and constant
  columns are zeroed by the protocol, so it is as unknown as if it had never been coded.
- A *missing number stays NaN*. What replaces it has to be learned from training rows, and which those are is not known
  before the split: :mod:`bench.protocols.rows` fills it test fold by test fold.
- A column of categories that are all different, or more than 20 and more than half as many as there are rows (a name, a
  key, an address), says next to nothing about a new row and would drown the others: left out, unless declared.
- Classes are numbered in the order of their labels: as declared, by value if numbers, else as text. A number to predict
  stays as it is, and rows without one are left out.

This is not the coding of the 2014 archive, which numbers the levels of a category as if they were ordered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from bench.data.text_columns import (
    MISSING,
    MISSING_LABELS,
    NUMBERS,
    SOME_NUMBERS,
    as_numbers,
    in_order,
    known_texts,
    look_like_dates,
    nearly_equal,
    read_numbers,
    with_currency,
)
from bench.errors import DataInvalid, UsageError, one_line, unknown_name
from bench.records.dataset import FloatArray, IntArray
from bench.records.measure import Kind

if TYPE_CHECKING:
    import pandas as pd

Severity: TypeAlias = Literal["warning", "note"]

MAX_FEATURES = 5000
"""Columns after coding; OpenML's CC18 suite draws the same line."""
MAX_VALUES = 200_000_000
MAX_MAGNITUDE = 1e140
"""Of a number: the sum of the squares of as many as a table may have is still a float64."""
KEY_LEVELS = 20
"""Levels above which a column with more of them than half the rows is taken for a key."""
RECORDED_FEATURES = 500
"""Names of features that are recorded with a run."""
SHOWN_MARKS = 5
"""Texts that are to be called missing in an advice; of more only the number is said."""
EXACT = 2.0**53
"""Whole numbers beyond it are not all float64 numbers."""


class OtherKind(DataInvalid):
    """The target cannot be predicted as the kind of thing that was asked for."""


@dataclass(frozen=True)
class Finding:
    """One oddity: the ``check`` that found it, ``what`` was found, what it ``means`` for a kernel method.

    A ``warning`` should be looked into before results are believed; a ``note`` is good to know. ``columns`` are the
    names of the features it is about.
    """

    check: str
    severity: Severity
    what: str
    means: str
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return one_line(f"{self.check}: {self.what}; {self.means}", limit=600)


@dataclass(frozen=True)
class Coded:
    """A table as features and labels.

    ``X`` (n, d) float64, NaN where a number is missing; ``y`` (n,) int64 in 0..c-1, or float64 for regression, where
    there are no ``classes``. ``features`` (d,) are the columns' names (``colour=red`` for a level), ``classes`` (c,)
    the labels as text, ``inputs`` the columns before coding. ``notes`` tell in whole sentences what was done to it,
    ``findings`` what was odd about its columns.
    """

    X: FloatArray
    y: IntArray | FloatArray
    features: tuple[str, ...]
    classes: tuple[str, ...]
    inputs: tuple[str, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """The findings to be looked into, a line each."""
        return [str(finding) for finding in self.findings if finding.severity == "warning"]

    @property
    def recorded_features(self) -> list[str]:
        """The names that are recorded with a run: the first :data:`RECORDED_FEATURES`."""
        return list(self.features[:RECORDED_FEATURES])


def code_table(
    frame: pd.DataFrame,
    target: str,
    where: str,
    drop: Iterable[str] = (),
    *,
    kind: Kind = "classification",
    categories: Collection[str] = (),
    missing: Iterable[str] | None = None,
) -> Coded:
    """``frame`` with the column ``target`` as labels and all others but ``drop`` as features.

    ``kind`` says whether the target holds classes, or numbers: then rows without one are left out. ``categories`` are
    taken as such whatever is in them, ``missing`` are the texts that stand for a missing value (an empty cell always
    does). ``frame.attrs["notes"]`` is what the reader has to tell.

    Raises :class:`UsageError` for a column that is not there and :class:`DataInvalid`, naming ``where``, for labels
    that are missing or of one class only, numbers to predict that are all equal, values that are not finite, for
    columns that are neither numbers nor categories, and if more than :data:`MAX_FEATURES` columns come out;
    :class:`OtherKind` for a target that is not of ``kind``.
    """
    names = [str(name) for name in frame.columns]
    dropped = list(dict.fromkeys(drop))
    for name in (target, *dropped, *categories):
        if name not in names:
            unknown = unknown_name(f"column of {where}", name, names)
            raise UsageError("; ".join([str(unknown), *frame.attrs.get("notes", ())]))  # such as an index left out
    marks = None if missing is None else ("", *(mark.strip().casefold() for mark in missing))
    inputs = tuple(name for name in names if name != target and name not in dropped)
    texts = [name for name in (target, *inputs) if frame[name].dtype == object]
    frame = frame.assign(**{name: _decoded(frame[name], name, where) for name in texts})
    coder = _Coder(where, marks or MISSING, frame[list(inputs)], frame.attrs.get("dates", ()))
    y: IntArray | FloatArray
    classes: tuple[str, ...] = ()
    if kind == "regression":
        y = coder.target(frame[target], target)
    else:
        y, classes = code_labels(
            frame[target], f"{where}: target {target!r}", marks or MISSING_LABELS, declared=target in categories
        )
        coder.compare(target, dict(zip(classes, np.bincount(y).tolist(), strict=True)), "classes")
        coder.many_classes(frame[target], target, classes, declared=target in categories)
    for name in inputs:
        coder.add(frame[name], name, declared=name in categories)
    if not coder.features:
        why = "; ".join(finding.what for finding in coder.findings if finding.check == "left out")
        raise DataInvalid(one_line(f"{where}: no column is left that could be a feature" + (f": {why}" if why else "")))
    X = np.concatenate(coder.blocks, axis=1)
    without = np.isnan(y)
    if without.any():
        first = int(np.argmax(without)) + 1
        coder.findings.append(
            Finding(
                "rows left out",
                "warning",
                f"{int(without.sum())} row(s) without a number in {target} are left out, the first is row {first}",
                "only rows whose target is known can be fitted and scored",
                (target,),
            )
        )
    X, y = X[~without], y[~without]
    notes = (*frame.attrs.get("notes", ()), *coder.notes(X))
    return Coded(X, y, tuple(coder.features), classes, inputs, notes, tuple(coder.findings))


def code_labels(
    column: pd.Series, where: str, marks: Collection[str] = MISSING_LABELS, *, declared: bool = False
) -> tuple[IntArray, tuple[str, ...]]:
    """(labels (n,) in 0..c-1, their names): each class that occurs; ``declared`` ones are classes whatever they are.

    Raises :class:`DataInvalid`, and :class:`OtherKind` for labels that are numbers rather than classes.
    """
    import pandas as pd

    nominal = isinstance(column.dtype, pd.CategoricalDtype)
    known = known_texts(column, () if nominal else marks)
    missing = np.setdiff1d(np.arange(len(column)), known.index)
    if len(missing):
        written = column.iloc[missing[0]]
        shown = (
            f" ({written!r}; if it is a class, a description with missing: [] keeps it)" if written == written else ""
        )
        raise DataInvalid(f"{where}: {len(missing)} label(s) missing, the first in row {missing[0] + 1}{shown}")
    values = [str(level).strip() for level in column.cat.categories] if nominal else in_order(known)
    numbers = None if nominal or declared else as_numbers(known)
    if numbers is not None and not (pd.api.types.is_integer_dtype(column) or pd.api.types.is_bool_dtype(column)):
        odd = numbers[~(np.isfinite(numbers) & (numbers == np.floor(numbers)))]
        if len(odd):
            raise OtherKind(f"{where}: numbers that are not whole (such as {odd.iloc[0]:g}) are not classes")
        known = known.where(numbers.abs() >= EXACT, numbers.map(lambda value: str(int(value))))
        values = in_order(known)
    present = set(known)
    values = [value for value in dict.fromkeys(values) if value in present]
    if len(values) < 2:
        only = one_line(values[0], limit=50) if values else "no rows"
        raise DataInvalid(f"{where}: one class only ({only}); at least 2 are needed")
    if len(values) > max(2, len(column) // 2):
        many = f"{where}: {len(values)} different values in {len(column)} rows are not classes"
        if numbers is not None:
            raise OtherKind(many)
        raise DataInvalid(f"{many}; such as {_shown(values[0])}")
    return _positions(known, values), tuple(values)


def _decoded(column: pd.Series, name: str, where: str) -> pd.Series:
    """A column of bytes as texts, any other as it is."""
    import pandas as pd

    if pd.api.types.infer_dtype(column, skipna=True) != "bytes":
        return column
    try:
        return column.str.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataInvalid(
            f"{where}: column {name!r} holds bytes that are not UTF-8 text; drop it"
            f" (in a description: {_key('drop', name)}), or save it as text or numbers"
        ) from error


def _positions(texts: pd.Series, levels: list[str]) -> IntArray:
    position = {level: index for index, level in enumerate(levels)}
    return np.array([position[text] for text in texts], dtype=np.int64)


@dataclass
class _Coder:
    """Codes the columns of a table one by one, and keeps what is to be reported of them."""

    where: str
    marks: Collection[str]
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
            self._categories(name, len(column), known_texts(column, ()), levels)
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
            raise DataInvalid(f"{where} holds dates or times (such as {_shown(texts.iloc[0])}); turn it into a number")
        if found == "categorical" or pd.api.types.is_complex_dtype(column):
            raise OtherKind(f"{where} is {found} (such as {_shown(texts.iloc[0])}), not a column of numbers")
        if found == "decimal" or pd.api.types.is_numeric_dtype(column):
            values = self._checked(name, column)
        else:
            numbers, strange = self._as_numbers(name, len(column), self._known(column, name))
            if numbers is None:
                raise OtherKind(f"{where} is text ({_first(strange)}), not a column of numbers")
            values = self._checked(name, numbers)
        known = np.unique(values[~np.isnan(values)])
        if len(known) < 2:
            only = f"one value only ({known[0]:g})" if len(known) else "no number at all"
            raise DataInvalid(f"{where}: {only}; at least 2 different ones are needed")
        if not known.std() > 0:
            raise DataInvalid(f"{where}: the numbers differ by too little for float64; multiply them by a power of ten")
        return values

    def many_classes(self, column: pd.Series, name: str, classes: Sequence[str], *, declared: bool) -> None:
        """Warn of whole numbers that are rather something to predict than classes."""
        import pandas as pd

        numbers = as_numbers(pd.Series(classes)) is not None
        if numbers and len(classes) > KEY_LEVELS and not declared and column.dtype != "category":
            self._warn(
                "many classes",
                f"{name}: {len(classes)} different whole numbers are taken as classes",
                f"if it is a number to predict, the task is regression; else say so with {_key('categories', name)}",
                name,
            )

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

    def _known(self, column: pd.Series, name: str) -> pd.Series:
        known, written = known_texts(column, self.marks), known_texts(column, ("",))
        counts = written.drop(known.index).value_counts()
        self.marked += [f"{_shown(mark)} ({count} in {one_line(name, 50)})" for mark, count in counts.items()]
        return known

    def _text(self, name: str, rows: int, texts: pd.Series) -> None:
        numbers, strange = self._as_numbers(name, rows, texts)
        if numbers is not None:
            return self._numbers(name, numbers)
        if look_like_dates(texts):
            self._refuse_dates(name, texts)
        if 1 - len(strange) / len(texts) > SOME_NUMBERS:
            self._warn(
                "numbers and text",
                f"{name}: {len(texts) - len(strange)} of {len(texts)} known values are numbers, the others text,"
                f" {_first(strange)}",
                f"taken as a column of categories; say so with {_key('categories', name)}, or make it numbers",
                name,
            )
        elif with_currency(texts):
            self._warn(
                "numbers with a currency",
                f"{name}: the values are amounts of money (such as {_shown(texts.iloc[0])})",
                f"taken as a column of categories; say so with {_key('categories', name)}, or take the signs out",
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
            self._warn(
                "not all numbers",
                f"{name}: {len(strange)} of {len(texts)} known values are not numbers, {_first(strange)}",
                f"they are taken as missing; to say so, describe the table with {self._missing_too(strange)}, "
                f"or, if {name} is not a number, with {_key('categories', name)}",
                name,
            )
        if open_question:
            row = int(texts.str.contains(",").to_numpy().argmax())
            self._warn(
                "comma in numbers",
                f"{name}: {_shown(texts.iloc[row])} in row {texts.index[row] + 1} is read as {numbers.iloc[row]:g}",
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
        return _key("missing", *different[:SHOWN_MARKS], *self._marks_in_use) + more

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
                self.marked.append(f"{_shown(mark)} ({int(stands.sum())} in {one_line(name, 50)})")
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
            self._warn(
                "left out",
                f"{name}: nearly all values are different (such as {_shown(texts.iloc[0])})",
                f"it is no feature; say so with {_key('drop', name)}, or keep it with {_key('categories', name)}",
                name,
            )
            return None
        gaps = len(texts) < rows
        codes = np.full(rows, len(levels), dtype=np.int64)
        codes[texts.index] = _positions(texts, levels)
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
        alike = [f"{_shown(v)} ({counts[v]})" for group in nearly_equal(counts) for v in group]
        if alike:
            self._warn(
                f"similar {kind}",
                f"{name}: they differ only by case, blanks or a final period: {', '.join(alike[:20])}",
                f"they count as different {kind}; write them the same way if they are the same",
                name,
            )

    def _append(self, block: FloatArray, labels: list[str], name: str) -> None:
        self._refuse_more(len(labels), name)
        self.blocks.append(block)
        self.features += labels

    def _warn(self, check: str, what: str, means: str, name: str) -> None:
        self.findings.append(Finding(check, "warning", one_line(what, limit=600), one_line(means, limit=600), (name,)))

    def _refuse_dates(self, name: str, known: pd.Series) -> None:
        such = f" (such as {_shown(known.iloc[0])})" if len(known) else ""
        raise DataInvalid(
            f"{self.where}: column {name!r} holds dates or times{such}; drop it or turn it into a number (in a "
            f"description: {_key('drop', name)})"
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

    def notes(self, X: FloatArray) -> list[str]:
        """What was done to the table."""
        notes = []
        if self.coded:
            notes.append(
                f"{self.coded} column(s) of categories are coded as 0/1 columns, {len(self.features)} features in all"
            )
        if self.marked:
            notes.append(f"read as missing: {', '.join(self.marked[:5])}" + (" ..." if len(self.marked) > 5 else ""))
        gaps = np.isnan(X[:, ~np.isnan(X).all(axis=0)])  # a column without any value has no mean
        if gaps.any():
            notes.append(
                f"{int(gaps.sum()):,} of the numbers are missing, in {int(gaps.any(axis=0).sum())} column(s): each "
                "becomes the mean of the training part's known values of its column"
            )
        return notes


def _first(strange: pd.Series) -> str:
    """The first of texts by their row."""
    return f"the first in row {strange.index[0] + 1} ({_shown(strange.iloc[0])})"


def _exact(text: str) -> Decimal | str:
    """The number that ``text`` writes, to the last digit; the text itself if it is written in a way of its own."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _key(key: str, *texts: str) -> str:
    """``key`` with a list of ``texts`` as a description says it; what YAML could read otherwise is in quotes."""
    plain = re.compile(r"(?!null\Z)[^\W\d][\w.-]*", re.IGNORECASE)
    quoted = [text if plain.fullmatch(text) else json.dumps(text, ensure_ascii=False) for text in texts]
    return f"`{key}: [{', '.join(quoted)}]`"


def _shown(value: object) -> str:
    return repr(one_line(value, limit=50))
