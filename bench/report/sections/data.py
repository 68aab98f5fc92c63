"""What a reader must know of the datasets, and the headline's comparisons without those that it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from bench.data.facts import FEWEST_CODES, MOST_CODES, Facts
from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Code, Column, Items, Section, Span, Strong, Table, table, text
from bench.report.evidence import Evidence
from bench.report.sections.cells import dataset_cell, marked_cell
from bench.report.sections.headline import headline_view
from bench.report.view import ProtocolView, withholding
from bench.stats.verdict import Comparison, against_each

REPEATED = 20.0
"""Percent of a test fold's samples that stand in its training part too, above which a dataset is left out."""
SHOWN = 5.0
"""Percent of them from which a dataset is listed."""
TINY = 32
"""Samples up to which a dataset is left out."""


@dataclass(frozen=True)
class Concern:
    """A reason to look at the comparisons without some datasets; ``title`` says which, after "without"."""

    title: str
    of: Callable[[Evidence, str], bool]


def _repeated(evidence: Evidence, name: str) -> bool:
    facts = evidence.of(name).facts
    return facts is not None and facts.repeated_percent > REPEATED


def _tiny(evidence: Evidence, name: str) -> bool:
    return int(evidence.sizes["rows"][name]) <= TINY


def _nominal(evidence: Evidence, name: str) -> bool:
    facts = evidence.of(name).facts
    return facts is not None and facts.possibly_nominal > 0


def _any(evidence: Evidence, name: str) -> bool:
    return any(concern.of(evidence, name) for concern in CONCERNS[:-1])


CONCERNS = (
    Concern(f"repeated samples (> {REPEATED:.0f} %)", _repeated),
    Concern(f"tiny ones (\u2264 {TINY} samples)", _tiny),
    Concern("possibly nominal columns", _nominal),
    Concern("any of these", _any),
)
"""In the table's order; the last joins the others."""


@dataclass(frozen=True, eq=False)
class Part:
    """Those of a view's common datasets that are left ``without`` some; nothing of them for all."""

    view: ProtocolView
    datasets: tuple[str, ...]
    without: str = ""

    @cached_property
    def families(self) -> int:
        """Of its datasets."""
        return len({self.view.families.get(name, name) for name in self.datasets})

    @cached_property
    def mean(self) -> float:
        """The reference's mean score; NaN for no dataset."""
        return float(self.view.scores.loc[list(self.datasets), self.view.reference].mean())

    @cached_property
    def contrasts(self) -> dict[str, Comparison]:
        """The reference against each method by the rule, by the method; empty for no dataset."""
        if not self.datasets:
            return {}
        inside = self.view.paired.index.get_level_values("dataset").isin(self.datasets)
        found = against_each(self.view.paired[inside], self.view.reference, self.view.families)
        return {c.second: c for c in found}


def data_section(evidence: Evidence) -> Section | None:
    """What is known of the datasets, shared and one by one, and the headline without some; None if nothing is known."""
    known = known_facts(evidence)
    if not known:
        return None
    blocks: list[Block] = [Items(tuple(_shared(evidence, known)))]
    chief, parts = headline_view(evidence), {view.key: parts_of(evidence, view) for view in _views(evidence)}
    compared = [found for found in parts.values() if len(found) > 1]
    blocks += [text(*changes(found)) for found in compared]
    blocks += [_without(evidence, found) for found in compared if found[0].view is chief]
    children = [_concerned(evidence, known)]
    for found in compared:
        if (view := found[0].view) is not chief:
            title = f"The same under {view.words}"
            children.append(Section(f"data-{view.key}", title, (_without(evidence, found),), fold=True))
    return Section("data", "The data", tuple(blocks), tuple(child for child in children if child is not None))


def known_facts(evidence: Evidence) -> dict[str, Facts]:
    """What was measured of the report's datasets, by name; those of which nothing is known are left out."""
    found = {name: evidence.of(name).facts for name in evidence.datasets if name in evidence.measured}
    return {name: facts for name, facts in found.items() if facts is not None}


def facts_sentence(facts: Facts) -> str:
    """What was measured of one dataset, for its own section."""
    folds = folds_of(facts)
    repeated = f"none of the test samples of the {folds} stands in the training part too"
    if facts.repeated_percent:
        label = f"{wording.number(facts.conflicting_percent, 1)} %" if facts.conflicting_percent else "none"
        repeated = (
            f"{wording.number(facts.repeated_percent, 1)} % of the test samples of the {folds} stand in the training "
            f"part too, {label} with another label"
        )
    columns = f"{facts.possibly_nominal} of {plural(facts.features, 'column')} possibly nominal"
    missing = _missing(facts)
    return f"Measured: {repeated}; {columns}; missing values filled: {missing}."


def folds_of(facts: Facts) -> str:
    """Which test folds were looked at: ``published folds``, ``folds of seed 0``."""
    return f"folds of {facts.folds.replace('-', ' ')}" if facts.folds.startswith("seed-") else "published folds"


def _missing(facts: Facts) -> str:
    if facts.missing_values is None:
        return "not known"
    if not facts.missing_values:
        return "none"
    samples = plural(facts.missing_samples or 0, "sample")
    return f"{facts.missing_values:,} of {facts.samples * facts.features:,}, in {samples}"


def _views(evidence: Evidence) -> list[ProtocolView]:
    """Those of the headline: of protocols that see no test label; all, if there are no such."""
    return withholding([view for view in evidence.views.values() if view.contrasts])


def parts_of(evidence: Evidence, view: ProtocolView) -> list[Part]:
    """All common datasets of ``view``, then what is left without each concern that any of them has; no set twice."""
    names = tuple(map(str, view.common.pool.datasets))
    found = {names: Part(view, names)}
    for concern in CONCERNS:
        left = tuple(name for name in names if not concern.of(evidence, name))
        found.setdefault(left, Part(view, left, concern.title))
    return list(found.values())


def changes(parts: Sequence[Part]) -> tuple[Span, ...]:
    """Whether a verdict on the reference against a method differs on some of ``parts`` from that on the first."""
    whole, *others = parts
    view = whole.view
    said = []
    for part in others:
        turned = [(m, whole.contrasts[m].verdict, c.verdict) for m, c in part.contrasts.items()]
        words = [f"{wording.title(m)} ({before} \u2192 {after})" for m, before, after in turned if before != after]
        if words:
            said.append(f"without {part.without}: {', '.join(words)}")
    found = f"verdicts change {'; '.join(said)}." if said else "verdicts are the same in each column of the table."
    return ("Under ", Code(view.protocol), f"{view.aside} {wording.title(view.reference)}'s {found}")


def _without(evidence: Evidence, parts: Sequence[Part]) -> Table:
    """A column for each part: how many datasets, the reference's mean, and its difference from each method."""
    view = parts[0].view
    measure, reference = view.measure, wording.title(view.reference)

    def difference(method: str, part: Part) -> Cell:
        c = part.contrasts.get(method)
        if c is None:
            return Cell(wording.DASH)
        return marked_cell(c, measure)

    lines: list[tuple[str, Callable[[Part], Cell]]] = [
        ("Datasets (families)", lambda part: Cell(f"{len(part.datasets)} ({part.families})", len(part.datasets))),
        (f"{reference}, mean", lambda part: wording.num(part.mean, measure.digits)),
        *((f"{wording.MINUS} {wording.title(m)}", partial(difference, m)) for m in parts[0].contrasts),
    ]

    def column(part: Part) -> tuple[Column, Callable[[tuple[str, Callable[[Part], Cell]]], Cell]]:
        return Column(f"without {part.without}" if part.without else "all common ones"), lambda line: line[1](part)

    unknown = [name for name in parts[0].datasets if evidence.of(name).facts is None]
    kept = f" Nothing is known of {wording.listing(unknown, 6)}, and none left out for it." if unknown else ""
    note = wording.prose("data-without", view=view, reference=reference, unit=measure.points, mark=wording.MARK.strip())
    return table(
        f"data-without-{view.key}",
        f"{reference} {wording.MINUS} each method, without some datasets",
        lines,
        [(Column("Comparison", "text"), lambda line: line[0]), *map(column, parts)],
        note=note + kept,
        sortable=False,
    )


def _shared(evidence: Evidence, known: Mapping[str, Facts]) -> Iterable[tuple[Span, ...]]:
    """What many of the datasets have in common, a line each."""
    number = plural(len(known), "dataset")
    often = sorted((f for f in known.values() if f.repeated_percent > REPEATED), key=lambda f: -f.repeated_percent)
    named = wording.listing([f"{f.dataset} {wording.number(f.repeated_percent, 0)} %" for f in often], 3)
    yield (
        Strong("Repeated samples"),
        f": {wording.prose('data-repeated', count=len(often), number=number, limit=f'{REPEATED:.0f}')}",
        f": {named}." if often else ".",
    )
    classes = {name: facts for name, facts in known.items() if evidence.kinds[name] == "classification"}
    if classes:  # columns of words are 0/1 columns in the other tables that ship with the package
        words = wording.prose(
            "data-nominal",
            count=sum(f.possibly_nominal > 0 for f in classes.values()),
            documented=sum(evidence.of(name).nominal == "documented" for name in classes),
            others=sum(evidence.of(name).nominal not in ("", "documented") for name in classes),
            number=plural(len(classes), "dataset"),
            fewest=FEWEST_CODES,
            most=MOST_CODES,
        )
        yield Strong("Nominal columns"), f" {words}"
    yield Strong("Missing values"), f" {_filling(known, number)}"
    families = len({evidence.families.get(name, name) for name in known})
    yield (
        Strong("Folds and families"),
        f": {wording.prose('data-families', number=number, families=plural(families, 'family', 'families'))}",
    )
    tiny = [name for name in evidence.datasets if name in evidence.measured and _tiny(evidence, name)]
    if tiny:
        words = wording.prose("data-tiny", limit=TINY, names=wording.listing(tiny, 6), test=TINY // 4)
        yield Strong("Tiny datasets"), f": {words}"


def _filling(known: Mapping[str, Facts], number: str) -> str:
    """What became of missing values, and what was standardised over which samples."""
    told = [f for f in known.values() if f.missing_values is not None]
    lacking = sum(bool(f.missing_values) for f in told)
    if lacking:
        words = wording.prose("data-missing", known=len(told), number=number, lacking=lacking)
    else:
        words = wording.prose("data-none-missing", known=len(told), number=number)
    scaled = [f for f in known.values() if f.source == "archive"]
    if not scaled:
        return words
    plain = [f.dataset for f in scaled if not f.standardised]
    return f"{words} {wording.prose('data-standardised', which=f' (not {wording.listing(plain)})' if plain else '')}"


def _concerned(evidence: Evidence, known: Mapping[str, Facts]) -> Section | None:
    """The datasets of which there is something to know, one line each."""
    found = [
        facts
        for name, facts in sorted(known.items(), key=lambda item: (-item[1].repeated_percent, item[0]))
        if facts.repeated_percent >= SHOWN or facts.possibly_nominal or facts.missing_values or _tiny(evidence, name)
    ]
    if not found:
        return None
    folds = " and ".join(sorted({folds_of(facts) for facts in found}, reverse=True))
    shown = table(
        "data-facts",
        "Datasets concerned",
        found,
        [
            (Column("Dataset", "text"), lambda f: dataset_cell(evidence, f.dataset)),
            (Column("Samples"), lambda f: f.samples),
            (Column("Repeated, %"), lambda f: wording.num(f.repeated_percent, 1)),
            (Column("Other label, %"), lambda f: wording.num(f.conflicting_percent, 1)),
            (Column("Possibly nominal", "text"), lambda f: f"{f.possibly_nominal} of {f.features}"),
            (Column("Missing, filled", "text"), _missing),
            (Column("Family", "text"), lambda f: evidence.of(f.dataset).family or wording.DASH),
        ],
        note=wording.prose(
            "data-facts", folds=folds, shown=f"{SHOWN:.0f}", tiny=TINY, fewest=FEWEST_CODES, most=MOST_CODES
        ),
    )
    tag = f"{len(found)} of {plural(len(known), 'dataset')}"
    return Section("data-concerned", "Datasets concerned", (shown,), fold=True, tag=tag)
