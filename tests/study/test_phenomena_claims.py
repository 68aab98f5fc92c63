"""What the report on the four phenomena concludes follows from the figures, and its small version makes a page."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

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


def rfm(test: list[float], seed: int, *, patch: bool = True, train: float = 1.0) -> Outcome:
    parameters = {"images": "cifar10", "counts": [50, 500], "patch": [2, 7, 5] if patch else None}
    values = {"test": test, "train": [train, *[1.0] * (len(test) - 1)], "share": [0.003, 0.5, 0.8], "auc": [0.8] * 3}
    return ok("grokking-rfm", parameters, values, seed)


GROKS, PLAIN = [0.55, 0.9, 0.99], [0.55, 0.7, 0.7]


@pytest.mark.parametrize(
    ("with_patch", "without", "verdict"),
    [
        ([GROKS] * 3, PLAIN, "holds"),
        ([GROKS, GROKS, PLAIN], PLAIN, "holds in part"),
        ([GROKS, PLAIN, PLAIN], PLAIN, "does not hold"),
        ([GROKS] * 3, GROKS, "does not hold"),  # then the patch is not what does it
        ([[0.8, 0.9, 0.99]] * 3, PLAIN, "does not hold"),  # the kernel is good enough
        ([[0.55, 0.9, 0.94]] * 3, PLAIN, "does not hold"),
    ],
)
def test_rfm_groks_where_a_patch_says_the_class(
    with_patch: list[list[float]], without: list[float], verdict: str
) -> None:
    runs = [rfm(test, seed) for seed, test in enumerate(with_patch)] + [rfm(without, 0, patch=False)]
    assert grokking_claims(runs)[0].verdict == verdict


def test_rfm_groks_only_if_it_had_learned_the_training_images() -> None:
    runs = [rfm(GROKS, 0, train=0.99), rfm(PLAIN, 0, patch=False)]
    assert grokking_claims(runs)[0].verdict == "does not hold"
    assert "training accuracy at least 99.0 %: with" in grokking_claims(runs)[0].measured
    assert "training accuracy 100 % at all: with" in grokking_claims([rfm(GROKS, 0), runs[1]])[0].measured
    assert grokking_claims(runs[:1])[0].verdict == "not measured"


EPOCHS = [1, 10, 50, 200, 500]


def network(
    train: list[float], test: list[float], seed: int = 0, *, loss: float = 0.01, rate: float = 0.1, **more: Any
) -> Outcome:
    parameters = {"images": "cifar10", "counts": [50, 500], "patch": [2, 7, 5], "outputs": 10, "rate": rate}
    values = {"epochs": EPOCHS, "train": train, "test": test, "loss": [0.1] * 4 + [loss], "diverged": None}
    both = {name: {"moved": [0.1, 0.9], "layer": [0.1, 0.1]} for name in ("cosines", "shares")}
    return ok("grokking-network", parameters, {**values, **both, **more}, seed)


LATE = ([0.5, 1.0, 1.0, 1.0, 1.0], [0.5, 0.5, 0.6, 0.96, 0.99])
TOGETHER = ([0.5, 0.9, 1.0, 1.0, 1.0], [0.5, 0.8, 0.96, 0.97, 0.98])
NEVER = ([0.5, 0.9, 1.0, 1.0, 1.0], [0.5, 0.5, 0.6, 0.7, 0.7])


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        ([LATE, LATE, TOGETHER], "holds"),
        ([LATE, TOGETHER, TOGETHER], "holds in part"),
        ([TOGETHER, TOGETHER, NEVER], "does not hold"),
        ([TOGETHER, NEVER, NEVER], "undecided"),
    ],
)
def test_networks_grok_if_test_accuracy_comes_much_later(runs: list[Any], verdict: str) -> None:
    found = [network(run[0], run[1], seed) for seed, run in enumerate(runs)]
    assert grokking_claims(found)[1].verdict == verdict


def test_of_learning_rates_that_with_the_least_training_loss_counts() -> None:
    both = [network(*LATE, loss=0.05), network(*TOGETHER, loss=0.01, rate=0.03)]
    assert grokking_claims(both)[1].verdict == "does not hold"
    diverged = network([], [], 0, rate=0.3, epochs=[], loss=0.0, diverged=2)
    assert grokking_claims([*both[:1], diverged])[1].verdict == "holds"
    for claim in grokking_claims([diverged])[1:]:
        assert (claim.verdict, claim.measured) == ("not measured", "Every network with ten outputs diverged.")
    assert first_epoch({"epochs": [1, 5], "test": [0.2, 0.3]}, "test", 0.4) is None


def test_captions_count_the_networks_that_are_drawn() -> None:
    setting = {"width": 8, "batch": 4, "epochs": 500}
    runs = [
        replace(o, cell=replace(o.cell, parameters={**o.cell.parameters, **setting}))
        for o in (
            network(*TOGETHER, cosine_epochs=[1, 500]),
            network([], [], 1, epochs=[], loss=0.0, diverged=2),
        )
    ]
    drawn = [block for block in network_blocks("cifar10", runs) if isinstance(block, Figure)]
    assert [figure.caption.count("1 seed.") for figure in drawn] == [1, 1]


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [((0.9, 0.85, 0.8), "holds"), ((0.9, 0.85, 0.5), "holds in part"), ((0.9, 0.5, 0.5), "does not hold")],
)
def test_first_layers_are_compared_with_m(ends: tuple[float, ...], verdict: str) -> None:
    cosines = [{"moved": [0.2, end], "layer": [0.1, 0.1]} for end in ends]
    runs = [network(*TOGETHER, seed, cosines=found) for seed, found in enumerate(cosines)]
    assert grokking_claims(runs)[2].verdict == verdict


def ticket(gain: float, seed: int, n: int = 100, *, local: bool = False, rfm_gain: float | None = None) -> Outcome:
    parameters = {"images": "mnist", "classes": [4, 9], "n": n, **({"photos": "cifar10"} if local else {})}
    accuracies = {"RFM-T 1": 0.9, "Laplace": 0.9 - gain, "random mask": 0.5}
    accuracies["RFM 1"] = 0.9 - (gain if rfm_gain is None else rfm_gain)
    return ok("tickets", parameters, {"accuracy": accuracies, "kept": {"RFM-T 1": 9}}, seed)


@pytest.mark.parametrize("local", [False, True], ids=["fills", "local"])
@pytest.mark.parametrize(
    ("wins", "losses", "verdict"), [(10, 0, "holds"), (0, 10, "does not hold"), (6, 5, "undecided")]
)
def test_tickets_are_judged_by_all_rivals(local: bool, wins: int, losses: int, verdict: str) -> None:
    gains = [0.1] * wins + [-0.1] * losses + [0.0] * 2
    draws = [ticket(gain, seed, local=local) for seed, gain in enumerate(gains)]
    # Random masks lose in every draw, so that the claim about local features is held in part by them alone.
    expected = "holds in part" if local and verdict == "undecided" else verdict
    assert tickets_claims(draws)[int(local)].verdict == expected
    assert tickets_claims(draws)[1 - int(local)].verdict == "not measured"
    against_one = [ticket(0.1, seed, local=local, rfm_gain=0.0) for seed in range(10)]
    assert tickets_claims(against_one)[int(local)].verdict == "holds in part"


def test_saved_images_are_read_off_the_kernel_s_curve() -> None:
    sizes, accuracies = [50, 100, 200, 400], [0.6, 0.7, 0.8, 0.8]
    assert size_needed(sizes, accuracies, 0.7) == pytest.approx(100)
    assert size_needed(sizes, accuracies, 0.75) == pytest.approx(100 * 2**0.5)
    assert size_needed(sizes, accuracies, 0.55) == 0
    assert size_needed(sizes, accuracies, 0.81) == np.inf
    draws = [ticket(0.9 - a, 0, n) for n, a in zip((50, 100, 200, 400), (0.6, 0.85, 0.95, 0.96), strict=True)]
    needed = 100 * 2**0.5  # RFM-T has 0.9 at every n
    assert savings(draws) == pytest.approx({n: needed / n for n in (50, 100, 200, 400)})


def test_fewer_than_were_tried_is_no_factor_to_average() -> None:
    # RFM-T has less than the kernel with the fewest images at two of four n, which savings() calls 0 times as many.
    accuracies = {50: (0.5, 0.6), 100: (0.5, 0.7), 200: (0.8, 0.8), 400: (0.9, 0.9)}  # of RFM-T and of the kernel
    draws = [
        replace(o, values={**o.values, "accuracy": {**o.values["accuracy"], "RFM-T 1": ours, "Laplace": kernel}})
        for n, (ours, kernel) in accuracies.items()
        for o in [ticket(0.0, 0, n)]
    ]
    assert list(savings(draws).values()) == pytest.approx([0, 0, 1, 1])
    assert "in the median over n: MNIST, 4 and 9 fewer than were tried" in tickets_claims(draws)[0].measured


def half(method: str, hard: float, easy: float, seed: int = 0, *, alone: float = 0.4) -> Outcome:
    kind = "simplicity-network" if method == "network" else "simplicity-kernels"
    values = {"intact": 0.9, "left of another class": hard, "right of another class": easy, "left alone": alone}
    return ok(kind, {}, {"accuracy": {method: values}}, seed)


@pytest.mark.parametrize(
    ("rfm", "network", "alone", "verdict"),
    [
        (0.88, 0.85, 0.4, "holds"),
        (0.88, 0.5, 0.4, "holds in part"),
        (0.5, 0.5, 0.4, "does not hold"),
        (0.88, 0.85, 0.1, "undecided"),
        (0.9, None, 0.4, "not measured"),
    ],
)
def test_the_bias_is_what_either_half_costs(rfm: float, network: float | None, alone: float, verdict: str) -> None:
    runs = [half("RFM 1", rfm, 0.02, alone=alone)]
    runs += [half("network", network, 0.02, alone=alone)] if network is not None else []
    assert simplicity_claims(runs)[0].verdict == verdict


@pytest.mark.parametrize(
    ("hard", "alone", "verdict"),
    [(0.85, 0.4, "holds"), (0.4, 0.4, "does not hold"), (0.85, 0.1, "undecided"), (None, 0.4, "not measured")],
)
def test_the_kernel_has_the_same_bias(hard: float | None, alone: float, verdict: str) -> None:
    runs = [half("Laplace", hard, 0.03, alone=alone)] if hard is not None else []
    assert simplicity_claims(runs)[1].verdict == verdict


def mark(
    seed: int, *, share: float = 0.95, hits: int = 48, count: int = 50, reversed_: float = 0.1, after: float = 0.6
) -> Outcome:
    accuracies = {"kept": 0.95, "reversed": reversed_, "clean": 0.5}
    left = {
        words: {"RFM 1": {"reversed": value, "kept": value}}
        for words, value in (("named", after), ("random", reversed_), ("mark", 0.6))
    }
    values = {
        "accuracy": dict.fromkeys(("Laplace", "RFM 1", "RFM 3"), accuracies),
        "named": {"RFM 1": {"hits": hits, "count": count, "mark": 48, "share": 0.6}},
        "left out": left,
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
        (None, None, "not measured"),
    ],
)
def test_m_names_the_mark_if_it_has_most_of_it_and_little_else(strong: Any, weak: Any, verdict: str) -> None:
    draws = [mark(0, share=0.5, hits=0)]  # is not tied
    if strong is not None:
        draws += [mark(seed, **strong) for seed in range(5)] + [mark(seed, share=0.6, **weak) for seed in range(5)]
    assert spurious_claims(draws)[0].verdict == verdict


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


@pytest.mark.parametrize(
    ("after", "hits", "verdict"),
    [
        ((0.6, 0.58, 0.65), 48, "holds"),
        ((0.6, 0.58, 0.3), 48, "holds in part"),
        ((0.6, 0.3, 0.3), 48, "does not hold"),
        ((0.6,), 0, "not measured"),  # the mark is not what is left out
    ],
)
def test_leaving_out_the_named_restores_what_clean_images_allow(
    after: tuple[float, ...], hits: int, verdict: str
) -> None:
    draws = [mark(seed, after=value, hits=hits) for seed, value in enumerate(after)]
    claim = spurious_claims(draws)[3]
    assert claim.verdict == verdict
    assert (claim.measured == "M names the mark in none of 1 draw.") == (hits == 0)


def test_eyes_and_pasted_templates_are_counted_run_by_run() -> None:
    def face(hits: int, seed: int = 0) -> Outcome:
        named = {"count": 100, "hits": hits, "share": 0.3}
        values = {
            "accuracy": dict.fromkeys(("Laplace", "RFM 1", "RFM 3"), 0.8),
            "named": {"RFM 1": named},
            "area": 0.15,
        }
        return ok("faces", {}, values, seed)

    def pasted(named: float, seed: int) -> Outcome:
        masks = {"named": named, "random": 0.8}
        values = {"accuracy": {"RFM 1": 0.85}, "pasted": {"RFM 1": masks}}
        return ok("celeba", {"attribute": "Wearing_Lipstick"}, values, seed)

    assert [faces_claims([face(hits)], [])[0].verdict for hits in (30, 29)] == ["holds", "does not hold"]
    assert faces_claims([face(40), face(40, 1), face(0, 2)], [])[0].verdict == "holds in part"
    assert faces_claims([pasted(0.6, 0)], [])[1].verdict == "holds"
    assert faces_claims([pasted(0.9, 0)], [])[1].verdict == "does not hold"
    skipped = Outcome(Cell("celeba", {}), "skipped", {}, "CelebA: get it from its owners")
    claim = faces_claims([], [skipped])[1]
    assert (claim.verdict, claim.measured) == ("not measured", "CelebA: get it from its owners")


def test_a_study_without_results_says_so() -> None:
    assert {claim.verdict for claim in find([]).claims} == {"not measured"}


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
