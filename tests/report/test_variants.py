"""A report with ensembles and nominal inputs: tabs of their own, their effects, and what does not count them."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest
from shown import sections, tables, titles
from synthetic_runs import make_run, with_holdouts

from bench.data.registry import load_registry
from bench.protocols import PROTOCOLS
from bench.records.measure import COMPARED
from bench.records.method import Choice, HoldoutResult, Member, ensemble_config
from bench.records.result import JobResult, RunRecord
from bench.report import wording
from bench.report.about import About
from bench.report.blocks import Document
from bench.report.build import compose
from bench.report.claims import claims
from bench.report.evidence import Evidence
from bench.report.merge import merge_runs
from bench.report.places import outdated
from bench.report.sections.contrast import selection_section, variant_sections
from bench.report.sections.datasets import datasets_section
from bench.report.sections.printed import printed_section
from bench.report.sections.study import study_section
from bench.stats.frame import scores_frame, seed_matrix
from bench.stats.paired import paired_difference
from bench.stats.published import PublishedStudy

pytestmark = pytest.mark.usefixtures("undrawn")
NAMES = ["iris", "wine", "zoo", "lenses"]
METHODS = ["rfm", "laplace", "random_forest"]
RAN = ["clean-cv", "clean-cv-greedy", "clean-cv-nominal", "clean-cv-greedy-nominal", "relearn"]
ODD = {"kernel": "<l1> & |co"}


def ensembled(run: RunRecord) -> RunRecord:
    """``run`` with ensembles where the protocol has them: of two configurations, three members in all."""

    def averaged(r: JobResult, h: HoldoutResult) -> HoldoutResult:
        if PROTOCOLS[r.job.protocol].ensemble == "none":
            return h
        members = [Member(Choice(h.config, 3), 2.0), Member(Choice(ODD, 0), 1.0), Member(Choice(h.config, 1), 1.0)]
        return replace(h, config=ensemble_config(members), iteration=0)

    return with_holdouts(run, averaged)


def evidence(protocols: list[str], study: PublishedStudy | None = None) -> Evidence:
    about = {name: About(group="small") for name in NAMES}
    return Evidence(merge_runs([ensembled(make_run(NAMES, METHODS, protocols))]), about, study)


@pytest.fixture(scope="module")
def document(undrawn: None) -> Document:
    return compose(evidence(RAN))


def test_each_variant_has_a_tab_with_its_meaning(document: Document) -> None:
    tabs = sections(document)["results"].children
    assert [tab.label for tab in tabs] == [*RAN[:1], *sorted(RAN[1:4], key=list(PROTOCOLS).index), "relearn"]
    for tab in tabs:
        words = " ".join(str(span) for block in tab.blocks for span in getattr(block, "spans", ()))
        assert PROTOCOLS[tab.label].meaning in words
        assert tab.tag == PROTOCOLS[tab.label].tag
        ties = "The Brier score selects the members of an ensemble." in words
        assert ties == (PROTOCOLS[tab.label].ensemble == "greedy")
        assert ("equal ones go to" in words) != ties
    verdict = str(sections(document)["verdict"].blocks)
    assert "clean-cv" in verdict, "the first screen is about single choices"
    assert "greedy" not in verdict


@pytest.mark.parametrize(
    ("anchor", "pairs"),
    [
        ("ensembling", [("clean-cv", "clean-cv-greedy"), ("clean-cv-nominal", "clean-cv-greedy-nominal")]),
        ("nominal", [("clean-cv", "clean-cv-nominal"), ("clean-cv-greedy", "clean-cv-greedy-nominal")]),
    ],
)
def test_the_effects_are_paired_differences_by_the_rule(
    document: Document, anchor: str, pairs: list[tuple[str, str]]
) -> None:
    shown = tables(sections(document)[anchor])
    assert sorted(shown) == sorted(f"{anchor}-{second}" for _, second in pairs)
    found, measure = evidence(RAN), COMPARED["classification"]
    for first, second in pairs:
        table = shown[f"{anchor}-{second}"]
        assert titles(table)[:5] == ["Method", "Datasets", first, second, f"{second} {wording.MINUS} {first}"]
        assert "By the rule" in titles(table)
        before, after = (seed_matrix(scores_frame(found.merged.results), p, measure) for p in (first, second))
        for row in table.rows:
            method = next(m for m in METHODS if wording.title(m) == row[0].text)
            expected = paired_difference(after[method], before[method], found.families)
            assert row[4].value == pytest.approx(expected.mean)
        assert len(table.rows) == len(METHODS)


@pytest.mark.parametrize(
    ("protocols", "anchors"),
    [
        (["clean-cv"], set()),
        (["clean-cv-greedy"], set()),
        (["clean", "clean-cv-greedy"], set()),
        (["clean", "clean-top5"], {"ensembling"}),
        (["clean", "clean-nominal"], {"nominal"}),
    ],
)
def test_effects_are_shown_only_where_the_run_has_both(protocols: list[str], anchors: set[str]) -> None:
    found = evidence(protocols)
    assert {section.anchor for section in variant_sections(found)} == anchors
    noise = selection_section(found, COMPARED["classification"])
    assert noise is None, "a variant says nothing about the noise of selection"


def test_an_ensemble_is_told_by_its_members(document: Document) -> None:
    table = tables(document)["dataset-iris-clean-cv-greedy"]
    for row in table.rows:
        cells = {title: cell.text for title, cell in zip(titles(table), row, strict=True)}
        assert re.search(
            r"3 members, 3/4 ridge [\d.]+, unit_norm (true|false); 1/4 kernel <l1> & \|co", cells["Selected"]
        )
        assert cells["Iteration"] == "0+1+3"
        assert cells["Path"] == ""
    # Of several protocols M is shown for the first that has it.
    for shown, told in ((document, False), (datasets_section(evidence(["clean-cv-greedy"])), True)):
        notes = [table.note for name, table in tables(shown).items() if name.endswith("-metric")]
        assert {note.endswith("M of the member with the largest weight.") for note in notes} == {told}
        assert {"largest weight" in note for note in notes} == {told}


def test_members_count_by_weight_and_configuration() -> None:
    members = [Member(Choice({"a": 1}, 2), 0.5), Member(Choice({}, 0), 0.25), Member(Choice({"a": 1}, 3), 0.25)]
    assert wording.members_text(members) == "3 members, 0.75/1 a 1; 0.25/1 fixed"
    assert wording.members_text([Member(Choice({}, 0))]) == "1 member, 1/1 fixed"


def test_places_and_claims_are_of_single_choices_on_the_archives_inputs() -> None:
    columns = {"parRF_caret": [80.0, 85.0, 90.0, 95.0], "svm_C": [79.0, 84.0, 91.0, 96.0]}
    study = PublishedStudy(pd.DataFrame(columns, index=NAMES))
    placed = next(iter(tables(study_section(evidence(RAN, study))).values()))
    assert {row[0].text.split()[0] for row in placed.rows} == {"clean-cv", "relearn", "2014"}
    heads = [title for table in tables(printed_section(evidence(RAN))).values() for title in titles(table)]
    assert [title for title in heads if title.startswith("Here")] == ["Here, clean-cv"]
    alone = study_section(evidence(["clean-cv-greedy"], study))
    assert not tables(alone)
    assert "Only single choices on the archive's inputs are placed" in str(alone.blocks)
    scores = scores_frame(evidence(RAN).merged.results)
    registry = load_registry()
    assert {claim.protocol for claim in claims(scores, registry)} == {"clean-cv", "relearn"}
    places = pd.DataFrame(columns=["protocol", "subset", "method", "datasets", "missing", "mean_accuracy", "whose"])
    assert outdated(places, scores, registry) == ["clean-cv", "relearn"]
