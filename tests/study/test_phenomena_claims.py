"""What the report on the four phenomena concludes follows from the figures, and its small version makes a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from outcomes import blocks_of, computed, ok, pages

from bench.report.blocks import Figure, Table
from bench.study.cell import Cell, Outcome
from bench.study.claims import Claim
from bench.study.images import Images
from bench.study.phenomena.cells import STUDY, cells
from bench.study.phenomena.claims.faces import faces_claims
from bench.study.phenomena.claims.grokking import grokking_claims
from bench.study.phenomena.claims.simplicity import simplicity_claims
from bench.study.phenomena.claims.spurious import spurious_claims
from bench.study.phenomena.claims.tickets import savings, size_needed, tickets_claims
from bench.study.phenomena.findings import find
from bench.study.phenomena.reading import all_of, counted
from bench.study.phenomena.sections.grokking_networks import network_blocks
from bench.study.report import Findings


def test_parts_of_a_claim() -> None:
    parts = ("holds", "holds"), ("holds", "undecided"), ("undecided", "undecided"), ("holds", "does not hold")
    assert [all_of(list(p)) for p in parts] == ["holds", "holds in part", "undecided", "does not hold"]
    assert [counted(good, 4) for good in (4, 3, 2, 0)] == ["holds", "holds in part", "does not hold", "does not hold"]


Accuracies: TypeAlias = tuple[float, ...]
GROKS, PLAIN = (0.55, 0.9, 0.99), (0.55, 0.7, 0.7)


def rfm(test: Accuracies, seed: int = 0, *, patch: bool = True, train: float = 1.0) -> Outcome:
    parameters = {"images": "cifar10", "counts": [50, 500], "patch": [2, 7, 5] if patch else None}
    values = {"test": test, "train": [train, *[1.0] * (len(test) - 1)], "share": [0.003, 0.5, 0.8], "auc": [0.8] * 3}
    return ok("grokking-rfm", parameters, values, seed)


def groks(*with_patch: Accuracies, without: Accuracies = PLAIN, train: float = 1.0) -> list[Outcome]:
    """A run of RFM with the patch for each path of test accuracies, and one without it."""
    return [*(rfm(test, seed, train=train) for seed, test in enumerate(with_patch)), rfm(without, patch=False)]


def network(
    run: tuple[Accuracies, Accuracies], seed: int = 0, *, loss: float = 0.01, rate: float = 0.1, **more: Any
) -> Outcome:
    """Training and test accuracy ``run`` at five epochs; none of a network that ``diverged`` at an epoch."""
    parameters = {"images": "cifar10", "counts": [50, 500], "patch": [2, 7, 5], "outputs": 10, "rate": rate}
    values = {"epochs": [1, 10, 50, 200, 500], "train": run[0], "test": run[1], "loss": [0.1] * 4 + [loss]}
    both = {name: {"moved": [0.1, 0.9], "layer": [0.1, 0.1]} for name in ("cosines", "shares")}
    return ok("grokking-network", parameters, {**values, **both, "diverged": None, **more}, seed)


LATE = ((0.5, 1.0, 1.0, 1.0, 1.0), (0.5, 0.5, 0.6, 0.96, 0.99))
TOGETHER = ((0.5, 0.9, 1.0, 1.0, 1.0), (0.5, 0.8, 0.96, 0.97, 0.98))
SOON = ((0.5, 0.9, 0.9, 1.0, 1.0), (0.5, 0.5, 0.6, 0.7, 0.96))
NEVER = ((0.5, 0.9, 1.0, 1.0, 1.0), (0.5, 0.5, 0.6, 0.7, 0.7))
DIVERGED = network(((), ()), 1, rate=0.3, epochs=[], loss=0.0, diverged=2)


def networks(*runs: tuple[Accuracies, Accuracies]) -> list[Outcome]:
    return [network(run, seed) for seed, run in enumerate(runs)]


def learned(*ends: float) -> list[Outcome]:
    """Networks by the cosine in the end of what training has added to the first layer and M."""
    cosines = [{"moved": [0.2, end], "layer": [0.1, 0.1]} for end in ends]
    return [network(TOGETHER, seed, cosines=found) for seed, found in enumerate(cosines)]


def test_training_accuracy_and_networks_that_diverged_are_told() -> None:
    for train, words in ((0.99, "at least 99.0 %: with"), (1.0, "100 % at all: with")):
        assert f"training accuracy {words}" in grokking_claims(groks(GROKS, train=train))[0].measured
    for claim in grokking_claims([DIVERGED])[1:]:
        assert (claim.verdict, claim.measured) == ("not measured", "Every network with ten outputs diverged.")


def test_captions_count_the_networks_that_are_drawn() -> None:
    setting = {"width": 8, "batch": 4, "epochs": 500}
    runs = [
        replace(o, cell=replace(o.cell, parameters={**o.cell.parameters, **setting, "rate": 0.1}))
        for o in (network(TOGETHER, cosine_epochs=[1, 500]), DIVERGED)
    ]
    captions = [block.caption for block in network_blocks("cifar10", runs) if isinstance(block, Figure)]
    assert [caption.count("1 seed.") for caption in captions] == [1, 1]


def ticket(ours: float, kernel: float, seed: int = 0, n: int = 100, *, local: bool = False, **more: float) -> Outcome:
    """RFM-T's accuracy, and that of the kernel and RFM; random masks are worse than both."""
    parameters = {"images": "mnist", "classes": [4, 9], "n": n, **({"photos": "cifar10"} if local else {})}
    accuracies = {"RFM-T 1": ours, "Laplace": kernel, "RFM 1": kernel, "random mask": 0.5, **more}
    return ok("tickets", parameters, {"accuracy": accuracies, "kept": {"RFM-T 1": 9}}, seed)


def tickets(wins: int, losses: int, *, local: bool, **more: float) -> list[Outcome]:
    """Draws that RFM-T wins and loses against the kernel and RFM, and two ties."""
    rivals = [0.8] * wins + [1.0] * losses + [0.9] * 2
    return [ticket(0.9, rival, seed, local=local, **more) for seed, rival in enumerate(rivals)]


SIZES = (50, 100, 200, 400)


def test_saved_images_are_read_off_the_kernel_s_curve() -> None:
    found = [size_needed(SIZES, [0.6, 0.7, 0.8, 0.8], target) for target in (0.7, 0.75, 0.55, 0.81)]
    assert found == pytest.approx([100, 100 * 2**0.5, 0, np.inf])
    draws = [ticket(0.9, kernel, n=n) for n, kernel in zip(SIZES, (0.6, 0.85, 0.95, 0.96), strict=True)]
    assert savings(draws) == pytest.approx({n: 100 * 2**0.5 / n for n in SIZES})


def test_fewer_than_were_tried_is_no_factor_to_average() -> None:
    # RFM-T has less than the kernel with the fewest images at two of four n, which savings() calls 0 times as many.
    accuracies = ((0.5, 0.6), (0.5, 0.7), (0.8, 0.8), (0.9, 0.9))
    draws = [ticket(*both, n=n) for n, both in zip(SIZES, accuracies, strict=True)]
    assert list(savings(draws).values()) == pytest.approx([0, 0, 1, 1])
    assert "in the median over n: MNIST, 4 and 9 fewer than were tried" in tickets_claims(draws)[0].measured


def half(method: str, hard: float, alone: float) -> Outcome:
    """Accuracy with the ``hard`` half of another class, and with it ``alone``."""
    kind = "simplicity-network" if method == "network" else "simplicity-kernels"
    values = {"intact": 0.9, "left of another class": hard, "right of another class": 0.02, "left alone": alone}
    return ok(kind, {}, {"accuracy": {method: values}})


def halves(rfm: float, network: float, alone: float) -> list[Outcome]:
    return [half("RFM 1", rfm, alone), half("network", network, alone)]


def mark(
    seed: int, *, share: float = 0.95, hits: int = 48, count: int = 50, reversed_: float = 0.1, after: float = 0.6
) -> Outcome:
    """A draw whose images have marks, of 48 coordinates, which go with the class in ``share``."""
    accuracies = {"kept": 0.95, "reversed": reversed_, "clean": 0.5}
    left = {"named": after, "random": reversed_, "mark": 0.6}
    values = {
        "accuracy": dict.fromkeys(("Laplace", "RFM 1", "RFM 3"), accuracies),
        "named": {"RFM 1": {"hits": hits, "count": count, "mark": 48, "share": 0.6}},
        "left out": {words: {"RFM 1": {"reversed": value, "kept": value}} for words, value in left.items()},
        "clean": {"RFM 1": 0.6, "Laplace": 0.6},
    }
    return ok("spurious-kernels", {"mark": 4, "share": share}, values, seed)


UNTIED = mark(0, share=0.5, hits=0)


def marks(strong: dict[str, int], weak: dict[str, int]) -> list[Outcome]:
    """Five draws each of a strong and a weak tie, and one of none."""
    ties = ((0.95, strong), (0.6, weak))
    return [UNTIED, *(mark(seed, share=share, **more) for share, more in ties for seed in range(5))]


def restored(*after: float) -> list[Outcome]:
    """Draws by what is right after what M names is left out."""
    return [mark(seed, after=value) for seed, value in enumerate(after)]


NOT_NAMED = [mark(seed, hits=0, after=0.1) for seed in range(3, 9)]
"""Draws in which M does not name the mark."""


def test_what_is_restored_is_counted_over_all_draws_and_where_m_names_the_mark() -> None:
    measured = spurious_claims([*restored(0.6, 0.58, 0.65), *NOT_NAMED])[3].measured
    assert "Restored: 3 draws, with random ones left out 0; of those in which M names the mark, 3 of 3." in measured


@pytest.mark.parametrize(
    ("kernel", "network", "verdicts"),
    [
        (0.1, 0.2, ["holds", "holds"]),
        (0.1, 0.5, ["holds in part", "holds"]),
        (0.5, 0.5, ["undecided", "undecided"]),
        (0.6, 0.2, ["does not hold", "does not hold"]),
        (0.1, None, ["not measured"]),  # it diverged
    ],
)
def test_below_chance_is_what_a_reversed_tie_leaves(kernel: float, network: float | None, verdicts: list[str]) -> None:
    found = {} if network is None else {"kept": 0.9, "reversed": network}
    draws = [mark(seed, reversed_=kernel) for seed in range(8)]
    tied = {"mark": 4, "share": 0.9}
    draws += [ok("spurious-network", tied, {"accuracy": {"network": found}}, seed) for seed in range(8)]
    claims = spurious_claims(draws)[1 : 1 + len(verdicts)]
    assert [claim.verdict for claim in claims] == verdicts
    assert (claims[0].measured == "Every draw of the networks diverged.") == (network is None)


def eyes(*hits: int) -> list[Outcome]:
    """Runs by how many of 100 named pixels are at the eyes."""
    values = {"accuracy": dict.fromkeys(("Laplace", "RFM 1", "RFM 3"), 0.8), "area": 0.15}
    named = [{"RFM 1": {"count": 100, "share": 0.3, "hits": n}} for n in hits]
    return [ok("faces", {}, {**values, "named": found}, seed) for seed, found in enumerate(named)]


def pasted(named: float) -> list[Outcome]:
    values = {"accuracy": {"RFM 1": 0.85}, "pasted": {"RFM 1": {"named": named, "random": 0.8}}}
    return [ok("celeba", {"attribute": "Wearing_Lipstick"}, values)]


def faces(runs: list[Outcome]) -> list[Claim]:
    return faces_claims(runs, [])


VERDICTS: list[tuple[Callable[[list[Outcome]], list[Claim]], int, list[Outcome], str]] = [
    (grokking_claims, 0, groks(GROKS, GROKS, GROKS), "holds"),
    (grokking_claims, 0, groks(GROKS, GROKS, PLAIN), "holds in part"),
    (grokking_claims, 0, groks((0.8, 0.9, 0.99)), "does not hold"),  # the kernel is good enough
    (grokking_claims, 0, groks((0.55, 0.9, 0.94)), "does not hold"),
    (grokking_claims, 0, groks(GROKS, train=0.99), "does not hold"),
    (grokking_claims, 0, groks(GROKS, without=GROKS), "does not hold"),  # then the patch is not what does it
    (grokking_claims, 0, [rfm(GROKS)], "not measured"),
    (grokking_claims, 1, networks(LATE, LATE, TOGETHER), "holds"),
    (grokking_claims, 1, networks(LATE, TOGETHER, TOGETHER), "holds in part"),
    (grokking_claims, 1, networks(TOGETHER, TOGETHER, NEVER), "does not hold"),
    (grokking_claims, 1, networks(SOON, SOON, SOON), "does not hold"),  # later, by 2.5 times
    (grokking_claims, 1, networks(TOGETHER, NEVER, NEVER), "undecided"),
    # Of learning rates that with the least training loss counts, if it did not diverge.
    (grokking_claims, 1, [network(LATE, loss=0.05), network(TOGETHER, loss=0.01, rate=0.03)], "does not hold"),
    (grokking_claims, 1, [network(LATE, 1, loss=0.05), DIVERGED], "holds"),
    (grokking_claims, 2, learned(0.9, 0.85, 0.8), "holds"),
    (grokking_claims, 2, learned(0.9, 0.85, 0.5), "holds in part"),
    (tickets_claims, 0, tickets(10, 0, local=False), "holds"),
    (tickets_claims, 0, tickets(0, 10, local=False), "does not hold"),
    (tickets_claims, 0, tickets(6, 5, local=False), "undecided"),
    (tickets_claims, 0, tickets(10, 0, local=False, **{"RFM 1": 0.9}), "holds in part"),
    (tickets_claims, 0, tickets(10, 0, local=True), "not measured"),
    (tickets_claims, 1, tickets(10, 0, local=False), "not measured"),
    (tickets_claims, 1, tickets(10, 0, local=True), "holds"),
    (tickets_claims, 1, tickets(6, 5, local=True), "holds in part"),  # by random masks, which lose in every draw
    (simplicity_claims, 0, halves(0.88, 0.85, 0.4), "holds"),
    (simplicity_claims, 0, halves(0.88, 0.5, 0.4), "holds in part"),
    (simplicity_claims, 0, halves(0.5, 0.5, 0.4), "does not hold"),
    (simplicity_claims, 0, halves(0.88, 0.85, 0.1), "undecided"),
    (simplicity_claims, 0, [half("RFM 1", 0.9, 0.4)], "not measured"),
    (simplicity_claims, 1, [half("RFM 1", 0.9, 0.4)], "not measured"),
    (simplicity_claims, 1, [half("Laplace", 0.85, 0.4)], "holds"),
    (simplicity_claims, 1, [half("Laplace", 0.4, 0.4)], "does not hold"),
    (simplicity_claims, 1, [half("Laplace", 0.85, 0.1)], "undecided"),
    (spurious_claims, 0, marks({}, {}), "holds"),
    (spurious_claims, 0, marks({}, {"count": 500}), "holds in part"),
    (spurious_claims, 0, marks({"hits": 40}, {}), "does not hold"),
    (spurious_claims, 0, marks({"count": 200}, {}), "does not hold"),
    (spurious_claims, 0, [UNTIED], "not measured"),
    (spurious_claims, 3, restored(0.6, 0.58, 0.65), "holds"),
    (spurious_claims, 3, restored(0.6, 0.58, 0.3), "holds in part"),
    (spurious_claims, 3, [*restored(0.6, 0.58, 0.65), *NOT_NAMED], "does not hold"),
    (spurious_claims, 3, [mark(0, share=0.5)], "not measured"),
    (faces, 0, eyes(30), "holds"),
    (faces, 0, eyes(40, 40, 0), "holds in part"),
    (faces, 0, eyes(29), "does not hold"),
    (faces, 1, pasted(0.6), "holds"),
    (faces, 1, pasted(0.9), "does not hold"),
]


@pytest.mark.parametrize(
    ("claims", "number", "outcomes", "verdict"),
    VERDICTS,
    ids=[f"{claims.__name__} {number} {verdict}" for claims, number, _, verdict in VERDICTS],
)
def test_verdicts_follow_from_the_figures(
    claims: Callable[[list[Outcome]], list[Claim]], number: int, outcomes: list[Outcome], verdict: str
) -> None:
    assert claims(outcomes)[number].verdict == verdict


def test_images_that_were_not_there_are_the_reason_that_nothing_was_measured() -> None:
    skipped = Outcome(Cell("celeba", {}), "skipped", {}, "CelebA: get it from its owners")
    claim = faces_claims([], [skipped])[1]
    assert (claim.verdict, claim.measured) == ("not measured", skipped.reason)


@pytest.fixture(scope="module")
def findings(images: Images) -> Findings:
    """Of the small version, and of cells that were skipped."""
    left_out = [cell for cell in cells(False) if cell.kind in ("faces", "celeba")]
    skipped = [Outcome(cell, "skipped", {}, "no such images") for cell in left_out]
    return find([*computed(STUDY, images, cells(True)), *skipped])


def test_the_small_version_has_all_phenomena_on_its_page(findings: Findings, tmp_path: Path) -> None:
    phenomena = ["grokking", "tickets", "simplicity", "spurious"]
    assert [section.anchor for section in findings.sections] == ["claims", *phenomena, "faces"]
    named = [figure.name for figure in blocks_of(findings, Figure)]
    assert len(set(named)) == len(named)
    assert {f"{phenomenon}-pictures" for phenomenon in phenomena} <= set(named)
    assert "not measured" not in {claim.verdict for claim in findings.claims[:8]}
    page, markdown = pages(findings, tmp_path)
    assert "Claim by claim" in page
    assert "no such images" in markdown


def test_a_network_that_diverged_is_in_the_table(findings: Findings) -> None:
    table = next(table for table in blocks_of(findings, Table) if table.name == "grokking-network-table-digits")
    column = [head.title for head in table.columns].index("Diverged")
    assert [row[column].value for row in table.rows] == [0, 0, 1]
