"""What a report is made of, before it is HTML or Markdown: sections of paragraphs, notices, tables and figures.

Sections are built once from these and rendered twice, so the page and its Markdown twin cannot disagree. All text is
plain: the renderers escape it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Strong:
    """Text to stand out."""

    kind: ClassVar[str] = "strong"
    text: str


@dataclass(frozen=True)
class Code:
    """A word of the command line or of a file."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Link:
    """``href`` is an anchor of the page (``#...``) or an https address."""

    kind: ClassVar[str] = "link"
    text: str
    href: str


Span: TypeAlias = str | Strong | Code | Link


@dataclass(frozen=True)
class Paragraph:
    """Running text; ``lead`` is the large opening statement."""

    kind: ClassVar[str] = "paragraph"
    spans: tuple[Span, ...]
    lead: bool = False


@dataclass(frozen=True)
class Notice:
    """What a reader must know before believing the figures below it."""

    kind: ClassVar[str] = "notice"
    spans: tuple[Span, ...]
    level: Literal["note", "warning"] = "note"


@dataclass(frozen=True)
class Items:
    """A list, one line each."""

    kind: ClassVar[str] = "items"
    lines: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True)
class Column:
    """``kind`` decides alignment and how the column sorts; ``hint`` explains the title.

    Numbers sort from the largest at the first click, or from the smallest where ``lower_first``. A ``minor`` column is
    left out where there is no room for it: on a phone. ``compared`` columns hold scores of one measure, so that the
    page can show their differences from any one of them.
    """

    title: str
    kind: Literal["text", "number"] = "number"
    hint: str = ""
    lower_first: bool = False
    minor: bool = False
    compared: bool = False


@dataclass(frozen=True)
class Cell:
    """``value`` is what a number sorts by and what the CSV holds; ``text`` what is shown; ``drawing`` is inline SVG.

    ``series`` (0, 1, ...) puts the method's colour beside the text. ``hint`` shows on hover.
    """

    text: str
    value: float | None = None
    href: str = ""
    strong: bool = False
    series: int | None = None
    drawing: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """``name`` is the CSV's file name; ``note`` states pool and rules; ``filterable`` adds a search box on the page."""

    kind: ClassVar[str] = "table"
    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str
    note: str = ""
    filterable: bool = False
    sortable: bool = True

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name!r}: a row of {len(row)} cells for {len(self.columns)} columns")


@dataclass(frozen=True)
class Figure:
    """``svg`` is an inline drawing styled by the page's classes; ``data`` the figures drawn, as CSV text.

    ``phone`` is the same drawing for narrow screens, where scaling ``svg`` down would make its text too small.
    """

    kind: ClassVar[str] = "figure"
    name: str
    title: str
    caption: str
    svg: str
    data: str = ""
    phone: str = ""


@dataclass(frozen=True)
class Choice:
    """Tables of which the page shows one: the first, until another is selected by its title. Markdown has the first."""

    kind: ClassVar[str] = "choice"
    name: str
    label: str
    options: tuple[tuple[str, Table], ...]


Block: TypeAlias = Paragraph | Notice | Items | Table | Figure | Choice


@dataclass(frozen=True)
class Section:
    """A part of the report.

    A ``fold`` section is closed on the page until it is opened; of one with ``tabs`` the page shows one child at a
    time, by its ``label``. ``detail`` sections are one of many alike: closed in a list on the page, and in a Markdown
    file of their own.
    """

    anchor: str
    title: str
    blocks: tuple[Block, ...]
    children: tuple[Section, ...] = ()
    detail: bool = False
    tag: str = ""
    fold: bool = False
    tabs: bool = False
    label: str = ""

    def all_sections(self) -> Iterator[Section]:
        """Itself, then its children with theirs."""
        yield self
        for child in self.children:
            yield from child.all_sections()

    def all_blocks(self) -> Iterator[Block]:
        """Its own, then its children's; all that there is to choose from."""
        for section in self.all_sections():
            for block in section.blocks:
                yield from (table for _, table in block.options) if isinstance(block, Choice) else (block,)


@dataclass(frozen=True)
class Document:
    """The whole report. ``kicker`` stands above the title, ``facts`` is the line of key figures under it.

    ``command`` is what wrote it; ``note`` is the user's own word on it, at the top.
    """

    title: str
    kicker: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    command: str = "python -m bench report"
    note: str = ""


def table(
    name: str,
    caption: str,
    items: Iterable[T],
    columns: Iterable[tuple[Column, Callable[[T], Cell | str | int]]],
    *,
    note: str = "",
    sortable: bool = True,
    filterable: bool = False,
) -> Table:
    """A row for each of ``items``. Each column is its head and what it shows of an item: text, a count, or a cell."""
    columns = tuple(columns)
    rows = tuple(cells(*(show(item) for _, show in columns)) for item in items)
    return Table(name, tuple(head for head, _ in columns), rows, caption, note, filterable, sortable)


def cells(*shown: Cell | str | int) -> tuple[Cell, ...]:
    """A row of a table: text and counts as they are written."""
    return tuple(
        Cell(x) if isinstance(x, str) else Cell(f"{x:,}", float(x)) if isinstance(x, int) else x for x in shown
    )


def text(*spans: Span) -> Paragraph:
    """A paragraph of the spans."""
    return Paragraph(spans)
