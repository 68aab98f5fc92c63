"""What is known of datasets: families, facts, and the section on the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from shown import tables, titles
from synthetic_runs import PROVENANCE, make_run, with_jobs, with_scores

from bench.data.facts import Facts, load_facts
from bench.data.registry import load_registry
from bench.records.result import Job, RunRecord
from bench.report.about import About, about_datasets, families_in, measured_facts
from bench.report.blocks import Cell, Section, Table
from bench.report.evidence import Evidence
from bench.report.merge import merge_runs
from bench.report.sections.data import changes, data_section, parts_of

METHODS = ["rfm", "laplace", "mlp"]
NAMES = [f"table-{i:02}" for i in range(24)]


def facts(name: str, **more: object) -> Facts:
    plain = Facts(name, "archive", 100, 5, "", "published", 0.0, 0.0, 0, True, 0, 0)
    return replace(plain, **more)  # type: ignore[arg-type]


def body(known: dict[str, Facts], *runs: RunRecord) -> Evidence:
    runs = runs or (make_run(NAMES, METHODS, ["clean", "clean-cv", "published"]),)
    names = {r.job.dataset for run in runs for r in run.results}
    return Evidence(merge_runs(runs), {name: About(facts=known.get(name)) for name in names})


@pytest.fixture(scope="module")
def known() -> dict[str, Facts]:
    found = {name: facts(name) for name in NAMES}
    for name in NAMES[:3]:
        found[name] = facts(name, repeated_percent=50.0, conflicting_percent=12.5)
    found[NAMES[3]] = facts(NAMES[3], repeated_percent=20.0)  # at the limit: it stays
    for name in NAMES[4:9]:
        found[name] = facts(name, possibly_nominal=2, missing_values=7, missing_samples=3)
    found[NAMES[10]] = facts(NAMES[10], missing_values=None, missing_samples=None)
    return found


@pytest.fixture(scope="module")
def evidence(known: dict[str, Facts]) -> Evidence:
    return body(known)


def shown(evidence: Evidence) -> Section:
    section = data_section(evidence)
    assert section is not None
    return section


def column(table: Table, title: str) -> list[Cell]:
    return [row[titles(table).index(title)] for row in table.rows]


def tiny(evidence: Evidence) -> set[str]:
    return {name for name in NAMES if evidence.sizes["rows"][name] <= 32}


def test_parts_leave_out_what_they_say(evidence: Evidence, known: dict[str, Facts]) -> None:
    parts = {part.without: set(part.datasets) for part in parts_of(evidence, evidence.views["clean"])}
    repeated, nominal = set(NAMES[:3]), set(NAMES[4:9])
    assert tiny(evidence)
    assert parts == {
        "": set(NAMES),
        "repeated samples (> 20 %)": set(NAMES) - repeated,
        "tiny ones (≤ 32 samples)": set(NAMES) - tiny(evidence),
        "possibly nominal columns": set(NAMES) - nominal,
        "any of these": set(NAMES) - repeated - tiny(evidence) - nominal,
    }


@pytest.mark.parametrize(
    ("nominal", "words"),
    [
        (slice(0, 12), "without possibly nominal columns: Laplace kernel (better → not significant)"),
        (slice(12, 14), "RFM's verdicts are the same"),
    ],
)
def test_a_verdict_that_hangs_on_some_datasets_is_said_to(nominal: slice, words: str) -> None:
    """RFM leads on the first twelve alone."""

    def level(job: Job) -> float:
        lead = 9.0 if job.dataset in NAMES[:12] else (-1.0) ** NAMES.index(job.dataset)
        return 80.0 + (lead if job.method == "rfm" else 0.0)

    known = {name: facts(name, possibly_nominal=int(name in NAMES[nominal])) for name in NAMES}
    found = body(known, with_scores(make_run(NAMES, ["rfm", "laplace"]), level))
    assert words in "".join(map(str, changes(parts_of(found, found.views["clean"]))))
    assert column(tables(shown(found))["data-without-clean"], "all common ones")[2].text.endswith(" *")


def test_without_facts_there_is_no_section_and_with_some_the_rest_stays_in(known: dict[str, Facts]) -> None:
    assert data_section(body({})) is None
    assert set(tables(shown(body(known, make_run(NAMES, ["rfm"]))))) == {"data-facts"}  # nothing is compared
    some = body({NAMES[0]: facts(NAMES[0], repeated_percent=50.0)}, make_run(NAMES[:6], METHODS))
    table = tables(shown(some))["data-without-clean"]
    assert column(table, "without repeated samples (> 20 %)")[0].text == "5 (5)"
    assert "Nothing is known of table-01, table-02, table-03, table-04, table-05" in table.note
    every = body({name: facts(name, repeated_percent=90.0) for name in NAMES[:3]}, make_run(NAMES[:3], METHODS))
    none_left = column(tables(shown(every))["data-without-clean"], "without repeated samples (> 20 %)")
    assert [cell.text for cell in none_left] == ["0 (0)", "–", "–", "–"]


def job(**more: object) -> Job:
    zoo = load_facts()["zoo", "embedded"]
    plain = Job("id", "zoo", "embedded", zoo.samples, zoo.features, 7, "rfm", "clean", "seed-0", 0)
    return replace(plain, **more)  # type: ignore[arg-type]


def test_facts_are_of_the_very_table_that_was_measured() -> None:
    known = load_facts()
    zoo = known["zoo", "embedded"]
    same = [job(), job(table_sha256=zoo.table_sha256), job(dataset="mine")]
    assert measured_facts(same, known) == {"zoo": zoo}
    assert measured_facts([job(source="archive")], known) == {"zoo": known["zoo", "archive"]}
    for other in (
        {"rows": zoo.samples + 1},
        {"features": zoo.features + 1},
        {"table_sha256": "0" * 64},
        {"source": "openml"},
        {"source": "archive"},
    ):
        assert measured_facts([job(), job(**other)], known) == {}


def test_the_registrys_datasets_get_their_facts_from_the_runs() -> None:
    run = make_run(["zoo"], METHODS, source="embedded", split="seed-0")
    about = about_datasets([with_jobs(run, rows=101, features=16)], load_registry())
    assert about["zoo"].facts == load_facts()["zoo", "embedded"]
    assert about["iris"].facts is None
    assert [about[name].nominal for name in ("flags", "titanic", "zoo")] == ["documented", "likely", ""]
    assert about_datasets([run], load_registry())["zoo"].facts is None  # another table of that name


def described(**tables: dict[str, Any]) -> dict[str, About]:
    """What is known with a run that recorded these tables."""
    told = {"origin": "o.csv", "target": "y", "licence": "", "notes": [], "features": []}
    recorded = {"tables": {name: told | more for name, more in tables.items()}}
    return about_datasets(
        [replace(make_run(["iris"], ["rfm"]), provenance={**PROVENANCE, **recorded})], load_registry()
    )


def test_the_registry_tells_families_their_reasons_and_pages() -> None:
    about = about_datasets([], load_registry())
    families = families_in(about)
    assert families["heart-va"] == families["statlog-heart"] == "heart-disease"
    assert "four hospitals" in about["statlog-heart"].relation
    assert (families["iris"], about["iris"].relation) == ("iris", "")
    iris = ("OpenML 61", "https://www.openml.org/d/61"), ("UCI 53", "https://archive.ics.uci.edu/dataset/53")
    assert about["iris"].pages == iris


def test_a_table_of_ones_own_is_of_no_family_unless_it_says_so() -> None:
    about = described(
        mine={}, old={"family": ""}, musk={}, first={"family": "loans"}, second={"family": "loans"},
        heart={"family": "heart-disease"}, wines={"family": "pima"},
    )  # fmt: skip
    families = families_in(about)
    assert (families["mine"], families["old"]) == ("mine", "old")
    assert families["musk"] not in ("musk", families["musk-1"])  # named like a family of the registry: no part of it
    assert families["first"] == families["second"] == "loans"
    assert families["heart"] == families["heart-va"]
    assert about["heart"].relation == about["heart-va"].relation
    assert families["wines"] == families["pima"]  # a dataset that is a family of one can be named too


def test_a_copy_of_a_registry_table_keeps_its_family() -> None:
    about = described(**{"statlog-heart": {"copy": True, "family": ""}})["statlog-heart"]
    assert (about.family, about.notes[0]) == ("heart-disease", "a copy, o.csv, column y")
