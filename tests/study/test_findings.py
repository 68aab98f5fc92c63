"""What the reports conclude follows from the figures; targets, intervals and drawings are what they say."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import pytest
from outcomes import blocks_of, ok

from bench.records.result import JobResult
from bench.report.blocks import Figure, Table
from bench.report.figures.curves import Axis, Curve, Point, curves
from bench.report.wording import DASH
from bench.store import Store, read_run
from bench.study.cell import Cell, Outcome
from bench.study.claims import SignTest
from bench.study.figures import Phases, phase_diagram
from bench.study.lin_rfm import findings as lin_rfm
from bench.study.lin_rfm import scale
from bench.study.lin_rfm.sections.completion_claims import completion_claims
from bench.study.lin_rfm.sections.methods import SERIES
from bench.study.lin_rfm.sections.ratings import ratings_claims
from bench.study.lin_rfm.sections.regression import regression_claims
from bench.study.lin_rfm.sections.speed import TIMED, speed_claims, timing_section
from bench.study.low_rank import findings as low_rank
from bench.study.low_rank.cells import STUDY as LOW_RANK
from bench.study.low_rank.claims import ByDimension, Judged, dimension_claims, overall
from bench.study.low_rank.compute import TARGETS, alignment, draw
from bench.study.plan import study_plan
from bench.study.report import outcomes_of, results_csv, write_study
from bench.study.summary import band_words, mean_point, share_point

Errors: TypeAlias = float | tuple[float, float]
"""At tested and at held-out entries; one number is both."""


def rmse(errors: Errors) -> dict[str, Any]:
    test, held_out = errors if isinstance(errors, tuple) else (errors, errors)
    return {"rmse": test, "held_out_rmse": held_out}


def sparse(ours: float, network: float, problems: int = 9, open_: bool = False) -> Outcome:
    errors = dict.fromkeys(("lin-RFM 0.5", "lin-RFM 0.25", "Lasso", "OMP", "network 2", "network 3", "network 4"), 1.0)
    errors |= {"lin-RFM 0.5": ours, "network 3": network}
    unfinished = {f"network {depth}": [open_ and depth == 4] * problems for depth in (2, 3, 4)}
    values = {"errors": {k: [v] * problems for k, v in errors.items()}, "unfinished": unfinished}
    return ok("sparse", {"n": 10, "nonzeros": 2, "d": 40, "problems": problems}, values)


MATRIX = {"size": 9, "rank": 1, "density": 0.1}


def completed(methods: dict[str, Errors], seed: int = 0, *, kind: str = "completion", **more: Any) -> Outcome:
    """A matrix on which each method has these errors; ``more`` is of networks."""
    values = {name: rmse(errors) | (more if name.startswith("network") else {}) for name, errors in methods.items()}
    return ok(kind, MATRIX | ({"noise": 0.3} if kind == "noise" else {}), values, seed)


@pytest.mark.parametrize(
    ("problems", "verdict"),
    [
        # Networks that have not ended decide nothing: six wins are enough, of others it is not known.
        ([sparse(0.0, 1.0, 9, open_=True)], "undecided"),
        ([sparse(0.0, 1.0, 6), sparse(0.0, 1.0, 3, open_=True)], "holds"),
        ([sparse(0.0, 1.0, 6), sparse(1.0, 1.0, 4, open_=True)], "undecided"),
        # One that has recovered already needs no end.
        ([sparse(0.0, 1.0, 6), sparse(1.0, 0.0, 0), sparse(0.0, 0.0, 9, open_=True)], "holds"),
    ],
)
def test_networks_that_have_not_ended_can_turn_the_verdict_on_sparse_regression(
    problems: list[Outcome], verdict: str
) -> None:
    assert regression_claims(problems)[0].verdict == verdict


@pytest.mark.parametrize(
    ("wins", "losses", "verdict"),
    [
        (0, 0, "undecided"), (5, 0, "undecided"), (6, 0, "holds"), (0, 6, "does not hold"), (7, 6, "undecided"),
        (40, 20, "holds"), (20, 40, "does not hold"),
    ],
)  # fmt: skip
def test_one_rule_decides_all_comparisons(wins: int, losses: int, verdict: str) -> None:
    assert SignTest(wins, losses).verdict == verdict
    assert SignTest(losses, wins).p == SignTest(wins, losses).p
    gains = [1] * wins + [-1] * losses + [0] * 3

    def matrices(*rivals: str, kind: str = "completion") -> list[Outcome]:
        ours, theirs = ("as published 1/2", "as published 1", "lin-RFM alternating"), ("network 2", "network 4")
        others = dict.fromkeys((*theirs, "network 3", *rivals), 0.5)
        return [
            completed({**dict.fromkeys(ours, 0.5 - 0.1 * gain), **others}, seed, kind=kind)
            for seed, gain in enumerate(gains)
        ]

    rivals = completion_claims([*matrices("ALS"), *matrices("ALS", kind="noise")])[4:]
    networks = [*completion_claims(matrices())[1:3], completion_claims(matrices(kind="noise"))[3]]
    functions = [
        ok("regression", {**PRODUCT, "method": method}, {"r2": 0.5 + 0.1 * gain * (method == "RFM")}, seed)
        for method in ("RFM", "Laplace", "NTK", "MLP")
        for seed, gain in enumerate(gains)
    ]
    problems = [sparse(0.0, 1.0, wins), sparse(1.0, 0.0, losses), sparse(0.0, 0.0, 4)]
    found = [*networks, *rivals, *(one.overall for one in dimension_claims(functions)[:2])]
    assert [claim.verdict for claim in (*found, regression_claims(problems)[0])] == [verdict] * 8


PRODUCT = {"target": "product", "d": 5, "train": 1, "test": 1, "noise": 0.1}


def test_exact_recovery_stands_beside_the_loose_one_and_networks_that_have_not_ended_are_counted() -> None:
    measured = regression_claims([sparse(1e-4, 1e-2, 5)])[0].measured
    assert "recovers 100.0 %" in measured
    assert "To 0.1 % instead of 5 %: 100.0 % and 0.0 %" in measured
    assert "trained to their end: 0 of 9" in regression_claims([sparse(0.0, 1.0, 9, open_=True)])[0].measured


def setting(half: Errors | None, one: Errors | None, seed: int = 0) -> list[Outcome]:
    """The published setting's matrix ``seed``: the published iteration with both powers, and our two forms."""
    errors = {"lin-RFM alternating": 1e-7, "lin-RFM columns": 0.5, "as published 1/2": half, "as published 1": one}
    matrix = {"size": 9, "rank": 1, "count": 5}
    return [ok("published", {**matrix, "method": m}, rmse(e), seed) for m, e in errors.items() if e is not None]


@pytest.mark.parametrize(
    ("cells", "verdict"),
    [
        ([*setting(1e-3, 1e-3, 1), *setting(0.2, 1e-3)], "holds"),
        ([*setting(1e-3, 1e-3, 1), *setting(0.2, 0.2)], "holds in part"),
        # The power is not chosen by what is tested.
        ([*setting(1e-3, 1e-3, 1), *setting((0.2, 1e-3), (1e-3, 0.2))], "holds in part"),
        (setting(0.2, 0.2), "does not hold"),
        # A matrix of which one power failed is left out, and the others are judged.
        ([*setting(1e-3, 1e-3, 1), *setting(0.2, None)], "holds"),
        (setting(None, None), "not measured"),
    ],
)
def test_the_published_setting_is_judged_by_the_published_iteration(cells: list[Outcome], verdict: str) -> None:
    assert completion_claims(cells)[0].verdict == verdict


@pytest.mark.parametrize(("ours", "verdict"), [(0.01, "holds"), (0.5, "does not hold")])
def test_networks_compete_with_the_depth_that_held_out_entries_choose(ours: float, verdict: str) -> None:
    """The smaller error lies above the best depth's and below the chosen one's."""
    methods = {"as published 1": ours, "lin-RFM alternating": ours, "network 2": (0.001, 0.9), "network 3": (0.1, 0.2)}
    assert completion_claims([completed(methods, seed) for seed in range(8)])[1].verdict == verdict


def test_networks_that_were_cut_off_are_counted_and_win_for_nobody() -> None:
    def cells(ours: float, *seeds: int, cut_off: bool = False) -> list[Outcome]:
        methods = {"as published 1": ours, "network 2": 0.1, "network 3": 0.1}
        more = {"cut_off": False, "steps_at_most": 1234, "chosen": {"start": 1e-5}}
        found = [completed(methods, seed, **more) for seed in seeds]
        for outcome in found:
            outcome.values["network 3"] |= {"cut_off": cut_off, "chosen": {"start": 1e-9}}
        return found

    might_be_a_loss = cells(0.01, 30, cut_off=True)
    all_wins_or_all_losses = cells(0.01, *range(10), cut_off=True)
    tried = (
        (6, [], "holds"),
        (6, might_be_a_loss, "undecided"),
        (20, might_be_a_loss, "holds"),
        (6, cells(0.2, 30, cut_off=True), "undecided"),
        (0, all_wins_or_all_losses, "undecided"),
    )
    found = [completion_claims([*cells(0.01, *range(wins)), *more])[1] for wins, more, _ in tried]
    assert [claim.verdict for claim in found] == [verdict for *_, verdict in tried]
    assert (
        "Of 14 networks (a depth, a matrix) 13 ended within their 1,234 steps, their entries fitted to 0.01."
        in found[1].measured
    )
    assert "Starts chosen: 1e-05 by 7, 1e-09 by 7." in found[1].measured


def test_matrices_that_both_recover_are_ties_and_errors_with_noise_have_their_interval() -> None:
    methods = {"lin-RFM alternating": 1e-8, "soft-impute": (0.0, 1.0)}  # which is never the one chosen
    tied, better = (
        completion_claims([completed({**methods, "ALS": other}, seed) for seed in range(9)])[4]
        for other in (1e-5, 0.01)
    )
    assert (tied.verdict, better.verdict) == ("undecided", "holds")
    assert "recovered by both 9" in tied.measured
    assert "only lin-RFM 9, only one of the others 0 (sign test p 0.004)" in better.measured
    hopeless, half = (
        completion_claims([completed({"lin-RFM alternating": ours, "ALS": 0.96}, seed) for seed in range(9)])[4]
        for ours in (0.95, 0.49)
    )
    assert (hopeless.verdict, half.verdict) == ("undecided", "holds")
    assert "Lower error on 0 of 9 matrices, higher on 0, above 0.5 by both 9" in hopeless.measured
    noisy = [
        completed({"lin-RFM alternating": error, "network 3": error}, seed, kind="noise")
        for seed, error in enumerate((0.1, 0.2, 0.3))
    ]
    words = "10 % observed: alternating 0.200 ± 0.248, networks 0.200 ± 0.248"
    assert words in completion_claims(noisy)[3].measured


@pytest.mark.parametrize(
    ("ours", "plain", "decomposed", "verdict"),
    [
        (1.0, 2.0, 3.0, "holds"),
        (1.0, 1.05, 3.0, "holds in part"),
        (1.0, None, None, "holds"),  # IRLS never gets there
        (1.0, 2.0, 1.05, "does not hold"),
        (None, None, None, "does not hold"),
    ],
)
def test_faster_is_less_time_to_every_error_on_every_size(
    ours: float | None, plain: float | None, decomposed: float | None, verdict: str
) -> None:
    def timing(size: int, *seconds: float | None) -> Outcome:
        found = {}
        for name, s in zip(("lin-RFM", "IRLS-0", "IRLS-1"), seconds, strict=True):
            once = s and {"seconds": s, "iterations": 3, "decay": 0.9}
            found[name] = {"reached": dict.fromkeys(("0.001", "1e-06"), once)}
        return ok("timing", {"size": size, "repeats": 1}, {"methods": found})

    claim = speed_claims([timing(100, 1.0, 2.0, 3.0), timing(200, ours, plain, decomposed)])[0]
    assert claim.verdict == verdict
    assert "100 x 100: 3.0 to 0.001, 3.0 to 1e-06" in claim.measured


def test_a_large_matrix_that_failed_is_not_completed_and_memory_is_what_the_fit_added() -> None:
    parameters = {"rows": 2100, "cols": 2100, "rank": 1, "count": 100, "max_rank": None}
    values = {"seconds": 3.0, "cpu_seconds": 3.0, "rmse": 1e-7, "peak_mb": 700.0, "before_mb": 580.0}
    done = ok("scale", parameters, values)
    failed = Outcome(Cell("scale", {**parameters, "rows": 21000}), "timeout", {}, "took too long")
    claims = [speed_claims(some)[1] for some in ([done], [done, failed], [failed], [])]
    assert [claim.verdict for claim in claims] == ["holds", "holds in part", "does not hold", "not measured"]
    for words in ("120 MB", "Holds if the error is below 0.01 on all of them"):
        assert words in claims[0].measured
    assert "21,000 x 2,100 (44.1 million missing, dense): failed" in claims[1].measured


TIMING = {"reached": {"0.001": {"seconds": 1.0, "iterations": 3}}, "error": 1e-3, "ms_an_iteration": 1.0}


def test_the_page_says_how_often_each_matrix_was_timed() -> None:
    runs = [
        ok("timing", {"size": size, "repeats": count}, {"methods": dict.fromkeys(TIMED, TIMING)})
        for size, count in ((30, 1), (20, 2))
    ]
    table = next(block for block in timing_section(runs).blocks if isinstance(block, Table))
    assert table.note == "Median of runs, by matrix: 2 at 20 x 20, 1 at 30 x 30."


def test_the_peak_is_read_in_the_system_s_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kilobytes on Linux, bytes on macOS."""
    usage = SimpleNamespace(ru_maxrss=3 << 20)
    monkeypatch.setattr(scale, "resource", SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: usage))
    monkeypatch.setattr(scale, "status_bytes", lambda name: 0)
    for platform, megabytes in (("linux", 3072.0), ("darwin", 3.0)):
        monkeypatch.setattr(scale, "sys", SimpleNamespace(platform=platform))
        assert scale._peak_mb() == megabytes


def test_ratings_are_judged_in_every_division_by_what_held_out_ratings_choose() -> None:
    """The form with the least error at the tested ratings is never the one that held-out ratings choose."""

    def verdict(ours: float, seed_1: float) -> str:
        others = {"lin-RFM columns": rmse((0.5, 0.99)), "soft-impute": rmse((0.5, 0.99)), "ALS": rmse(0.92)}
        others["means"] = {"rmse": 0.94}
        divisions = [
            ok("movielens", {"test": 0.1}, {"methods": {"lin-RFM alternating": rmse((error, 0.91)), **others}}, seed)
            for seed, error in enumerate((ours, seed_1))
        ]
        return ratings_claims(divisions)[0].verdict

    expected = {
        (0.91, 0.91): "holds",
        (0.91, 0.925): "holds in part",  # worse in one division
        (0.9195, 0.9195): "holds in part",  # lower, by less than the margin
        (0.93, 0.93): "holds in part",
        (0.9395, 0.9395): "undecided",
        (0.95, 0.95): "does not hold",
    }
    assert {errors: verdict(*errors) for errors in expected} == expected


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_targets_have_unit_variance_and_depend_on_their_subspace_only(target: Any) -> None:
    X, y, _, _, U = draw(target.name, 6, 200_000, 5, 0.0, 1)
    assert np.var(y) == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(U.T @ U, np.eye(U.shape[1]), atol=1e-12)
    np.testing.assert_allclose(target.values(X @ U @ U.T @ U), y, atol=1e-9)


def test_alignment_is_one_for_the_span_and_chance_for_the_identity() -> None:
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.standard_normal((10, 3)))[0]
    turned = U @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    metric = turned @ np.diag([3.0, 2.0, 1.0]) @ turned.T + 1e-3 * np.eye(10)
    found = [alignment(M, U) for M in (metric, np.eye(10), np.eye(10) - U @ U.T)]
    assert found == pytest.approx([1.0, 0.3, 0.0], abs=1e-9)


def test_intervals() -> None:
    point = mean_point(1.0, [1.0, 2.0, 3.0])
    assert point.value == pytest.approx(2.0)
    assert point.high - point.value == pytest.approx(4.302653 / np.sqrt(3), rel=1e-5)
    assert mean_point(1.0, [1.0, 2.0]) == Point(1.0, 1.5, 1.0, 2.0)
    geometric = mean_point(1.0, [1e-2, 1.0], log=True)
    assert (geometric.value, geometric.low) == pytest.approx((0.1, 0.01))
    assert mean_point(1.0, [0.0, 1.0], log=True, floor=1e-4).low == pytest.approx(1e-4)
    share = share_point(1.0, 0, 10)
    assert share.low == pytest.approx(0.0, abs=1e-12)
    assert share.high == pytest.approx(0.2775, abs=1e-3)
    # Shading is named for what it is.
    assert band_words(1) == ""
    assert "range over the repeats" in band_words(2)
    assert "95 %" in band_words(3)


def test_a_claim_holds_if_it_holds_in_each_dimension() -> None:
    def claim(*gains_by_dimension: int) -> ByDimension:
        cells = [
            ok("regression", {"target": "product", "d": 5 * 2**k, "method": method}, {"r2": r2}, seed)
            for k, gain in enumerate(gains_by_dimension)
            for seed in range(6)
            for method, r2 in (("RFM", 0.5 + 0.1 * gain), ("MLP", 0.5))
        ]
        return dimension_claims(cells)[1]

    in_part = ((1, 0), (1, -1))
    expected = {(1, 1): "holds", **dict.fromkeys(in_part, "holds in part"), (0, -1): "does not hold"}
    expected |= {(0, 0): "undecided"}
    assert {gains: claim(*gains).overall.verdict for gains in expected} == expected
    assert claim(1, -1).overall.measured.startswith("Holds at d = 5; does not hold at d = 10.")
    assert overall({5: Judged("holds in part", ""), 10: Judged("does not hold", "")}) == "holds in part"


def test_edges_that_are_selected_are_counted() -> None:
    sizes = {**PRODUCT, "method": "Laplace"}
    values = {"r2": 0.5, "chosen": {"ridge": 10.0, "bandwidth": 30.0}}
    cells = [ok("regression", sizes, {**values, "at_edge": ["ridge"] if seed == 0 else []}, seed) for seed in range(4)]
    table = next(b for b in low_rank.find(cells).sections[1].blocks if isinstance(b, Table))
    assert "Above 10 %: Laplace's ridge (25 %)" in table.note
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["Laplace", "ridge", "1e-06 to 10", "25", DASH, "4"],
        ["Laplace", "bandwidth", "1 to 1000", "0", DASH, "4"],
    ]


ODD = '<b> & "c"'


def test_figures_are_well_formed_and_escape_their_names() -> None:
    points = (Point(1.0, 0.5, 0.2, 0.9), Point(10.0, 1e-3, 1e-4, 1e-2))
    drawn = [
        curves("c", "t", ODD, [Curve(ODD, 0, points)], Axis("x", log=True), Axis("y", log=True)),
        curves("c", "t", "c", [Curve("a", 9, points[:1])], Axis("x"), Axis("y", limits=(0.0, 0.4))),
        phase_diagram("p", "t", ODD, [Phases(ODD, {(1.0, 2.0): 0.0, (1.0, 3.0): 1.0, (4.0, 2.0): 0.5})] * 4, "x", "y"),
    ]
    for figure in drawn:
        root = ET.fromstring(figure.svg)
        assert not [e for e in root.iter() if e.tag.endswith("}b")]
        for name, limit in zip("xy", map(float, root.attrib["viewBox"].split()[2:]), strict=True):
            assert all(-1 <= float(e.attrib.get(name, 0.0)) <= limit + 1 for e in root.iter())
    assert drawn[0].data.splitlines()[1].startswith('"<b> & ""c"""')


def test_no_name_of_the_study_is_cut_in_a_legend() -> None:
    errors = {"rmse": 0.1, "held_out_rmse": 0.1, "iterations": 3, "cpu_seconds": 1.0}
    problems = sparse(0.0, 1.0)
    more = {"starts": [0.1], "seconds": dict.fromkeys(problems.values["errors"], 0.1)}
    cells = [
        ok("completion", MATRIX, dict.fromkeys(SERIES, errors)),
        ok("timing", {"size": 9, "repeats": 2}, {"methods": dict.fromkeys(TIMED, TIMING)}),
        replace(problems, values={**problems.values, **more}),
    ]
    drawn = blocks_of(lin_rfm.find(cells), Figure)
    assert len(drawn) >= 4
    assert not [figure.name for figure in drawn if "\u2026" in figure.svg + figure.phone]


def keep(folder: Path, outcomes: Sequence[Outcome], left: Sequence[Cell] = (), **provenance: Any) -> None:
    """A folder of the low-rank study in which all these cells are planned, and these ``outcomes`` are recorded."""
    cells = [*(o.cell for o in outcomes), *left]
    jobs = {t.job.dataset: t.job for t in study_plan(replace(LOW_RANK, cells=lambda quick: cells), quick=False).tasks}
    with Store(folder) as store:
        store.begin(list(jobs.values()), {"quick": False, **provenance})
        for o in outcomes:
            job = jobs[o.cell.name]
            store.record(JobResult(job, o.status, o.reason, values=dict(o.values), cpu_seconds=o.cpu_seconds))


def cubic(*dimensions: int) -> list[Cell]:
    settings = {"target": "cubic", "method": "RFM", "train": 9, "test": 9, "noise": 0.1}
    return [Cell("regression", {**settings, "d": d}) for d in dimensions]


DONE = {"r2": 0.9, "alignment": 0.95, "chosen": {}}


def test_a_partial_study_is_reported_as_such(tmp_path: Path) -> None:
    done, broken, large, absent, left = cubic(5, 9, 10, 11, 12)
    outcomes = [
        Outcome(done, "ok", DONE, cpu_seconds=20.4),
        Outcome(broken, "error", {}, reason=f"ValueError: {ODD}"),
        Outcome(large, "oom", {}, reason="too large"),
        Outcome(absent, "skipped", {}, reason="not here"),
    ]
    keep(tmp_path / "run", outcomes, [left], command="python -m bench study low-rank")
    files = write_study(LOW_RANK, tmp_path / "run", tmp_path / "out")
    page = files.html.read_text()
    counts = ("1 cell still without a result", "2 cells failed", "1 cell skipped")
    for words in (*counts, "20 seconds", "&lt;b&gt;", "python -m bench study low-rank"):
        assert words in page
    assert ODD not in page
    assert (tmp_path / "out" / "figures" / "cubic-r2.svg").exists()
    assert "No result yet" in files.markdown.read_text()
    rows = (tmp_path / "run" / "cells.csv").read_text().splitlines()
    assert len(rows) == 5
    assert results_csv([]).splitlines() == rows[:1]


def test_the_account_says_which_run_computed_what(tmp_path: Path) -> None:
    """Of a study that was resumed; runs of whose results nothing is left are not named."""
    cells = cubic(5, 6, 7)
    for day, done in enumerate((cells[:2], [], cells[2:])):
        outcomes = [Outcome(cell, "ok", DONE, cpu_seconds=60.0) for cell in done]
        left = [cell for cell in cells if cell not in done]
        keep(tmp_path / "run", outcomes, left, started=f"day {day}", commit=f"abc{day}")
    page = write_study(LOW_RANK, tmp_path / "run", tmp_path / "out").markdown.read_text()
    for words in (
        "last begun day 2",
        "2 cells in the run begun day 0, commit `abc0`",
        "1 cell in the run begun day 2, commit `abc2`",
        "3 minutes",  # 180 seconds
    ):
        assert words in page
    assert "abc1" not in page


def test_outcomes_are_in_the_order_of_the_study_and_of_its_latest_plan(tmp_path: Path) -> None:
    cells = cubic(10, 9, 5)
    keep(tmp_path, [Outcome(cell, "ok", DONE) for cell in cells])
    keep(tmp_path, [], cells[:2])
    study = replace(LOW_RANK, cells=lambda quick: cells)
    assert [o.cell for o in outcomes_of(study, read_run(tmp_path))] == cells[:2]
