"""Runs in, report out: the page, its Markdown twin, the figures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.data.registry import load_registry
from bench.errors import ReportError, unknown_name
from bench.files import write_atomically
from bench.records.measure import COMPARED
from bench.records.result import RunRecord
from bench.report import wording
from bench.report.about import about_datasets
from bench.report.against import join, records_of
from bench.report.blocks import Document, Figure
from bench.report.evidence import Evidence
from bench.report.html import render_html, standalone_svg
from bench.report.markdown import DETAILS, FIGURES, figure_path, render_details, render_markdown
from bench.report.merge import merge_runs
from bench.report.sections.accounts import cost_section, failures_section, provenance_section
from bench.report.sections.contrast import leak_section, selection_section, variant_sections
from bench.report.sections.data import data_section
from bench.report.sections.datasets import datasets_section
from bench.report.sections.grinsztajn import grinsztajn_section
from bench.report.sections.headline import answer, headline, notes_section, reading_guide
from bench.report.sections.printed import printed_section
from bench.report.sections.protocol import results_section
from bench.report.sections.study import study_section
from bench.report.view import RFM
from bench.stats.grinsztajn import PublishedRuns
from bench.stats.published import PublishedStudy


@dataclass(frozen=True)
class ReportFiles:
    """Where the report is, and what it says first."""

    html: Path
    markdown: Path
    document: Document


def gather(
    records: Sequence[RunRecord],
    *,
    study: PublishedStudy | None = None,
    published_runs: PublishedRuns | None = None,
    allow: Collection[str] = (),
    reference: str | None = None,
    against: str | None = None,
) -> Evidence:
    """The runs as one body of evidence, told from the side of the method ``reference``.

    The results that ``against`` names are joined (:mod:`bench.report.against`). Raises :class:`ReportError` if the runs
    do not belong together, and :class:`UsageError` if none has the reference.
    """
    about = about_datasets(records, load_registry())
    merged, joined = merge_runs(records, allow), None
    if against is not None:
        merged, joined = join(merged, against, records_of(against))
    evidence = Evidence(merged, about, study, published_runs, joined, reference or "")
    if reference is None or reference in evidence.methods:
        return evidence
    named = [m for m in evidence.methods if evidence.title_of(m) == reference]
    if len(named) != 1:
        raise unknown_name("method of these results for --reference", reference, evidence.methods)
    return replace(evidence, asked=named[0])


def compose(evidence: Evidence) -> Document:
    """The report's content, in reading order."""
    with wording.naming(evidence.titles, evidence.methods):
        return _compose(evidence)


def _compose(evidence: Evidence) -> Document:
    sections = [
        headline(evidence),
        results_section(evidence),
        notes_section(evidence),
        reading_guide(evidence),
        leak_section(evidence),
        *(selection_section(evidence, measure) for measure in COMPARED.values()),
        *variant_sections(evidence),
        study_section(evidence),
        grinsztajn_section(evidence),
        printed_section(evidence),
        data_section(evidence),
        datasets_section(evidence),
        failures_section(evidence),
        cost_section(evidence),
        provenance_section(evidence),
    ]
    results = evidence.merged.results
    done = sum(result.status == "ok" for result in results)
    facts = (
        (f"{len({result.job.dataset for result in results if result.status == 'ok'}):,}", _datasets_words(evidence)),
        (f"{len(evidence.methods)}", "method" if len(evidence.methods) == 1 else "methods"),
        (", ".join(evidence.protocols), "protocol" if len(evidence.protocols) == 1 else "protocols"),
        (f"{len(evidence.seeds)}", "seed" if len(evidence.seeds) == 1 else "seeds"),
        (f"{done:,} of {len(results) + len(evidence.merged.undone):,}", "jobs ok"),
    )
    names = ", ".join(dict.fromkeys(Path(folder).name or folder for folder, _ in evidence.invocations))
    tables = "the datasets of the 121-dataset UCI comparison"
    if len(evidence.own_tables) == len(evidence.datasets):
        tables = "datasets beyond the 121-dataset UCI comparison"
    elif evidence.own_tables:
        tables = f"datasets of the 121-dataset UCI comparison and {len(evidence.own_tables)} beyond"
    name = "Recursive Feature Machines" if evidence.reference == RFM else wording.title(evidence.reference)
    kicker = f"{name} on {tables} · run {names}"
    return Document(answer(evidence), kicker, facts, tuple(s for s in sections if s is not None))


def _datasets_words(evidence: Evidence) -> str:
    """What follows the number of datasets: out of how many, if all of them are the registry's."""
    if not evidence.own_tables:
        return f"of {sum(bool(about.group) for about in evidence.about.values())} datasets"
    return "dataset" if len(evidence.datasets) == 1 else "datasets"


def write_report(evidence: Evidence, out: Path, note: str = "") -> ReportFiles:
    """Write ``index.html``, ``report.md``, ``datasets.md`` and ``figures/``; each file whole or not at all.

    ``note`` stands at the top of each.
    """
    return write_document(replace(compose(evidence), note=note.strip()), out)


def write_document(document: Document, out: Path) -> ReportFiles:
    """Write a document's page, its Markdown twin and its figures into ``out``; each file whole or not at all."""
    try:
        (out / FIGURES).mkdir(parents=True, exist_ok=True)
        for block in (block for section in document.sections for block in section.all_blocks()):
            if isinstance(block, Figure):
                file = out / figure_path(block)
                write_atomically(file.with_name(f"{file.name}.svg"), standalone_svg(block.svg))
                if block.data:
                    write_atomically(file.with_name(f"{file.name}.csv"), block.data)
        write_atomically(out / "index.html", render_html(document))
        write_atomically(out / "report.md", render_markdown(document))
        details = render_details(document)
        if details:
            write_atomically(out / DETAILS, details)
    except OSError as error:
        raise ReportError(f"cannot write the report to {out}: {error.strerror or error}") from error
    return ReportFiles(out / "index.html", out / "report.md", document)
