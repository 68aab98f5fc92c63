"""What is known of datasets: families of the registry, and of tables that runs describe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from synthetic_runs import PROVENANCE, make_run

from bench.data.registry import load_registry
from bench.report.about import About, about_datasets, families_in

REGISTRY = load_registry()


def described(**tables: dict[str, Any]) -> dict[str, About]:
    """What is known with a run that recorded these tables."""
    told = {"origin": "o.csv", "target": "y", "licence": "", "notes": [], "features": []}
    recorded = {"tables": {name: told | more for name, more in tables.items()}}
    return about_datasets([replace(make_run(["iris"], ["rfm"]), provenance={**PROVENANCE, **recorded})], REGISTRY)


def test_the_registry_tells_families_their_reasons_and_pages() -> None:
    about = about_datasets([], REGISTRY)
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
