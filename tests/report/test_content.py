"""What the report says: golden Markdown, verdicts, gaps, and every kind of thin input."""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from synthetic_runs import PROVENANCE, make_run

from bench.records.method import HoldoutResult
from bench.records.result import RunRecord
from bench.report import wording
from bench.report.about import About
from bench.report.blocks import Document, Figure, Notice, Section, Table
from bench.report.build import compose, write_report
from bench.report.evidence import Evidence
from bench.report.html import render_html
from bench.report.markdown import render_details, render_markdown
from bench.report.merge import merge_runs
from bench.report.sections.headline import answer, verdict
from bench.report.sections.printed import KNOWN, load_printed
from bench.stats.published import PublishedStudy
from bench.store import Store, read_run

GOLDEN = Path(__file__).parent / "golden"
ODD = 'a<b> & "c" | `d` *e*'
ABOUT = {
    "iris": About(group="small", licence="CC BY 4.0", origin="R. Fisher", openml=61, uci=53),
    "wine": About(group="small", faults=("a <fault> & more",)),
    "letter": About(group="large"),
    "adult": About(group="test-file"),
}


def evidence(*runs: RunRecord, study: PublishedStudy | None = None) -> Evidence:
    return Evidence(merge_runs(runs), ABOUT, study)


def tiny() -> Evidence:
    """Five tables, three methods, two clean protocols; one job failed, one was never run; odd names throughout."""
    names = ["iris", "wine", "letter", "adult", ODD]
    failures = {("wine", "mlp"): ("error", "ValueError: x < y & z | w")}
    run = make_run(names, ["rfm", "laplace", "mlp"], ["clean", "clean-cv"], failures=failures, folder="results/tiny")
    unfinished = replace(run, results=tuple(r for r in run.results if r.job.id != "adult/mlp/clean-cv/0"))
    leaky = make_run(names[:4], ["rfm", "laplace"], ["published", "relearn"], folder="results/leaky")
    classifiers = {"parRF_caret": [95.0, 96.5, 90.1], "svm_C": [94.0, 97.0, float("nan")]}
    study = PublishedStudy(pd.DataFrame(classifiers, index=["iris", "wine", "letter"]))
    return evidence(unfinished, leaky, study=study)


@pytest.fixture(scope="module")
def document() -> Document:
    return compose(tiny())


@pytest.mark.parametrize("name", ["report.md", "datasets.md"])
def test_markdown_is_the_golden_one(document: Document, name: str) -> None:
    text = render_markdown(document) if name == "report.md" else render_details(document)
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8"), "if the change is meant, run with UPDATE_GOLDEN=1"


def sections(document: Document) -> dict[str, Section]:
    return {s.anchor: s for top in document.sections for s in top.all_sections()}


def tables(document: Document) -> dict[str, Table]:
    return {b.name: b for s in document.sections for b in s.all_blocks() if isinstance(b, Table)}


def warnings(document: Document) -> list[Notice]:
    """What is to be known before a figure is believed."""
    notes = sections(document).get("notes")
    return [b for b in notes.blocks if isinstance(b, Notice)] if notes else []


def test_every_protocol_has_its_own_section_and_tables_name_pool_and_rule(document: Document) -> None:
    found = sections(document)
    for protocol in ("clean", "clean-cv", "relearn", "published"):
        assert protocol in found
        note = tables(document)[f"{protocol}-summary"].note
        assert note.startswith(f"Protocol {protocol}. Methods compared: RFM, Laplace kernel")
        assert "(rule: common datasets): only datasets on which every method of the table has a result" in note
    assert found["published"].tag == "leaks labels"
    assert {"leak", "selection", "study", "printed", "failures", "provenance"} <= set(found)


def test_a_gap_shrinks_the_common_set_and_is_named(document: Document) -> None:
    note = tables(document)["clean-summary"].note
    assert "4 of 5 datasets" in note
    assert "Left out: wine (MLP)" in note
    accuracy = tables(document)["clean-accuracy"]
    row = next(r for r in accuracy.rows if r[0].text == "wine")
    assert "error" in [cell.text for cell in row]
    unfinished = tables(document)["clean-cv-accuracy"]
    assert "not run" in [cell.text for r in unfinished.rows if r[0].text == "adult" for cell in r]


def test_the_study_has_each_set_of_datasets_its_place_and_its_gaps(document: Document) -> None:
    overview = tables(document)["study-places"]
    # adult is not in this study's file, so that "all" is no set of its own: iris, wine and letter; iris and wine
    assert [c.title for c in overview.columns[2:]] == [
        f"{what}, {where}" for where in ("small (2)", "no test file (3)") for what in ("Mean %", "Rank", "Place")
    ]
    methods = [(row[0].text, row[1].text) for row in overview.rows]
    assert ("clean", "RFM") in methods
    assert ("published (leaks labels)", "Laplace kernel") in methods
    assert [m for p, m in methods if p == "2014 study"] == ["parRF_caret", "svm_C"]
    assert not [m for _, m in methods if m == "MLP"]  # built in, and not of the paper's comparison: folded
    assert sections(document)["study-details"].fold
    whole = tables(document)["study-no-test-file"]
    under = {p: [r[1].text for r in whole.rows if r[0].text == p] for p in ("clean", "clean-cv")}
    assert sorted(under["clean"]) == ["Laplace kernel", "RFM", "parRF_caret", "svm_C"]  # wine lacks MLP
    warned = " ".join(str(b.spans) for b in sections(document)["study"].blocks if isinstance(b, Notice))
    assert "place by average rank / by mean accuracy on the small datasets" in str(
        sections(document)["study"].blocks[0]
    )
    assert "clean, the datasets without a test file: too few results to be placed: MLP (2)" in warned
    assert "Not in the results file and left out: adult" in warned


def test_a_method_of_the_users_own_is_placed_in_the_first_table() -> None:
    run = make_run(["iris", "wine", "letter"], ["rfm", "mlp", "mine"])
    document = compose(evidence(run, study=tiny().study))
    assert [row[1].text for row in tables(document)["study-places"].rows][:2] == ["RFM", "mine"]


def test_runs_on_none_of_the_studys_datasets_are_told_so() -> None:
    body = evidence(make_run([ODD, "other"], ["rfm", "mlp"]), study=tiny().study)
    (section,) = [s for s in compose(body).sections if s.anchor == "study"]
    assert not section.children
    assert "clean: none of its datasets is comparable with the study" in str(section.blocks)


def constant(accuracies: dict[str, float], datasets: int = 12) -> Evidence:
    """Every method has the same accuracy everywhere."""
    run = make_run([f"t{i}" for i in range(datasets)], list(accuracies), details=False)

    def level(value: float) -> tuple[HoldoutResult, ...]:
        return tuple(HoldoutResult(i, value, {"ridge": 1.0}, 0, value, 0.1) for i in range(4))

    results = tuple(replace(r, holdouts=level(accuracies[r.job.method])) for r in run.results)
    return Evidence(merge_runs([replace(run, results=results)]))


def spoken(body: Evidence) -> str:
    return "".join(s if isinstance(s, str) else s.text for s in verdict(body, body.views["clean"]))


def test_verdicts_follow_the_results() -> None:
    words = spoken(constant({"rfm": 90.0, "laplace": 80.0, "ntk": 95.0, "mlp": 90.0}))
    assert words == (
        "Under clean, on 12 datasets (12 families, one seed), RFM averages 90.00 %. It is significantly better than "
        "Laplace kernel (Δ +10.00 ± 0.00 pp). It is significantly worse than NTK (Δ −5.00 ± 0.00 pp). No significant "
        "difference from MLP (Δ 0.00 ± 0.00 pp)."
    )


def test_all_ties_are_no_significant_difference() -> None:
    body = constant({"rfm": 90.0, "laplace": 90.0, "mlp": 90.0})
    assert spoken(body).endswith(
        "It is not significantly different from any other method: Laplace kernel (Δ 0.00 ± 0.00 pp) and MLP (Δ 0.00 ± "
        "0.00 pp)."
    )
    found = tables(compose(body))
    assert [row[6].text for row in found["clean-summary"].rows] == ["2.00"] * 3  # ranks
    assert [row[5].text for row in found["clean-comparisons"].rows] == ["not significant", "not significant"]


def test_two_datasets_are_too_few_to_be_called_better() -> None:
    body = constant({"rfm": 90.0, "laplace": 50.0}, datasets=2)
    assert "It is not significantly different from Laplace kernel (Δ +40.00 ± 0.00 pp)." in spoken(body)
    note = tables(compose(body))["clean-summary"].note
    assert "2 families of datasets; one seed. Only 2 families: the interval is Student's t" in note


def test_one_family_has_no_interval_in_words() -> None:
    body = constant({"rfm": 90.0, "laplace": 50.0, "mlp": 60.0})
    related = {name: About(family="one", relation="the same rows") for name in body.datasets}
    body = replace(body, about=related)
    assert "on 12 datasets (1 family, one seed)" in spoken(body)
    assert "It is not significantly different from any other method: MLP (Δ +30.00 pp)" in spoken(body)
    document = compose(body)
    summary = tables(document)["clean-summary"]
    assert "All datasets are of one family: there is no interval, and no test." in summary.note
    found = tables(document)["clean-comparisons"].rows
    assert [cell.text for cell in found[0]][1:6] == ["+40.00", "–", "12 / 0 / 0", "1.00", "not significant"]
    assert "Family: one (the same rows), with t1, t10, t11, t2" in str(sections(document)["dataset-t0"].blocks[0])
    assert not re.search(r"\bnan\b", render_markdown(document).lower())


def test_siblings_count_once() -> None:
    """Twelve datasets of four families: the signed-rank test has four differences, whatever each one of twelve says."""
    body = constant({"rfm": 90.0, "laplace": 80.0})
    assert "significantly better" in spoken(body)
    related = {name: About(family=f"family {i % 4}") for i, name in enumerate(body.datasets)}
    assert "not significantly different" in spoken(replace(body, about=related))


def seeded(*seeds: int, methods: tuple[str, ...] = ("rfm", "laplace", "mlp"), count: int = 12) -> list[RunRecord]:
    names = [f"t{i}" for i in range(count)]
    return [make_run(names, methods, seed=s, folder=f"results/{s}", split=f"seed-{s}", details=False) for s in seeds]


def test_several_seeds_are_averaged_and_their_spread_stands_next_to_every_comparison() -> None:
    runs = seeded(0, 1, 2)
    body = evidence(*runs)
    alone = [evidence(run).matrix("clean") for run in runs]
    pd.testing.assert_frame_equal(body.matrix("clean"), sum(alone[1:], alone[0]) / 3)
    lead = [float((matrix["rfm"] - matrix["laplace"]).mean()) for matrix in alone]
    document = compose(body)
    assert ("3", "seeds") in document.facts
    row = next(r for r in tables(document)["clean-comparisons"].rows if r[0].text == "Laplace kernel")
    by_seed = [c.title for c in tables(document)["clean-comparisons"].columns].index("By seed")
    assert "By seed" in [c.title for c in tables(document)["clean-leaderboard"].columns]
    assert row[by_seed].text == f"{min(lead):+.2f} to {max(lead):+.2f}, one sign"
    assert f"by seed {min(lead):+.2f} to {max(lead):+.2f}" in spoken(body)
    assert "By seed" in [c.title for c in tables(document)["clean-pairs"].columns]
    holdouts = tables(document)["dataset-t0-clean"]
    assert [cell.text for cell in holdouts.rows[1]][:2] == ["RFM", "1"]
    one = tables(compose(evidence(runs[0])))
    assert not any("By seed" in [c.title for c in table.columns] for table in one.values())
    assert "12 families of datasets; one seed." in one["clean-summary"].note
    assert "Seed" not in [c.title for c in one["dataset-t0-clean"].columns]


def test_only_common_seeds_count_and_what_is_left_out_is_said() -> None:
    runs = [*seeded(0, 1, methods=("rfm", "laplace")), *seeded(1, methods=("mlp",)), *seeded(7, methods=("ntk",))]
    body = evidence(*runs)
    for run in (runs[1], runs[2]):
        only = evidence(run).matrix("clean")
        pd.testing.assert_frame_equal(body.matrix("clean")[only.columns], only)
    assert body.matrix("clean")["ntk"].isna().all()
    document = compose(body)
    note = tables(document)["clean-summary"].note
    assert "NTK has results on 0 of 12 datasets only: not in this table." in note
    assert (
        "only the common ones count. Left out: Laplace kernel, seed 0: t0, t1, t10, t11, ... (12 in all); NTK" in note
    )
    assert "NTK, seed 7, which counts as missing" in note
    cells = {c.text for r in tables(document)["clean-accuracy"].rows for c in r}
    assert "other seeds" in cells
    warned = " ".join(str(b.spans) for b in warnings(document))
    assert "Left out: Laplace kernel, seed 0" in warned


def test_protocols_of_different_seeds_are_announced() -> None:
    names = [f"t{i}" for i in range(12)]
    runs = [make_run(names, ["rfm", "laplace"], [p], seed=s, folder=p) for p, s in (("clean", 0), ("clean-cv", 1))]
    document = compose(evidence(*runs))
    warned = " ".join(str(b.spans) for b in warnings(document))
    assert "Protocols differ in their seeds (clean 0; clean-cv 1)" in warned
    assert "selection" not in {s.anchor for s in document.sections}


def test_a_verdict_needs_rfm_and_says_why_there_is_none() -> None:
    names = [f"t{i}" for i in range(6)]
    failures = {(name, "rfm"): ("oom", "killed") for name in names[:4]}
    words = spoken(Evidence(merge_runs([make_run(names, ["rfm", "laplace", "mlp"], failures=failures)])))
    assert "RFM has results on 2 of 6 datasets, too few to be compared: there is no verdict." in words
    assert "has the highest mean accuracy" in words
    words = spoken(Evidence(merge_runs([make_run(names, ["rfm", "mlp"], failures=failures)])))
    assert "has the highest mean accuracy" not in words  # nobody is left to be higher than
    assert "RFM is not among the methods." in spoken(Evidence(merge_runs([make_run(names, ["laplace", "mlp"])])))


def test_results_of_several_commits_are_announced() -> None:
    def warned(*commits: str) -> str:
        runs = [make_run([f"t{i}"], ["rfm"], folder=f"results/{c}") for i, c in enumerate(commits)]
        runs = [replace(r, provenance={**PROVENANCE, "commit": c}) for r, c in zip(runs, commits, strict=True)]
        return " ".join(str(b.spans) for b in warnings(compose(evidence(*runs))))

    assert "commit" not in warned("aaa")
    assert "Computed at 2 commits of the harness: aaa (1 job), bbb (1 job)." in warned("aaa", "bbb")
    long = "0123456789abcdef" * 2
    assert "0123456789+dirty (1 job). +dirty: with changes that no commit holds" in warned(f"{long}+dirty")


def test_selections_stand_by_fold_and_the_path_in_figures(document: Document) -> None:
    section = next(s for s in sections(document).values() if s.anchor == "dataset-iris")
    table = next(b for b in section.blocks if isinstance(b, Table) and b.name.endswith("-clean"))
    selected = next(i for i, c in enumerate(table.columns) if c.title == "Selected")
    rfm = table.rows[0]
    assert re.search(r"folds? 1.*: ridge .*; folds? \d", rfm[selected].text)
    assert re.fullmatch(r"Fold 1: \d+\.\d to \d+\.\d", rfm[-1].text)


def test_a_metric_that_has_vanished_is_called_so() -> None:
    run = make_run(["iris"], ["rfm"])
    first, *rest = run.results[0].holdouts
    tiny = {**first.details, "metric_diagonal": [1e-9 * v for v in first.details["metric_diagonal"]]}
    vanished = replace(run.results[0], holdouts=(replace(first, details=tiny), *rest))
    notes = [
        next(b for b in s.blocks if isinstance(b, Table) and b.name.endswith("-metric")).note
        for s in (
            sections(compose(evidence(replace(run, results=(vanished,)))))["dataset-iris"],
            sections(compose(evidence(run)))["dataset-iris"],
        )
    ]
    assert "On fold 1 M has all but vanished" in notes[0]
    assert "vanished" not in notes[1]
    assert re.search(r"Trace of M: [\d.]+ \(fold 1\), ", notes[1])


def test_a_whole_set_of_datasets_is_called_by_its_name(document: Document) -> None:
    small = compose(evidence(make_run(["iris", "wine"], ["rfm", "laplace"])))  # all of the small ones that are known
    assert tables(small)["clean-summary"].caption.startswith("small90: small")
    assert "on 2 datasets (small90, 2 families, one seed), " in str(small.sections[0].blocks[0])
    part = compose(evidence(make_run(["iris"], ["rfm", "laplace"])))
    assert "small90" not in str(part.sections[0].blocks[0])
    caption = "All available datasets, the 4 of 5 that all methods have, protocol clean"
    assert tables(document)["clean-summary"].caption == caption


def test_what_the_leak_tables_leave_out_is_said(document: Document) -> None:
    notes = [str(b.spans) for b in sections(document)["leak"].blocks if isinstance(b, Notice)]
    assert any(
        "all-available: RFM has results on clean 5, clean-cv 5, relearn 4, published 4" in note for note in notes
    )


def test_a_metric_that_was_never_updated_is_said_to_be_so() -> None:
    run = make_run(["iris"], ["rfm", "laplace"])
    still = [
        replace(result, holdouts=tuple(replace(h, iteration=0, details={}) for h in result.holdouts))
        for result in run.results
    ]
    page = str(compose(evidence(replace(run, results=tuple(still)))))
    assert "there is no learned metric to show" in page
    assert "there is no learned metric to show" not in str(compose(evidence(run)))


def test_equal_comparisons_are_shown_once_and_one_method_is_none() -> None:
    """Group tables over the same common datasets, and over a single method."""
    failures = {("letter", "laplace"): ("timeout", "60 s"), ("adult", "laplace"): ("timeout", "60 s")}
    run = make_run(["iris", "wine", "letter", "adult"], ["rfm", "laplace"], failures=failures)
    groups = sections(compose(evidence(run)))["clean-groups"].blocks
    assert not [b for b in groups if isinstance(b, Table)]
    assert "has results of one method only" in str(groups)


def test_a_results_file_that_is_not_whole_is_announced() -> None:
    body = tiny()
    assert body.study is not None
    shorter = PublishedStudy(body.study.accuracy.drop(index="wine"))
    blocks = sections(compose(replace(body, study=shorter)))["study"].blocks
    warned = " ".join(str(b.spans) for b in blocks if isinstance(b, Notice))
    assert "2 of 121 datasets, 2 of 179 classifiers" in warned
    assert "left out: adult, wine." in warned


@pytest.mark.parametrize(
    ("names", "methods"),
    [(["iris"], ["rfm"]), (["iris"], ["rfm", "laplace"]), (["iris", "wine"], ["laplace"]), (["iris"], ["mlp", "ntk"])],
)
def test_thin_runs_still_give_a_report(tmp_path: Path, names: list[str], methods: list[str]) -> None:
    files = write_report(evidence(make_run(names, methods)), tmp_path / "out")
    page = files.html.read_text(encoding="utf-8")
    assert not re.search(r"\bnan\b", page.lower())
    assert "Fewer than 10 common datasets" in page


@pytest.mark.parametrize("protocol", ["published", "relearn", "clean-cv"])
def test_one_protocol_alone_is_its_own_headline(protocol: str) -> None:
    document = compose(evidence(make_run([f"t{i}" for i in range(12)], ["rfm", "laplace"], [protocol])))
    assert [s.anchor for s in document.sections[:2]] == ["verdict", "results"]
    assert [s.anchor for s in document.sections[1].children] == [protocol]
    warned = any("carries test labels" in str(b) for b in warnings(document))
    assert warned == (protocol == "published")


def test_rfm_and_laplace_are_compared_where_both_ran_even_if_others_did_not() -> None:
    names = [f"t{i}" for i in range(12)]
    failures = {(name, "ntk"): ("skipped", "needs 900 GB") for name in names[:4]}
    document = compose(evidence(make_run(names, ["rfm", "laplace", "ntk"], failures=failures)))
    assert "on 8 of 12 datasets" in tables(document)["clean-summary"].note
    opening = sections(document)["clean-laplace"].blocks[0]
    assert "on the 12 datasets that both have (12 families)" in str(opening)


def test_a_holdout_without_a_learned_metric_is_not_counted_as_one() -> None:
    run = make_run(["iris"], ["rfm"])
    first, *rest = run.results[0].holdouts
    bare = replace(run.results[0], holdouts=(replace(first, details={}), *rest))
    section = sections(compose(evidence(replace(run, results=(bare,)))))["dataset-iris"]
    table = next(b for b in section.blocks if isinstance(b, Table) and b.name.endswith("-metric"))
    assert "mean over 3 of 4 test folds; on the others RFM selected iteration 0" in table.note
    assert "of M on fold 2" in str(section.blocks[-1])


def test_every_protocol_has_its_tab_and_says_what_is_wrong_with_two(document: Document) -> None:
    results = sections(document)["results"]
    assert results.tabs
    assert [child.label for child in results.children] == ["clean", "clean-cv", "relearn", "published"]
    first = {child.anchor: str(child.blocks[0]) for child in results.children}
    assert "Under" not in first["clean"]  # it is the headline's
    assert "Under" in str(document.sections[0].blocks[0])
    assert "tuned on test samples" in first["relearn"]
    assert "with test labels in M" in first["published"]


@pytest.mark.parametrize(
    ("accuracies", "title"),
    [
        ({"rfm": 90.0}, "RFM alone: mean accuracy 90.00 %"),
        ({"rfm": 90.0, "mlp": 80.0}, "RFM is first of 2 by mean accuracy, significantly better than MLP"),
        (
            {"rfm": 90.0, "mlp": 90.0},
            "RFM shares first place of 2 by mean accuracy, not significantly different from MLP",
        ),
        (
            {"rfm": 90.0, "mlp": 80.0, "ntk": 90.0},
            "RFM shares first place of 3 by mean accuracy, significantly better than 1 of the others",
        ),
        (
            {"rfm": 90.0, "mlp": 80.0, "ntk": 70.0},
            "RFM is first of 3 by mean accuracy, significantly better than all of the others",
        ),
        (
            {"rfm": 90.0, "mlp": 80.0, "ntk": 95.0},
            "NTK is first of 3 by mean accuracy; RFM is 2nd, "
            "significantly better than 1 and worse than 1 of the others",
        ),
        ({"laplace": 90.0, "mlp": 80.0}, "Laplace kernel is first of 2 by mean accuracy"),
    ],
)
def test_the_title_is_the_answer(accuracies: dict[str, float], title: str) -> None:
    assert answer(constant(accuracies)) == title


def test_datasets_without_any_result_are_not_counted_as_compared() -> None:
    failures = {("wine", method): ("skipped", "not at hand") for method in ("rfm", "laplace")}
    found = compose(evidence(make_run(["iris", "wine"], ["rfm", "laplace"], failures=failures)))
    assert found.facts[0] == ("1", "of 4 datasets")


def test_the_cost_section_counts_fits_by_solver() -> None:
    run = make_run(["iris", "wine"], ["rfm", "xgboost"])
    solvers = {"iris": "cholesky", "wine": "eigenpro"}
    solved = [
        replace(
            r,
            holdouts=tuple(replace(h, details={**h.details, "solver": solvers[r.job.dataset]}) for h in r.holdouts),
        )
        if r.job.method == "rfm"
        else r
        for r in run.results
    ]
    table = tables(compose(evidence(replace(run, results=tuple(solved)))))["solvers"]
    shown = [[cell.text for cell in row][1:] for row in table.rows]
    assert sorted(shown) == [["clean", "cholesky", "4", "iris"], ["clean", "eigenpro", "4", "wine"]]
    assert "solvers" not in tables(compose(evidence(run)))


def test_reduced_tables_are_named_on_the_first_screen_and_in_their_own_section() -> None:
    small = make_run(["iris", "wine"], ["rfm", "laplace"])
    large = make_run(
        ["letter"], ["rfm", "laplace"], folder="results/large", reduction="tested on the first hold-out only"
    )
    page = compose(evidence(small, large))
    told = warnings(page)
    assert any("(tested on the first test fold only): letter." in str(notice.spans) for notice in told)
    [datasets] = [section for section in page.sections if section.anchor == "datasets"]
    marked = [s.title for s in datasets.children if any("Reduced" in str(block) for block in s.blocks)]
    assert marked == ["letter"]


def test_first_test_folds_alone_are_said_where_figures_stand() -> None:
    words = "first 1 of 4 test folds only"
    run = make_run([f"t{i}" for i in range(8)], ["rfm", "laplace"], reduction=f"tested on the {words}")
    document = compose(evidence(run))
    assert words in str(document.sections[0].blocks[0])
    assert words in tables(document)["clean-leaderboard"].caption
    study = replace(
        tiny(), merged=merge_runs([make_run(["iris", "letter"], ["rfm"], reduction=f"tested on the {words}")])
    )
    assert f"clean: {words}, so no places." in str(sections(compose(study))["study"].blocks)


def test_results_of_before_a_rule_for_ties_say_so() -> None:
    """Where they are shown, where they are warned of, and in what a step between protocols changes."""
    run = make_run([f"t{i}" for i in range(8)], ["rfm", "laplace"], ["clean", "clean-cv"])
    older = replace(run, provenance={**run.provenance, "ties": {"clean": "order"}})
    page = render_markdown(compose(evidence(older)))
    assert "Some of these results are older: in them equal ones go to the earlier grid entry." in page
    assert "`clean`: some results are older" in page
    assert "ties to the smaller Brier score" in page
    assert "ties to the smaller Brier score" not in render_markdown(compose(evidence(run)))


def test_nothing_in_common_is_said_and_not_averaged() -> None:
    failures = {("iris", "rfm"): ("timeout", "600 s"), ("wine", "laplace"): ("oom", "killed")}
    document = compose(evidence(make_run(["iris", "wine"], ["rfm", "laplace"], failures=failures)))
    assert any("no dataset with a result of every method" in str(n.spans) for n in warnings(document))
    assert "clean-summary" not in tables(document)
    assert len(tables(document)["failures"].rows) == 2


def test_everything_failed_is_a_report_of_failures() -> None:
    failures = {("iris", "rfm"): ("error", "MethodError: one class")}
    page = render_html(compose(evidence(make_run(["iris"], ["rfm"], failures=failures))))
    assert "MethodError: one class" in page
    assert "has no result at all" in page
    assert "no dataset with a result of every method" not in page


def test_tables_that_could_not_be_read_have_no_holdouts_to_warn_of() -> None:
    failures = {("absent", method): ("skipped", "not in the archive") for method in ("rfm", "laplace")}
    unread = make_run(["absent"], ["rfm", "laplace"], split="", failures=failures)
    read = make_run(["iris", "wine"], ["rfm", "laplace"])
    run = replace(read, results=(*read.results, *unread.results))
    document = compose(evidence(run))
    warned = [str(b.spans) for b in warnings(document)]
    assert not any("drawn by the harness" in words for words in warned)
    shown = [tuple(cell.text for cell in row) for row in tables(document)["sources"].rows]
    assert shown == [("archive", "published", "2"), ("archive", "none: the table could not be read", "1")]
    assert "where it could not be read" in str(sections(document)["dataset-absent"].blocks[0])
    drawn = make_run(["iris", "wine"], ["rfm", "laplace"], split="seed-0")
    document = compose(evidence(replace(run, results=(*drawn.results, *unread.results))))
    warned = [str(b.spans) for b in warnings(document)]
    assert any("On 2 of 2 datasets with results the test folds were drawn" in words for words in warned)


def test_provenance_names_every_invocation_that_results_come_from_and_no_other(tmp_path: Path) -> None:
    run = make_run(["iris", "wine", "zoo"], ["rfm"])
    archive = {"name": "tables.tar.xz", "sha256": "ab" * 32}
    with Store(tmp_path / "grown") as store:
        store.begin(run.planned, {**PROVENANCE, "started": "Monday", "commit": "aaa", "cores": 2, "archive": archive})
        store.record(run.results[0])
        store.begin(run.planned, {**PROVENANCE, "started": "Tuesday", "commit": "bbb", "cores": 16, "source": ""})
        store.record(run.results[1])
        store.record(run.results[2])
        store.begin(run.planned, {**PROVENANCE, "started": "Sunday", "commit": "ccc", "cores": 64})
    found = tables(compose(evidence(read_run(tmp_path / "grown"))))
    listed = [tuple(cell.text for cell in row) for row in found["invocations-grown"].rows]
    command = PROVENANCE["command"]
    assert listed == [("Monday", "1", "aaa", command), ("Tuesday", "2", "bbb", command)]
    recorded = {row[0].text: row[1].text for row in found["provenance-grown"].rows}
    assert recorded["cores"] == "2 (started Monday); 16 (started Tuesday)"
    assert recorded["cpu"] == PROVENANCE["cpu"]
    assert recorded["archive sha256"] == f"{'ab' * 32} (started Monday); not recorded (started Tuesday)"
    assert recorded["source"] == "not recorded (started Monday); – (started Tuesday)"


@pytest.mark.parametrize("quantity", ["rows", "features"])
def test_difference_and_error_reduction_stand_over_one_size_axis(quantity: str) -> None:
    body = evidence(make_run([f"t{i}" for i in range(25)], ["rfm", "laplace"]))
    blocks = sections(compose(body))["clean-laplace"].blocks
    figure = next(b for b in blocks if isinstance(b, Figure) and b.name == f"clean-laplace-by-{quantity}")
    table = pd.read_csv(io.StringIO(figure.data), index_col="dataset")
    matrix = body.matrix("clean")
    assert table["x"].to_dict() == body.sizes[quantity].to_dict()
    assert table["difference_points"].to_dict() == pytest.approx((matrix["rfm"] - matrix["laplace"]).to_dict())
    errors = 100 - matrix
    reduction = 100 * (errors["laplace"] - errors["rfm"]) / errors.max(axis=1)
    assert table["reduction_percent"].to_dict() == pytest.approx(reduction.to_dict())
    assert figure.svg.count('class="trend"') == 2


def test_runs_in_folders_of_one_name_keep_their_own_provenance() -> None:
    runs = [make_run(["iris"], [method], folder=f"{method}/same") for method in ("rfm", "laplace")]
    assert {"invocations-same", "invocations-same-2"} <= set(tables(compose(evidence(*runs))))


def test_reported_figures_all_have_a_source_and_none_is_only_recalled(document: Document) -> None:
    figures = load_printed()
    assert {item.known for item in figures} <= set(KNOWN) == {"read", "computed", "secondary"}
    assert all(item.source for item in figures)
    unverified = {"85.37", "83.76", "82.70", "81.95", "88.89", "72.22", "95.72", "28.34", "80.88", "81.02"}
    assert not unverified & {item.figure for item in figures}
    (third_party,) = [item for item in figures if item.figure == "85.10"]
    assert (third_party.what, third_party.set) == ("NFA-RFM, mean accuracy", "120 UCI datasets")
    assert "which 120 datasets and which procedure it does not say" in third_party.caution
    table = tables(document)["reported-and-reproduced"]
    (row,) = [r for r in table.rows if r[2].text == "85.10"]
    assert row[3].href == "https://arxiv.org/abs/2507.05644"
    assert row[3].text == "arXiv 2507.05644 (third party's summary)"
    assert table.note.startswith(f"arXiv 2507.05644: {third_party.caution}. ")


def test_a_measured_mean_needs_the_reported_ones_datasets(document: Document) -> None:
    table = tables(document)["reported-and-reproduced"]
    measured = [i for i, c in enumerate(table.columns) if c.title.startswith("Here, ")]
    assert [table.columns[i].title for i in measured] == ["Here, published", "Here, clean", "Here, clean-cv"]
    assert all(row[i].text == "–" for row in table.rows for i in measured)


def test_every_text_is_used_and_every_used_one_is_there() -> None:
    sources = Path(wording.__file__).parent.rglob("*.py")
    used = set(re.findall(r"(?:prose\(|texts\(\)\[)\s*[\"']([\w-]+)", "".join(p.read_text("utf-8") for p in sources)))
    assert used == set(wording.texts())
