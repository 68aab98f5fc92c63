"""What the report says: golden Markdown, verdicts, gaps, and every kind of thin input."""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from shown import column, figures, sections, tables, texts, titles, words
from synthetic_runs import PROVENANCE, make_run, with_holdouts, with_scores

from bench.data.facts import Facts
from bench.records.method import HoldoutResult
from bench.records.result import JobResult, RunRecord
from bench.report import wording
from bench.report.about import About
from bench.report.blocks import Document, Table
from bench.report.build import compose, write_report
from bench.report.evidence import Evidence
from bench.report.markdown import render_details, render_markdown
from bench.report.merge import merge_runs
from bench.report.sections.headline import answer, verdict
from bench.report.sections.printed import KNOWN, load_printed
from bench.stats.published import PublishedStudy
from bench.store import Store, read_run

pytestmark = pytest.mark.usefixtures("undrawn")
GOLDEN = Path(__file__).parent / "golden"
ODD = 'a<b> & "c" | `d` *e*'
TWELVE = [f"t{i}" for i in range(12)]
TWO = ["rfm", "laplace"]
IRIS_PAGES = ("OpenML 61", "https://www.openml.org/d/61"), ("UCI 53", "https://archive.ics.uci.edu/dataset/53")
ABOUT = {
    "iris": About(group="small", licence="CC BY 4.0", origin="R. Fisher", pages=IRIS_PAGES),
    "wine": About(group="small", faults=("a <fault> & more",)),
    "letter": About(group="large"),
    "adult": About(group="test-file"),
}
MEASURED = {
    "iris": Facts("iris", "archive", 100, 5, "", "published", 50.0, 12.5, 2, True, 7, 3),
    "wine": Facts("wine", "archive", 100, 5, "", "seed-0", 0.0, 0.0, 0, True, None, None),
    ODD: Facts(ODD, "archive", 100, 5, "", "published", 30.0, 0.0, 0, True, 0, 0),
}
STUDY = PublishedStudy(
    pd.DataFrame({"parRF_caret": [95.0, 96.5, 90.1], "svm_C": [94.0, 97.0, math.nan]}, index=["iris", "wine", "letter"])
)


def evidence(*runs: RunRecord, study: PublishedStudy | None = None) -> Evidence:
    return Evidence(merge_runs(runs), ABOUT, study)


def failed(
    names: Sequence[str], *methods: str, status: str = "skipped", reason: str = "not there"
) -> dict[tuple[str, str], tuple[str, str]]:
    return {(name, method): (status, reason) for name in names for method in methods}


def tiny() -> Evidence:
    """Five tables, three methods, two clean protocols; one job failed, one was never run; odd names throughout."""
    names = ["iris", "wine", "letter", "adult", ODD]
    failures = failed(["wine"], "mlp", status="error", reason="ValueError: x < y & z | w")
    run = make_run(names, [*TWO, "mlp"], ["clean", "clean-cv"], failures=failures, folder="results/tiny")
    unfinished = replace(run, results=tuple(r for r in run.results if r.job.id != "adult/mlp/clean-cv/0"))
    body = evidence(unfinished, make_run(names[:4], TWO, ["published", "relearn"], folder="results/leaky"), study=STUDY)
    known = {name: replace(ABOUT.get(name, About()), facts=facts) for name, facts in MEASURED.items()}
    known["iris"], known[ODD] = replace(known["iris"], nominal="documented"), replace(known[ODD], nominal="guessed")
    return replace(body, about=ABOUT | known)


@pytest.fixture(scope="module")
def document(undrawn: None) -> Document:
    return compose(tiny())


@pytest.mark.parametrize("name", ["report.md", "datasets.md"])
def test_markdown_is_the_golden_one(document: Document, name: str) -> None:
    text = render_markdown(document) if name == "report.md" else render_details(document)
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8"), "if the change is meant, run with UPDATE_GOLDEN=1"


def test_what_only_the_page_shows(document: Document) -> None:
    """All else of this document is in the golden files."""
    found = sections(document)
    assert found["results"].tabs
    assert [child.label for child in found["results"].children] == ["clean", "clean-cv", "relearn", "published"]
    assert found["published"].tag == "leaks labels"
    assert found["study-details"].fold
    assert found["data-concerned"].fold


def of_commits(*commits: str) -> list[RunRecord]:
    runs = [make_run([f"t{i}"], ["rfm"], folder=f"results/{c}") for i, c in enumerate(commits)]
    return [replace(r, provenance={**PROVENANCE, "commit": c}) for r, c in zip(runs, commits, strict=True)]


def beside_unread(split: str) -> list[RunRecord]:
    """Two datasets whose folds are of ``split``, and a third that could not be read."""
    read = make_run(["iris", "wine"], TWO, split=split)
    absent = make_run(["absent"], TWO, split="", failures=failed(["absent"], *TWO))
    return [replace(read, results=(*read.results, *absent.results))]


FIRST = "first 1 of 4 test folds only"
FIRST_ALONE = {"reduction": f"tested on the {FIRST}"}
SAID: dict[str, tuple[list[RunRecord], dict[str, str], dict[str, str]]] = {
    "datasets that the study has not": (
        [make_run([ODD, "other"], ["rfm", "mlp"])],
        {"study": "clean: none of its datasets is comparable with the study"},
        {"study-details": ""},
    ),
    "protocols of different datasets among the study's classifiers": (
        [make_run(["iris"], TWO), make_run(["iris", "wine"], TWO, ["clean-cv"], folder="results/more")],
        {
            "study": "3 / 3 under clean (1 dataset), 3 / 3 under clean-cv (2 datasets).",
            "study-places": "small (1–2)",
        },
        {"study": "small (2)"},
    ),
    "a reference that only the second set of datasets has": (
        [
            make_run(["iris", "wine", "letter"], ["rfm"], failures=failed(["iris", "wine"], "rfm")),
            make_run(["iris"], ["rfm", "mlp"], ["clean-cv"], failures=failed(["iris"], "rfm"), folder="more"),
        ],
        {"study": "RFM's place by average rank / by mean accuracy on the datasets without a test file"},
        {},
    ),
    "first test folds alone": (
        [make_run(["iris", "letter", *TWELVE[:6]], TWO, **FIRST_ALONE)],
        {"verdict": FIRST, "clean-leaderboard": f"; {FIRST}'", "study": f"clean: {FIRST}, so no places."},
        {"study-places": ""},
    ),
    "a large dataset with one test fold": (
        [
            make_run(["iris", "wine"], TWO),
            make_run(["letter"], TWO, folder="results/large", reduction="tested on the first hold-out only"),
        ],
        {"notes": "(tested on the first test fold only): letter.", "dataset-letter": "on the first test fold only"},
        {"dataset-iris": "Reduced", "dataset-wine": "Reduced"},
    ),
    "a whole set of datasets by its name": (
        [make_run(["iris", "wine"], TWO)],  # all of the small ones that are known
        {"verdict": "on 2 datasets (small90, 2 families, one seed), ", "clean-summary": "caption='small90: small"},
        {"notes": "commit"},
    ),
    "a part of a set": ([make_run(["iris"], TWO)], {"verdict": "on 1 dataset (1 family"}, {"verdict": "small90"}),
    "results of two commits": (
        of_commits("", "aaa", "bbb"),  # of one no commit is recorded
        {"notes": "Computed at 2 commits of the harness: aaa (1 job), bbb (1 job)."},
        {"notes": "dirty"},
    ),
    "results of a commit with changes": (
        of_commits("0123456789abcdef+dirty"),
        {"notes": "0123456789+dirty (1 job). +dirty: with changes that no commit holds"},
        {},
    ),
    "protocols of different seeds": (
        [make_run(TWELVE, TWO, [p], seed=s, folder=p) for s, p in enumerate(["clean", "clean-cv"])],
        {"notes": "Protocols differ in their seeds (clean 0; clean-cv 1)"},
        {"selection": ""},
    ),
    "a table that could not be read, next to published folds": (
        beside_unread("published"),
        {"dataset-absent": "where it could not be read"},
        {"notes": "drawn by the harness"},
    ),
    "a table that could not be read, next to drawn folds": (
        beside_unread("seed-0"),
        {"notes": "On 2 of 2 datasets with results the test folds were drawn"},
        {},
    ),
    "two methods on the datasets that both have, though others have fewer": (
        [make_run(TWELVE, [*TWO, "ntk"], failures=failed(TWELVE[:4], "ntk"))],
        {"clean-laplace": "on the 12 datasets that both have (12 families)", "clean-summary": "on 8 of 12 datasets"},
        {},
    ),
}


@pytest.mark.parametrize(("runs", "said", "unsaid"), SAID.values(), ids=SAID)
def test_what_is_odd_is_said_where_it_matters(
    runs: list[RunRecord], said: dict[str, str], unsaid: dict[str, str]
) -> None:
    document = compose(evidence(*runs, study=STUDY))
    for place, expected in said.items():
        assert expected in words(document, place)
    for place, other in unsaid.items():
        found = words(document, place)
        assert other not in found if other else not found


def test_a_method_of_the_users_own_is_placed_in_the_first_table() -> None:
    document = compose(evidence(make_run(["iris", "wine", "letter"], ["rfm", "mlp", "mine"]), study=STUDY))
    assert [row[1].text for row in tables(document)["study-places"].rows][:2] == ["RFM", "mine"]


def constant(accuracies: dict[str, float], datasets: int = 12) -> Evidence:
    """Every method has the same accuracy everywhere."""
    run = make_run([f"t{i}" for i in range(datasets)], list(accuracies), details=False)
    return evidence(with_scores(run, lambda job: accuracies[job.method]))


def spoken(body: Evidence) -> str:
    return "".join(s if isinstance(s, str) else s.text for s in verdict(body, body.views["clean"]))


def test_verdicts_follow_the_results() -> None:
    assert spoken(constant({"rfm": 90.0, "laplace": 80.0, "ntk": 95.0, "mlp": 90.0})) == (
        "Under clean, on 12 datasets (12 families, one seed), RFM averages 90.00 %. It is significantly better than "
        "Laplace kernel (Δ +10.00 ± 0.00 pp). It is significantly worse than NTK (Δ −5.00 ± 0.00 pp). No significant "
        "difference from MLP (Δ 0.00 ± 0.00 pp)."
    )
    two_datasets = spoken(constant({"rfm": 90.0, "laplace": 50.0}, datasets=2))
    assert "It is not significantly different from Laplace kernel (Δ +40.00 ± 0.00 pp)." in two_datasets


@pytest.mark.usefixtures("drawn")
def test_one_family_has_no_interval_in_words() -> None:
    body = constant({"rfm": 90.0, "laplace": 50.0, "mlp": 60.0})
    body = replace(body, about=dict.fromkeys(body.datasets, About(family="one", relation="the same rows")))
    assert "on 12 datasets (1 family, one seed)" in spoken(body)
    assert "It is not significantly different from any other method: MLP (Δ +30.00 pp)" in spoken(body)
    document = compose(body)
    found = tables(document)
    assert "All datasets are of one family: there is no interval, and no test." in found["clean-summary"].note
    assert texts(found["clean-comparisons"])[0][1:6] == ["+40.00", "–", "12 / 0 / 0", "1.00", "not significant"]
    assert "Family: one (the same rows), with t1, t10, t11, t2" in words(document, "dataset-t0")
    assert not re.search(r"\bnan\b", render_markdown(document).lower())


@pytest.mark.parametrize(
    ("title", "accuracies"),
    {
        "RFM alone: mean accuracy 90.00 %": {"rfm": 90.0},
        "RFM is first of 2 by mean accuracy, significantly better than MLP": {"rfm": 90.0, "mlp": 80.0},
        "RFM shares first place of 2 by mean accuracy, not significantly different from MLP": {"rfm": 9.0, "mlp": 9.0},
        "RFM shares first place of 3 by mean accuracy, significantly better than 1 of the others": {
            "rfm": 90.0, "mlp": 80.0, "ntk": 90.0
        },
        "RFM is first of 3 by mean accuracy, significantly better than all of the others": {
            "rfm": 90.0, "mlp": 80.0, "ntk": 70.0
        },
        "NTK is first of 3 by mean accuracy; RFM is 2nd, significantly better than 1 and worse than 1 of the others": {
            "rfm": 90.0, "mlp": 80.0, "ntk": 95.0
        },
        "Laplace kernel is first of 2 by mean accuracy": {"laplace": 90.0, "mlp": 80.0},
    }.items(),
)  # fmt: skip
def test_the_title_is_the_answer(title: str, accuracies: dict[str, float]) -> None:
    assert answer(constant(accuracies)) == title


def test_a_verdict_needs_rfm_and_says_why_there_is_none() -> None:
    def told(*methods: str) -> str:
        return spoken(evidence(make_run(TWELVE[:6], methods, failures=failed(TWELVE[:4], "rfm"))))

    assert "RFM has results on 2 of 6 datasets, too few to be compared: there is no verdict." in told(*TWO, "mlp")
    assert "has the highest mean accuracy" in told(*TWO, "mlp")
    assert "has the highest mean accuracy" not in told("rfm", "mlp")  # nobody is left to be higher than
    assert "RFM is not among the methods." in told("laplace", "mlp")


def seeded(*seeds: int, methods: Sequence[str] = (*TWO, "mlp")) -> list[RunRecord]:
    return [make_run(TWELVE, methods, seed=s, folder=f"results/{s}", split=f"seed-{s}", details=False) for s in seeds]


def test_several_seeds_are_averaged_and_their_spread_stands_next_to_every_comparison() -> None:
    runs = seeded(0, 1, 2)
    body = evidence(*runs)
    alone = [evidence(run).matrix("clean") for run in runs]
    pd.testing.assert_frame_equal(body.matrix("clean"), sum(alone[1:], alone[0]) / 3)
    lead = [float((matrix["rfm"] - matrix["laplace"]).mean()) for matrix in alone]
    document = compose(body)
    assert ("3", "seeds") in document.facts
    shown = tables(document)
    by_seed = column(shown["clean-comparisons"], "By seed")["Laplace kernel"]
    assert by_seed.text == f"{min(lead):+.2f} to {max(lead):+.2f}, one sign"
    assert f"by seed {min(lead):+.2f} to {max(lead):+.2f}" in spoken(body)
    assert all("By seed" in titles(shown[f"clean-{name}"]) for name in ("leaderboard", "pairs"))
    assert texts(shown["dataset-t0-clean"])[1][:2] == ["RFM", "1"]
    one = tables(compose(evidence(runs[0])))
    assert not any("By seed" in titles(table) for table in one.values())
    assert "12 families of datasets; one seed." in one["clean-summary"].note
    assert "Seed" not in titles(one["dataset-t0-clean"])


def test_only_common_seeds_count_and_what_is_left_out_is_said() -> None:
    runs = [*seeded(0, 1, methods=TWO), *seeded(1, methods=["mlp"]), *seeded(7, methods=["ntk"])]
    document = compose(evidence(*runs))
    note = tables(document)["clean-summary"].note
    assert "NTK has results on 0 of 12 datasets only: not in this table." in note
    left_out = "Left out: Laplace kernel, seed 0: t0, t1, t10, t11, ... (12 in all); NTK"
    assert f"only the common ones count. {left_out}" in note
    assert "NTK, seed 7, which counts as missing" in note
    assert "other seeds" in words(document, "clean-accuracy")
    assert left_out in words(document, "notes")


@pytest.mark.parametrize(
    ("folds", "change", "said"),
    [
        ((), {}, r"Trace of M: [\d.]+ \(fold 1\), "),
        ((0,), {"metric_diagonal": 1e-9}, "On fold 1 M has all but vanished"),
        ((0,), None, r"mean over 3 of 4 test folds; on the others RFM selected iteration 0.*of M on fold 2"),
        ((0, 1, 2, 3), None, "there is no learned metric to show"),
    ],
)
def test_a_metric_that_has_vanished_or_is_not_there_is_called_so(
    folds: tuple[int, ...], change: dict[str, float] | None, said: str
) -> None:
    """Of RFM's hold-outs in ``folds`` the learned metric is smaller, or is none."""

    def changed(_: JobResult, h: HoldoutResult) -> HoldoutResult:
        if h.holdout not in folds or not h.details:
            return h
        if change is None:
            return replace(h, iteration=0, details={})
        return replace(h, details=h.details | {key: [by * v for v in h.details[key]] for key, by in change.items()})

    page = str(compose(evidence(with_holdouts(make_run(["iris"], TWO), changed))))
    assert re.search(said, page, re.DOTALL)
    assert ("vanished" in page, "no learned metric to show" in page) == ("vanished" in said, "no learned" in said)


def test_equal_comparisons_are_shown_once_and_one_method_is_none() -> None:
    """Group tables over the same common datasets, and over a single method."""
    names, failures = ["iris", "wine", "letter", "adult"], failed(["letter", "adult"], "laplace")
    groups = sections(compose(evidence(make_run(names, TWO, failures=failures))))["clean-groups"].blocks
    assert not [b for b in groups if isinstance(b, Table)]
    assert "has results of one method only" in str(groups)


NO_RESULT = failed(["iris"], "rfm", status="error", reason="MethodError: one class")
THIN = {
    "one job": (evidence(make_run(["iris"], ["rfm"])), "Fewer than 10 common datasets"),
    "one dataset": (evidence(make_run(["iris"], TWO)), "Fewer than 10 common datasets"),
    "one method without a comparison": (evidence(make_run(["iris", "wine"], ["laplace"])), "Fewer than 10 common"),
    "no reference": (evidence(make_run(["iris"], ["mlp", "ntk"])), "Fewer than 10 common datasets"),
    "all equal": (constant({"rfm": 90.0, "laplace": 90.0, "mlp": 90.0}), "not significantly different from any other"),
    "no result": (evidence(make_run(["iris"], ["rfm"], failures=NO_RESULT)), "MethodError: one class"),
}


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize(("body", "said"), THIN.values(), ids=THIN)
def test_thin_runs_still_give_a_report(tmp_path: Path, body: Evidence, said: str) -> None:
    page = write_report(body, tmp_path / "out").html.read_text(encoding="utf-8")
    assert said in page
    assert not re.search(r"\bnan\b", page.lower())
    assert "no dataset with a result of every method" not in page
    assert ("has no result at all" in page) == ("MethodError" in said)


@pytest.mark.parametrize("protocol", ["published", "clean-cv"])
def test_one_protocol_alone_is_its_own_headline(protocol: str) -> None:
    document = compose(evidence(make_run(TWELVE, TWO, [protocol])))
    assert [s.anchor for s in document.sections[:2]] == ["verdict", "results"]
    assert [s.anchor for s in document.sections[1].children] == [protocol]
    assert ("carries test labels" in words(document, "notes")) == (protocol == "published")


def test_datasets_without_any_result_are_not_counted_as_compared() -> None:
    found = compose(evidence(make_run(["iris", "wine"], TWO, failures=failed(["wine"], *TWO))))
    assert found.facts[0] == ("1", "of 4 datasets")


def test_what_is_not_known_of_a_job_is_never_its_methods_largest() -> None:
    """As of jobs that had more test folds (--against)."""
    run = make_run(["iris", "letter", "wine"], ["rfm"])
    costs = [(math.nan, math.nan), (7.0, 300.0), (5.0, 400.0)]
    results = tuple(replace(r, job_seconds=s, peak_rss_mb=mb) for r, (s, mb) in zip(run.results, costs, strict=True))
    (row,) = texts(tables(compose(evidence(replace(run, results=results))))["cost"])
    assert row[4:8] == ["\u2013", "7.00", "letter", "400"]


def test_the_cost_section_counts_fits_by_solver() -> None:
    run = make_run(["iris", "wine"], ["rfm", "xgboost"])
    solvers = {"iris": "cholesky", "wine": "eigenpro"}

    def solved(r: JobResult, h: HoldoutResult) -> HoldoutResult:
        return replace(h, details=h.details | ({"solver": solvers[r.job.dataset]} if r.job.method == "rfm" else {}))

    shown = [row[1:] for row in texts(tables(compose(evidence(with_holdouts(run, solved))))["solvers"])]
    assert sorted(shown) == [["clean", "cholesky", "4", "iris"], ["clean", "eigenpro", "4", "wine"]]
    assert "solvers" not in tables(compose(evidence(run)))


def test_results_of_before_a_rule_for_ties_say_so() -> None:
    """Where they are shown, where they are warned of, and in what a step between protocols changes."""
    run = make_run(TWELVE[:8], TWO, ["clean", "clean-cv"])
    older = replace(run, provenance={**run.provenance, "ties": {"clean": "order"}})
    page = render_markdown(compose(evidence(older)))
    assert "Some of these results are older: in them equal ones go to the earlier grid entry." in page
    assert "`clean`: some results are older" in page
    assert "ties to the smaller Brier score" in page
    assert "ties to the smaller Brier score" not in render_markdown(compose(evidence(run)))


@pytest.mark.usefixtures("drawn")
def test_nothing_in_common_is_said_and_not_averaged() -> None:
    failures = failed(["iris"], "rfm") | failed(["wine"], "laplace")
    document = compose(evidence(make_run(["iris", "wine"], TWO, failures=failures)))
    assert "no dataset with a result of every method" in words(document, "notes")
    assert "clean-summary" not in tables(document)
    assert len(tables(document)["failures"].rows) == 2


def test_planned_jobs_are_counted_by_method_and_protocol() -> None:
    """``mine`` is a method of the user's own that was planned alone."""
    run = make_run([f"t{i:02d}" for i in range(20)], ["rfm", "mine"], ["clean", "clean-cv"])
    begun = [r for r in run.results if r.job.method == "rfm" and (r.job.protocol == "clean" or r.job.dataset < "t03")]
    shown = tables(compose(evidence(replace(run, results=tuple(begun)))))
    assert "failures" not in shown
    undone = shown["undone"]
    assert undone.caption == "57 jobs planned and not run"
    rows = texts(undone)
    assert [row[:3] for row in rows] == [["mine", "clean", "20"], ["mine", "clean-cv", "20"], ["RFM", "clean-cv", "17"]]
    assert rows[2][3].startswith("t03, t04, t05, ")
    assert "17" in rows[2][3]


def test_tables_that_could_not_be_read_are_of_no_folds() -> None:
    shown = texts(tables(compose(evidence(*beside_unread("published"))))["sources"])
    assert shown == [["archive", "published", "2"], ["archive", "none: the table could not be read", "1"]]


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
    command = PROVENANCE["command"]
    assert texts(found["invocations-grown"]) == [["Monday", "1", "aaa", command], ["Tuesday", "2", "bbb", command]]
    recorded = {row[0]: row[1] for row in texts(found["provenance-grown"])}
    assert {name: recorded[name] for name in ("cores", "cpu", "archive sha256", "source")} == {
        "cores": "2 (started Monday); 16 (started Tuesday)",
        "cpu": PROVENANCE["cpu"],
        "archive sha256": f"{'ab' * 32} (started Monday); not recorded (started Tuesday)",
        "source": "not recorded (started Monday); – (started Tuesday)",
    }


def test_runs_in_folders_of_one_name_keep_their_own_provenance() -> None:
    runs = [make_run(["iris"], [method], folder=f"{method}/same") for method in TWO]
    assert {"invocations-same", "invocations-same-2"} <= set(tables(compose(evidence(*runs))))


@pytest.mark.usefixtures("drawn")
def test_difference_and_error_reduction_stand_over_one_size_axis() -> None:
    body = evidence(make_run([f"t{i}" for i in range(25)], TWO))
    section, matrix = sections(compose(body))["clean-laplace"], body.matrix("clean")
    errors = 100 - matrix
    reduction = 100 * (errors["laplace"] - errors["rfm"]) / errors.max(axis=1)
    for quantity in ("rows", "features"):
        figure = figures(section)[f"clean-laplace-by-{quantity}"]
        table = pd.read_csv(io.StringIO(figure.data), index_col="dataset")
        assert table["x"].to_dict() == body.sizes[quantity].to_dict()
        assert table["difference_points"].to_dict() == pytest.approx((matrix["rfm"] - matrix["laplace"]).to_dict())
        assert table["reduction_percent"].to_dict() == pytest.approx(reduction.to_dict())
        assert figure.svg.count('class="trend"') == 2


def test_reported_figures_all_have_a_source_and_none_is_only_recalled() -> None:
    printed = load_printed()
    assert {item.known for item in printed} <= set(KNOWN) == {"read", "computed", "secondary"}
    assert all(item.source for item in printed)
    unverified = {"85.37", "83.76", "82.70", "81.95", "88.89", "72.22", "95.72", "28.34", "80.88", "81.02"}
    assert not unverified & {item.figure for item in printed}


def test_every_text_is_used_and_every_used_one_is_there() -> None:
    sources = Path(wording.__file__).parent.rglob("*.py")
    used = set(re.findall(r"(?:prose\(|texts\(\)\[)\s*[\"']([\w-]+)", "".join(p.read_text("utf-8") for p in sources)))
    assert used == set(wording.texts())
