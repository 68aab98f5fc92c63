"""The page's section among the published runs of the benchmark, and the note at the top."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refusals import refused
from shown import figures, notices, sections, tables, titles
from synthetic_runs import make_regression_run, make_run, published_runs, with_jobs, with_scores

from bench.errors import ReportError
from bench.records.result import RunRecord
from bench.report.blocks import Cell, Document, Notice, Section
from bench.report.build import compose, gather, write_report
from bench.report.evidence import Evidence
from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.sections.grinsztajn import grinsztajn_section
from bench.stats.grinsztajn import Placement, PublishedRuns, placements, read_runs

pytestmark = pytest.mark.usefixtures("undrawn")
TABLES = ("pol", "house_16H", "nyc-taxi-green-dec-2016", "sulfur")
METHODS = ("rfm", "laplace", "xgboost", "mlp")
KEY = "grinsztajn-numerical-regression-medium"


def run() -> RunRecord:
    """On three tables of the published runs and one that they lack; the MLP fails on one, another part has none."""
    names = [f"{name}-num-reg" for name in ("pol", "house_16h", "sulfur", "sgemm")]
    made = make_regression_run(names, METHODS, source="openml", split="grinsztajn-medium")
    other = make_run(["rl-cat-clf"], METHODS, source="openml", split="grinsztajn-large", folder=made.folder)
    failed = [
        replace(r, status="error", reason="broken", holdouts=()) if r.job.id.startswith("pol-num-reg/mlp") else r
        for r in made.results
    ]
    return replace(made, results=(*failed, *other.results), planned=(*made.planned, *other.planned))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> PublishedRuns:
    file = tmp_path_factory.mktemp("published") / "runs.csv"
    published_runs(TABLES).to_csv(file, index=False)
    return read_runs(file)


@pytest.fixture(scope="module")
def evidence(published: PublishedRuns) -> Evidence:
    return gather([run()], published_runs=published)


@pytest.fixture(scope="module")
def document(evidence: Evidence, undrawn: None) -> Document:
    return compose(evidence)


@pytest.fixture(scope="module")
def placement(evidence: Evidence, published: PublishedRuns) -> Placement:
    return placements(published, evidence.scores)[0][0]


def part(document: Document) -> Section:
    (found,) = sections(document)["grinsztajn"].children
    assert (found.anchor, found.title) == (KEY, "Numerical regression, medium")
    return found


def table(document: Document, name: str) -> dict[str, list[Cell]]:
    """Rows by what stands in the first column."""
    found = tables(part(document))[f"{KEY}-{name}"]
    assert titles(found)[1:] == ["1", "10", "100", "all 130"]
    return {row[0].text: list(row[1:]) for row in found.rows}


OURS = {"RFM (ours)": "rfm", "Laplace kernel (ours)": "laplace", "XGBoost (ours)": "xgboost"}
THEIRS = {"FT Transformer", "Hist Gradient Boosting Tree", "MLP", "Random Forest", "Resnet", "XGBoost"}


def test_scores_and_places_are_those_of_the_statistics(document: Document, placement: Placement) -> None:
    scores, places = table(document, "scores"), table(document, "places")
    assert set(scores) == THEIRS | set(OURS)
    series = {row[0].series for row in tables(part(document))[f"{KEY}-scores"].rows}
    assert len(series) == len(scores)  # told apart without colours
    names = OURS | {name: name for name in THEIRS} | {"Random Forest": "RandomForest"}
    names["Hist Gradient Boosting Tree"] = "HistGradientBoostingTree"
    for name, row in scores.items():
        assert [cell.value for cell in row] == list(placement.table.loc[names[name]])
    assert list(scores) == sorted(scores, key=lambda name: -placement.table["all"][names[name]])
    for name, row in places.items():
        assert [cell.value for cell in row] == list(placement.places.loc[OURS[name]])
        assert {cell.text.split(" of ")[1] for cell in row} == {"7"}
    assert set(places) == set(OURS)


def test_the_figure_shows_the_curves_and_our_level_lines(document: Document, placement: Placement) -> None:
    (figure,) = figures(part(document)).values()
    drawn = pd.read_csv(io.StringIO(figure.data), index_col="name")
    steps = [1, 2, 3, 5, 10, 20, 30, 50, 100, 130]
    assert list(drawn.loc["Random Forest", "x"]) == steps
    for kind, column in (("mean", "value"), ("low", "low"), ("high", "high")):
        curve = getattr(placement.curves, kind)["RandomForest"]
        np.testing.assert_allclose(drawn.loc["Random Forest", column], curve[steps])
    assert list(drawn.loc["RFM (ours)", "x"]) == [1, 130]
    np.testing.assert_allclose(drawn.loc["RFM (ours)", "value"], placement.ours["rfm"])
    assert set(drawn.index) == THEIRS | set(OURS)


def test_what_one_side_lacks_is_named_and_the_protocol_is_that_of_these_divisions(document: Document) -> None:
    told = ["".join(map(str, b.spans)) for b in part(document).blocks if isinstance(b, Notice)]
    assert told == [
        "In the published runs, but without a result here: nyc-taxi-green-dec-2016.",
        "Run here, but not in the published runs: sgemm.",
        "MLP (ours) is left out: no result on pol.",
    ]
    (unplaced,) = (b for b in sections(document)["grinsztajn"].blocks if isinstance(b, Notice))
    assert unplaced.spans == ("Categorical classification, large is not compared: the published runs have none on rl.",)
    page = render_markdown(document)
    assert "Of the file's rows 1 have no score or no time" in page
    assert "Each division brings a validation part of its own, which selects" in page
    assert "80/20" not in page


def test_the_answer_names_the_best_of_ours_and_the_reference(document: Document, placement: Placement) -> None:
    (span,) = part(document).blocks[0].spans
    words = str(span)
    assert words.startswith("On 3 of the benchmark's 4 datasets, next to the 6 published models after all 130 ")
    place = placement.places["all"]["rfm"]
    assert f"RFM (ours) has {placement.ours['rfm']:.3f} and would be number {place} of 7" in words
    best = {method: name for name, method in OURS.items()}[str(placement.ours.idxmax())]
    assert f"{best} has {placement.ours.max():.3f}" in words


def test_a_method_far_below_is_told_and_not_drawn(tmp_path: Path) -> None:
    made = make_run(["pol-num-clf"], ["rfm", "laplace"], source="openml", split="grinsztajn-medium")
    made = with_scores(made, lambda job: {"rfm": 80.0, "laplace": -900.0}[job.method])
    file = tmp_path / "runs.csv"
    published_runs(["pol"], part="numerical_classification_medium").to_csv(file, index=False)
    section = grinsztajn_section(gather([made], published_runs=read_runs(file)))
    assert section is not None
    (figure,) = figures(section).values()
    assert "Too low for this figure: Laplace kernel (ours) \u2212" in figure.caption
    assert "RFM (ours)" in figure.data
    assert "Laplace" not in figure.data


def test_other_divisions_are_refused(published: PublishedRuns) -> None:
    made = make_regression_run(["pol-num-reg"], METHODS, source="openml", split="openml-task-1")
    evidence = gather([made], published_runs=published)
    refused(ReportError, "no result here is on a table of the benchmark", grinsztajn_section, evidence)


def test_the_note_stands_at_the_top_of_all_three(tmp_path: Path) -> None:
    evidence = gather([make_regression_run(["a", "b"], ["rfm", "laplace"])])
    files = write_report(evidence, tmp_path, " raw <copies>\nof *tables* ")
    assert "**Note.**" not in render_markdown(compose(evidence))
    assert "<strong>Note.</strong>" not in render_html(compose(evidence))
    line = r"> **Note.** raw &lt;copies&gt; of \*tables\*"
    assert files.markdown.read_text(encoding="utf-8").splitlines()[2] == line
    assert (tmp_path / "datasets.md").read_text(encoding="utf-8").splitlines()[0] == line
    header = files.html.read_text(encoding="utf-8").partition("</header>")[0]
    assert '<p class="notice warning" role="note"><strong>Note.</strong> raw &lt;copies&gt;\nof *tables*</p>' in header


def test_on_how_many_rows_ours_chose_is_what_their_jobs_say(published: PublishedRuns, document: Document) -> None:
    words = "chosen on at most 5,000 rows"
    reduced = with_jobs(run(), ["pol-num-reg", "sgemm-num-reg"], reduction=words)
    section = grinsztajn_section(gather([reduced], published_runs=published))
    assert section is not None
    (said,) = section.children
    (note,) = (b for b in said.blocks if isinstance(b, Notice) and b.level == "note")
    assert str(note.spans[0]).startswith(f"On 1 dataset our hyperparameters were {words} of the training part")
    assert "the published runs chose on all" in notices(said)
    assert not [b for b in part(document).blocks if isinstance(b, Notice) and b.level == "note"]
