"""What the report on the four phenomena concludes follows from the figures, and its small version makes a page."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from bench.report.blocks import Document, Figure, Table
from bench.report.build import write_document
from bench.study.cell import Cell, Outcome
from bench.study.images import find_images
from bench.study.phenomena.cells import KINDS, cells
from bench.study.phenomena.claims.faces import faces_claims
from bench.study.phenomena.claims.grokking import first_epoch, grokking_claims
from bench.study.phenomena.claims.simplicity import simplicity_claims
from bench.study.phenomena.claims.spurious import spurious_claims
from bench.study.phenomena.claims.tickets import savings, size_needed, tickets_claims
from bench.study.phenomena.findings import find
from bench.study.phenomena.reading import all_of, counted
from bench.study.phenomena.sections.grokking_networks import network_blocks
from bench.study.report import Findings


def ok(kind: str, parameters: dict[str, Any], values: dict[str, Any], seed: int = 0) -> Outcome:
    return Outcome(Cell(kind, parameters, seed), "ok", values)


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


def test_rfm_groks_where_a_patch_says_the_class() -> None:
    def verdict(*with_patch: Accuracies, without: Accuracies = PLAIN) -> str:
        runs = [rfm(test, seed) for seed, test in enumerate(with_patch)]
        return grokking_claims([*runs, rfm(without, patch=False)])[0].verdict

    expected = {
        (GROKS, GROKS, GROKS): "holds",
        (GROKS, GROKS, PLAIN): "holds in part",
        (GROKS, PLAIN, PLAIN): "does not hold",
        ((0.8, 0.9, 0.99),): "does not hold",  # the kernel is good enough
        ((0.55, 0.9, 0.94),): "does not hold",
    }
    assert {paths: verdict(*paths) for paths in expected} == expected
    assert verdict(GROKS, without=GROKS) == "does not hold"  # then the patch is not what does it


def test_rfm_groks_only_if_it_had_learned_the_training_images() -> None:
    plain = rfm(PLAIN, patch=False)
    learned, not_learned, alone = (
        grokking_claims(runs)[0] for runs in ([rfm(GROKS), plain], [rfm(GROKS, train=0.99), plain], [rfm(GROKS)])
    )
    assert [c.verdict for c in (learned, not_learned, alone)] == ["holds", "does not hold", "not measured"]
    assert "training accuracy at least 99.0 %: with" in not_learned.measured
    assert "training accuracy 100 % at all: with" in learned.measured


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
NEVER = ((0.5, 0.9, 1.0, 1.0, 1.0), (0.5, 0.5, 0.6, 0.7, 0.7))
DIVERGED = network(((), ()), 1, rate=0.3, epochs=[], loss=0.0, diverged=2)


def test_networks_grok_if_test_accuracy_comes_much_later() -> None:
    expected = {
        (LATE, LATE, TOGETHER): "holds",
        (LATE, TOGETHER, TOGETHER): "holds in part",
        (TOGETHER, TOGETHER, NEVER): "does not hold",
        (TOGETHER, NEVER, NEVER): "undecided",
    }
    found = {runs: [network(run, seed) for seed, run in enumerate(runs)] for runs in expected}
    assert {runs: grokking_claims(outcomes)[1].verdict for runs, outcomes in found.items()} == expected
    assert first_epoch({"epochs": [1, 5], "test": [0.2, 0.3]}, "test", 0.4) is None


def test_of_learning_rates_that_with_the_least_training_loss_counts() -> None:
    late = network(LATE, loss=0.05)
    assert grokking_claims([late, network(TOGETHER, loss=0.01, rate=0.03)])[1].verdict == "does not hold"
    competing = replace(DIVERGED, cell=replace(DIVERGED.cell, seed=late.cell.seed))
    assert grokking_claims([late, competing])[1].verdict == "holds"
    for claim in grokking_claims([DIVERGED])[1:]:
        assert (claim.verdict, claim.measured) == ("not measured", "Every network with ten outputs diverged.")


def test_captions_count_the_networks_that_are_drawn() -> None:
    setting = {"width": 8, "batch": 4, "epochs": 500}
    runs = [
        replace(o, cell=replace(o.cell, parameters={**o.cell.parameters, **setting, "rate": 0.1}))
        for o in (network(TOGETHER, cosine_epochs=[1, 500]), DIVERGED)
    ]
    drawn = [block for block in network_blocks("cifar10", runs) if isinstance(block, Figure)]
    assert [figure.caption.count("1 seed.") for figure in drawn] == [1, 1]


def test_first_layers_are_compared_with_m() -> None:
    def verdict(*ends: float) -> str:
        cosines = [{"moved": [0.2, end], "layer": [0.1, 0.1]} for end in ends]
        return grokking_claims([network(TOGETHER, seed, cosines=found) for seed, found in enumerate(cosines)])[
            2
        ].verdict

    expected = {(0.9, 0.85, 0.8): "holds", (0.9, 0.85, 0.5): "holds in part", (0.9, 0.5, 0.5): "does not hold"}
    assert {ends: verdict(*ends) for ends in expected} == expected


def ticket(ours: float, kernel: float, seed: int = 0, n: int = 100, *, local: bool = False, **more: float) -> Outcome:
    """RFM-T's accuracy, and that of the kernel and RFM; random masks are worse than both."""
    parameters = {"images": "mnist", "classes": [4, 9], "n": n, **({"photos": "cifar10"} if local else {})}
    accuracies = {"RFM-T 1": ours, "Laplace": kernel, "RFM 1": kernel, "random mask": 0.5, **more}
    return ok("tickets", parameters, {"accuracy": accuracies, "kept": {"RFM-T 1": 9}}, seed)


@pytest.mark.parametrize("local", [False, True], ids=["fills", "local"])
def test_tickets_are_judged_by_all_rivals(local: bool) -> None:
    def verdict(wins: int, losses: int) -> str:
        rivals = [0.8] * wins + [1.0] * losses + [0.9] * 2
        found = tickets_claims([ticket(0.9, rival, seed, local=local) for seed, rival in enumerate(rivals)])
        assert found[1 - local].verdict == "not measured"
        return found[local].verdict

    # Random masks lose in every draw, so that the claim about local features is held in part by them alone.
    expected = {(10, 0): "holds", (0, 10): "does not hold", (6, 5): "holds in part" if local else "undecided"}
    assert {counts: verdict(*counts) for counts in expected} == expected
    against_one = [ticket(0.9, 0.8, seed, local=local, **{"RFM 1": 0.9}) for seed in range(10)]
    assert tickets_claims(against_one)[local].verdict == "holds in part"


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


def test_the_bias_is_what_either_half_costs() -> None:
    def verdict(rfm: float, network: float, alone: float) -> str:
        return simplicity_claims([half("RFM 1", rfm, alone), half("network", network, alone)])[0].verdict

    expected = {
        (0.88, 0.85, 0.4): "holds",
        (0.88, 0.5, 0.4): "holds in part",
        (0.5, 0.5, 0.4): "does not hold",
        (0.88, 0.85, 0.1): "undecided",
    }
    assert {figures: verdict(*figures) for figures in expected} == expected
    kernels = {(0.85, 0.4): "holds", (0.4, 0.4): "does not hold", (0.85, 0.1): "undecided"}
    assert {of: simplicity_claims([half("Laplace", *of)])[1].verdict for of in kernels} == kernels
    assert [claim.verdict for claim in simplicity_claims([half("RFM 1", 0.9, 0.4)])] == ["not measured"] * 2


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


@pytest.mark.parametrize(
    ("strong", "weak", "verdict"),
    [
        ({}, {}, "holds"),
        ({}, {"count": 500}, "holds in part"),
        ({"hits": 40}, {}, "does not hold"),
        ({"count": 200}, {}, "does not hold"),
    ],
)
def test_m_names_the_mark_if_it_has_most_of_it_and_little_else(strong: Any, weak: Any, verdict: str) -> None:
    untied = mark(0, share=0.5, hits=0)
    draws = [mark(seed, share=share, **more) for share, more in ((0.95, strong), (0.6, weak)) for seed in range(5)]
    assert spurious_claims([untied, *draws])[0].verdict == verdict
    assert spurious_claims([untied])[0].verdict == "not measured"


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


def test_leaving_out_the_named_restores_what_clean_images_allow() -> None:
    expected = {(0.6, 0.58, 0.65): "holds", (0.6, 0.58, 0.3): "holds in part", (0.6, 0.3, 0.3): "does not hold"}
    draws = {after: [mark(seed, after=value) for seed, value in enumerate(after)] for after in expected}
    assert {after: spurious_claims(some)[3].verdict for after, some in draws.items()} == expected
    # Draws in which M does not name the mark count too.
    unnamed = spurious_claims([*draws[0.6, 0.58, 0.65], *(mark(seed, hits=0, after=0.1) for seed in range(3, 9))])[3]
    assert unnamed.verdict == "does not hold"
    assert "Restored: 3 draws, with random ones left out 0; of those in which M names the mark, 3 of 3." in (
        unnamed.measured
    )
    assert spurious_claims([mark(0, share=0.5)])[3].verdict == "not measured"


def test_eyes_and_pasted_templates_are_counted_run_by_run() -> None:
    def eyes(*hits: int) -> str:
        accuracies = dict.fromkeys(("Laplace", "RFM 1", "RFM 3"), 0.8)
        named = {"count": 100, "share": 0.3}
        runs = [
            ok("faces", {}, {"accuracy": accuracies, "area": 0.15, "named": {"RFM 1": named | {"hits": n}}}, seed)
            for seed, n in enumerate(hits)
        ]
        return faces_claims(runs, [])[0].verdict

    def pasted(named: float) -> str:
        values = {"accuracy": {"RFM 1": 0.85}, "pasted": {"RFM 1": {"named": named, "random": 0.8}}}
        return faces_claims([ok("celeba", {"attribute": "Wearing_Lipstick"}, values)], [])[1].verdict

    assert (eyes(30), eyes(29), eyes(40, 40, 0)) == ("holds", "does not hold", "holds in part")
    assert (pasted(0.6), pasted(0.9)) == ("holds", "does not hold")
    skipped = Outcome(Cell("celeba", {}), "skipped", {}, "CelebA: get it from its owners")
    claim = faces_claims([], [skipped])[1]
    assert (claim.verdict, claim.measured) == ("not measured", skipped.reason)


@pytest.fixture(scope="module")
def quick() -> list[Outcome]:
    images = find_images(None, ("digits",))
    found = []
    for cell in cells(True):
        module, _, function = KINDS[cell.kind].partition(":")
        values = getattr(importlib.import_module(module), function)(cell.parameters, cell.seed, images)
        found.append(Outcome(cell, "ok", json.loads(json.dumps(values, allow_nan=False))))
    return found


@pytest.fixture(scope="module")
def page(quick: list[Outcome]) -> Findings:
    """Of the small version, and of cells that were skipped."""
    left_out = [cell for cell in cells(False) if cell.kind in ("faces", "celeba")]
    return find([*quick, *(Outcome(cell, "skipped", {}, "no such images") for cell in left_out)])


def test_the_small_version_has_all_phenomena_on_its_page(page: Findings, tmp_path: Path) -> None:
    phenomena = ["grokking", "tickets", "simplicity", "spurious"]
    assert [section.anchor for section in page.sections] == ["claims", *phenomena, "faces"]
    blocks = [block for section in page.sections for block in section.all_blocks()]
    named = [block.name for block in blocks if isinstance(block, Figure)]
    assert len(set(named)) == len(named)
    assert {f"{phenomenon}-pictures" for phenomenon in phenomena} <= set(named)
    assert "not measured" not in {claim.verdict for claim in page.claims[:8]}
    document = Document(page.question, page.kicker, (), tuple(page.sections), "python -m bench study phenomena")
    files = write_document(document, tmp_path)
    assert "Claim by claim" in files.html.read_text()
    assert "no such images" in files.markdown.read_text()


def test_a_network_that_diverged_is_in_the_table(page: Findings) -> None:
    [section] = [section for section in page.sections if section.anchor == "grokking"]
    tables = [block for block in section.blocks if isinstance(block, Table)]
    [table] = [table for table in tables if table.name == "grokking-network-table-digits"]
    column = [head.title for head in table.columns].index("Diverged")
    assert [row[column].value for row in table.rows] == [0, 0, 1]
