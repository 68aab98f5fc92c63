"""Dense ARFF tables, as data frames.

Read as OpenML and Weka write it, with tabs, comments behind a type, ranges, dates: liac-arff reads none of these, and
its messages are about itself. Rows of plain numbers and words, as nearly all large tables have them, go through pandas'
parser, which gives the same at a fraction of the cost.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Literal, TypeAlias

from bench.data.parsing import MAX_COLUMNS, check_names, exact_numbers, foreign, refuse_large, text_of
from bench.data.text_columns import MISSING, known_texts, read_numbers
from bench.errors import DataInvalid, one_line

if TYPE_CHECKING:
    import pandas as pd

Kind: TypeAlias = Literal["number", "text", "date"] | list[str]
"""What an attribute holds; a list has the levels of a category."""

_DATA = re.compile(r"^[ \t]*@data\b[^\n]*$", re.MULTILINE | re.IGNORECASE)
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_QUOTED}|[^\s{{'\"]+)\s*(.*)", re.IGNORECASE)
_VALUE = re.compile(rf"\s*(?:({_QUOTED})\s*|([^,'\"{{}}]*))(,|$)")
_LEVEL = re.compile(rf"\s*({_QUOTED}|[^,}}'\"]*?)\s*([,}}])")
_TYPES: dict[str, Kind] = {"numeric": "number", "real": "number", "integer": "number", "string": "text", "date": "date"}
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_SPECIAL = re.compile(r"['\"\\%{}\t]")


def read_arff(content: bytes, where: str) -> pd.DataFrame:
    """The table in ``content``: numbers as float64, categories as such with their declared levels, the rest as text.

    ``attrs["dates"]`` names the columns that are declared to hold dates; those stay the texts they are, whatever format
    is declared.

    Raises :class:`DataInvalid` for sparse tables (the parser would fill them up with zeros), weights and relations, and
    for anything that is no ARFF.
    """
    import pandas as pd

    # OpenML has tables in UTF-8 and in Latin-1; only the names of levels are at stake.
    text = text_of(content, where, otherwise="latin-1").replace("\r\n", "\n").replace("\r", "\n")
    found = _DATA.search(text)
    if found is None:
        raise DataInvalid(f"{where}: not a readable ARFF table: no @DATA in it")
    kinds = _attributes(text[: found.start()], where)
    rows = text[found.end() :]
    with foreign(where, "ARFF"):
        frame = _plain_rows(rows, list(kinds.values()), where)
    if frame is None:
        frame = pd.DataFrame(_rows(rows, len(kinds), where), columns=range(len(kinds)), dtype=object)
    if frame.empty:
        raise DataInvalid(f"{where}: no rows")
    columns = {name: _typed(frame[number], kinds[name], name, where) for number, name in enumerate(kinds)}
    table = pd.DataFrame(columns)
    table.attrs["dates"] = [name for name, kind in kinds.items() if kind == "date"]
    return table


def _attributes(header: str, where: str) -> dict[str, Kind]:
    lines = [line.strip() for line in header.splitlines()]
    declared = [line for line in lines if line[:10].lower() == "@attribute"]
    if len(declared) > MAX_COLUMNS:
        raise DataInvalid(f"{where}: {len(declared)} columns; tables with more than {MAX_COLUMNS} are refused")
    names, kinds = [], []
    for line in declared:
        found = _ATTRIBUTE.fullmatch(line)
        if found is None:
            raise DataInvalid(f"{where}: no name and type in {one_line(line, 80)!r}")
        names.append(_unquoted(found[1]))
        kinds.append(_kind(found[2], f"{where}: attribute {one_line(names[-1], 80)!r}"))
    if not names:
        raise DataInvalid(f"{where}: not a readable ARFF table: no @ATTRIBUTE in it")
    check_names(names, where)
    return dict(zip(names, kinds, strict=True))


def _kind(text: str, where: str) -> Kind:
    """What is declared behind an attribute's name. A range, a date's format and a comment say nothing more."""
    kind: Kind | None = None
    if text.startswith("{"):
        levels, end, at = [], ",", 1
        while end == ",":
            found = _LEVEL.match(text, at)
            if found is None:
                raise DataInvalid(f"{where}: its list of values is not closed, or a value needs quotes")
            levels += [_unquoted(found[1])] if found[1] not in ("", "?") else []
            end, at = found[2], found.end()
        kind, rest = list(dict.fromkeys(levels)), text[at:]
    else:
        word, rest = [*re.split(r"(?=[\s%\[{])", text, maxsplit=1), ""][:2]
        kind = _TYPES.get(word.lower())
        if kind is None:
            raise DataInvalid(
                f"{where}: its type {one_line(word, 50)!r} is none of {', '.join(_TYPES)}, or {{a, b, ...}}"
            )
    more = {"number": r"\s*\[[^\]]*\]", "date": rf"\s*({_QUOTED}|[^\s%{{]+)"}.get(str(kind), "")
    rest = re.sub(f"^{more}", "", rest)
    rest = rest.strip()
    if rest and not rest.startswith("%"):
        says = (
            "it has a weight; weights are not read"
            if rest.startswith("{")
            else f"{one_line(rest, 50)!r} after its type"
        )
        raise DataInvalid(f"{where}: {says}; take it out")
    return kind


def _unquoted(text: str) -> str:
    if text[:1] not in ("'", '"'):
        return text
    return re.sub(r"\\(.)", lambda found: _ESCAPED.get(found[1], found[1]), text[1:-1])


def _plain_rows(rows: str, kinds: list[Kind], where: str) -> pd.DataFrame | None:
    """The rows by pandas' parser, or None where there is more in them than plain numbers and words."""
    import pandas as pd

    if _SPECIAL.search(rows):
        return None
    lines = [line for line in rows.split("\n") if line.strip()]
    if {line.count(",") for line in lines} != {len(kinds) - 1}:
        return None
    refuse_large(len(lines), len(kinds), where)
    frame = pd.read_csv(
        io.StringIO("\n".join(lines)),
        header=None,
        dtype={number: "str" for number, kind in enumerate(kinds) if kind != "number"},
        na_values=["", "?"],
        keep_default_na=False,
        skipinitialspace=True,
        low_memory=False,
        **exact_numbers(),
    )
    # Whole numbers beyond 2^53 that pandas takes for floats are not the numbers that stand there.
    return None if (frame.select_dtypes("float64").abs() >= 2**53).to_numpy().any() else frame


def _rows(rows: str, width: int, where: str) -> list[list[str | None]]:
    """The rows as texts, None where one is missing."""
    read: list[list[str | None]] = []
    for line in io.StringIO(rows):
        line = line.strip()
        if not line or line.startswith("%"):
            continue
        if line.startswith("{"):
            raise DataInvalid(f"{where}: a sparse ARFF table; only dense tables are read")
        at, values = 0, []
        while found := _VALUE.match(line, at):
            text = (found[2] or "").strip()
            values.append(_unquoted(found[1]) if found[1] else text if text not in ("", "?") else None)
            at = found.end()
            if not found[3]:
                break
        if found and len(values) == width + 1 and line.endswith(","):
            values.pop()
        if not found or len(values) != width:
            says = "it ends with a weight; weights are not read" if line.endswith("}") else "a quote is not closed"
            says = f"{len(values)} values, the header declares {width}" if found else says
            raise DataInvalid(f"{where}: row {len(read) + 1}: {says}: {one_line(line, 80)}")
        read.append(values)
        refuse_large(len(read), width, where)
    return read


def _typed(column: pd.Series, kind: Kind, name: str, where: str) -> pd.Series:
    """A column of texts, or of what pandas took for numbers, as what its attribute declares."""
    import pandas as pd

    if kind in ("text", "date"):
        return known_texts(column, ("", "?")).astype(object).reindex(range(len(column)))
    if kind == "number" and column.dtype.kind == "f":
        return column
    if kind == "number" and column.dtype.kind in "iu":
        return column.astype("float64") if (column.abs() < 2**53).all() else column
    texts = known_texts(column, ("",) if isinstance(kind, list) else MISSING)
    numbers = pd.Series(dtype="float64") if isinstance(kind, list) else read_numbers(texts)[0]
    strange = texts[~texts.isin([level.strip() for level in kind])] if isinstance(kind, list) else texts[numbers.isna()]
    if len(strange):
        shown = f"row {strange.index[0] + 1}, attribute {one_line(name, 80)!r}: {one_line(strange.iloc[0], 50)!r}"
        says = "is none of the values that its declaration lists" if isinstance(kind, list) else "is not a number"
        raise DataInvalid(f"{where}: {shown} {says} ({len(strange)} such); correct the rows, or the declaration")
    if isinstance(kind, list):
        levels = pd.CategoricalDtype(list(dict.fromkeys(level.strip() for level in kind)))
        return texts.reindex(range(len(column))).astype(levels)
    return (texts if (numbers.abs() >= 2**53).any() else numbers).reindex(range(len(column)))
