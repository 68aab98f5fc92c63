"""The ansatz study: its cells compute what they say, its verdicts follow their rules, and its page shows them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from outcomes import blocks_of, computed, ok, pages
from refusals import refused

from bench.errors import JobSkipped, UsageError
from bench.report.blocks import Figure, Notice
from bench.study.ansatz.cells import DATASETS, DEFAULT, MAIN, RATES, SMALLER, STUDY, cells
from bench.study.ansatz.compute import CANDIDATE_RATES, network, pictures, rates, rfm_metrics
from bench.study.ansatz.datasets import STAR, STAR_CORNER, load, with_star
from bench.study.ansatz.findings import find
from bench.study.ansatz.runs import runs_of
from bench.study.ansatz.training import ends_words
from bench.study.ansatz.verdicts import claims_of
from bench.study.cell import Outcome
from bench.study.claims import Claim
from bench.study.images import Images
from rfm import RFMClassifier

SMALL = {"data": "digits", "start": DEFAULT, "variant": MAIN, "optimiser": "sgd", "rate": 1.0}
SMALL |= {"train": 60, "held_out": 20, "test": 50, "width": 12, "depth": 2, "epochs": 2, "limit": 6}


def test_networks_have_three_seeds_two_starts_and_rates_that_were_candidates() -> None:
    for chosen in (cells(True), cells(False)):
        assert all(cell.any_device for cell in chosen)
        main = [cell for cell in chosen if cell.parameters.get("variant") == MAIN]
        drawn = {(cell.parameters["start"], cell.seed) for cell in main}
        assert drawn == set(product((DEFAULT, SMALLER), range(3)))
    assert {cell.parameters["data"] for cell in main} == set(DATASETS)
    assert set(RATES.values()) <= set(CANDIDATE_RATES)


def test_rows_of_a_dataset_are_distinct_and_balanced(images: Images) -> None:
    rows = load("digits", 300, 100, 150, 0, images)
    assert (rows.X.shape, rows.held_out.shape, rows.test.shape) == ((300, 64), (100, 64), (150, 64))
    assert rows.shape == (8, 8, 1)
    assert 0.0 <= rows.X.min() < rows.X.max() <= 1.0
    assert np.bincount(np.concatenate([rows.y, rows.held_out_y])).tolist() == [40] * 10
    assert np.bincount(rows.test_y).tolist() == [15] * 10
    everything = np.concatenate([rows.X, rows.held_out, rows.test])
    assert len(np.unique(everything, axis=0)) == len(everything)
    again, other = load("digits", 300, 100, 150, 0, images), load("digits", 300, 100, 150, 1, images)
    assert np.array_equal(again.X, rows.X)
    assert not np.array_equal(other.X, rows.X)


def test_rows_that_are_not_there_are_asked_for_in_vain(images: Images) -> None:
    refused(UsageError, r"digits: 9 training rows have . of 10 classes", load, "digits", 9, 1, 10, 0, images)
    refused(JobSkipped, "Fashion-MNIST", load, "fashion-mnist", 100, 20, 50, 0, Images())
    refused(JobSkipped, r"digits.*asked for", network, {**SMALL, "train": 5000}, 0, images)


def test_a_star_s_colour_tells_the_class_and_nothing_else_changes() -> None:
    pixels = np.random.default_rng(0).integers(1, 255, (6, 32, 32, 3)).astype(np.uint8)
    labels = np.array([0, 1, 1, 0, 1, 0])
    starred = with_star(pixels, labels)
    mark = np.zeros((32, 32), dtype=bool)
    mark[STAR_CORNER : STAR_CORNER + 7, STAR_CORNER : STAR_CORNER + 7] = STAR
    assert ((starred != pixels).any(axis=3) == mark).all()
    assert (starred[labels == 1][:, mark] == (255, 255, 0)).all()
    assert (starred[labels == 0][:, mark] == 0).all()


def test_a_network_is_looked_at_on_its_way(images: Images) -> None:
    values = network({**SMALL, "pictures": True}, 0, images)
    json.dumps(values, allow_nan=False)
    path = values["path"]
    assert [look["epoch"] for look in path] == [0, 1, 2, 5, 6]
    assert not values["interpolates"]  # 60 rows in 6 epochs
    assert path[0]["layers"][0]["nfm start"] == pytest.approx([1.0, 1.0])
    assert [len(some) for some in (*(look["layers"] for look in path), values["controls"])] == [2] * 6
    assert path[values["best"]]["held_out"] == max(look["held_out"] for look in path)
    assert all(look["held_out"] < path[values["best"]]["held_out"] for look in path[values["best"] + 1 :])
    assert values == network({**SMALL, "pictures": True}, 0, images) | {"fit_cpu_seconds": values["fit_cpu_seconds"]}
    assert values["path"] != network(SMALL, 1, images)["path"]
    drawn = values["pictures"]
    assert [len(drawn["diagonals"][name]) for name in ("nfm", "change", "agop", "inputs", "rfm 1", "rfm 5")] == [64] * 6
    assert np.asarray(drawn["blocks"]["agop"]).shape == (48, 48)
    assert max(drawn["diagonals"]["agop"]) == 1.0


def test_training_goes_on_to_the_limit_only_without_full_accuracy(images: Images) -> None:
    settings = {**SMALL, "train": 30, "width": 64, "rate": 0.001, "optimiser": "adam"}
    values = network({**settings, "epochs": 100, "limit": 600}, 0, images)
    assert (values["interpolates"], values["epochs"], values["path"][-1]["train"]) == (True, 100, 1.0)
    assert network({**settings, "rate": 1e-9, "epochs": 1, "limit": 3}, 0, images)["epochs"] == 3


@pytest.mark.parametrize("rate", [1.0, 1e30])
def test_a_network_that_diverges_is_a_result(rate: float, images: Images) -> None:
    """With the smaller rate no unit is active at any row after some steps, with the larger one the loss overflows."""
    values = network({**SMALL, "start": "large", "rate": rate}, 0, images)
    json.dumps(values, allow_nan=False)
    assert values["diverged"]
    assert values["path"][-1]["diverged"]
    assert len(values["path"]) >= 2
    assert "controls" not in values
    findings = find([ok("network", SMALL, values)])
    assert {claim.verdict for claim in findings.claims} == {"not measured"}
    notice = next(block for block in findings.sections[0].blocks if isinstance(block, Notice))
    assert "Diverged, and left out: digits (default start, seed 0)" in str(notice.spans[0])


def test_rates_are_compared_by_training_loss(images: Images) -> None:
    losses = rates({**SMALL, "epochs": 3}, 1, images)["losses"]
    assert rates({**SMALL, "epochs": 2}, 1, images)["losses"] != losses
    assert list(losses) == ["0.1", "0.3", "1"]
    cells = [
        ok("rates", {"data": "digits", "start": DEFAULT}, {"losses": dict(zip(losses, some, strict=True))})
        for some in ((0.3, 0.2, 0.1), (0.1, 0.2, None), (0.2, 0.1, 0.2))
    ]
    assert "Of 3 pairs of a dataset and a start 2 have their least loss at an end" in ends_words(cells)
    assert "(1 at 1, 1 at 0.1)" in ends_words(cells)
    assert losses["1"] == pytest.approx(network({**SMALL, "epochs": 3, "limit": 3}, 1, images)["path"][-1]["loss"])


@pytest.mark.parametrize("train", [60, 100])
def test_rfm_s_metrics_are_those_of_the_estimator(train: int, images: Images) -> None:
    """Of fewer rows than pixels, where they are factors, and of more."""
    rows = load("digits", train, 20, 50, 0, images)
    metrics, accuracies = rfm_metrics(rows)
    assert (list(metrics), len(accuracies)) == (["rfm 1", "rfm 5"], 6)
    for updates in (1, 5):
        model = RFMClassifier(bandwidth=10.0, ridge=1e-3, iterations=updates).fit(rows.X, rows.y)
        M = model.M_ if isinstance(model.M_, np.ndarray) else np.asarray(model.M_.dense())
        np.testing.assert_allclose(metrics[f"rfm {updates}"].dense().numpy(), M, rtol=0.02, atol=1e-3 * np.abs(M).max())
        assert accuracies[updates] == pytest.approx(model.score(rows.test, rows.test_y), abs=0.021)
    drawn = pictures({"nfm": metrics["rfm 1"], "rfm 5": metrics["rfm 5"], "agop": metrics["rfm 5"]})
    M, chosen = metrics["rfm 5"].dense().numpy(), drawn["coordinates"]
    assert list(drawn["blocks"]) == ["nfm", "agop"]
    np.testing.assert_allclose(drawn["blocks"]["agop"], M[np.ix_(chosen, chosen)] / M.diagonal().max(), atol=1e-3)
    np.testing.assert_allclose(drawn["diagonals"]["rfm 5"], M.diagonal() / M.diagonal().max(), atol=1e-3)


AGOPS = ("agop", "centred", "root")


def made(data: str, seed: int, *, start: str = DEFAULT, **cosines: float) -> Outcome:
    """A network's outcome in which every layer has these cosines."""
    usual = {"nfm": 0.6, "change": 0.6, "control": 0.2, "coded": 0.8, "metric": 0.7, "inputs": 0.3}
    usual |= {"identity": 0.5, "root": 0.7}
    of = {name: [value, value] for name, value in (usual | cosines).items()}
    layer = {f"{how} {which}": of[how] for how in ("nfm", "change") for which in AGOPS}
    layer |= {f"{how} {which}": of["coded"] for how in ("coded", "altered") for which in AGOPS[:2]}
    layer |= {"nfm root": of["root"], "nfm start": [1.0, 1.0]}
    look = {"loss": 0.0, "train": 1.0, "held_out": 0.9, "test": 0.9, "layers": [layer] * 3}
    other = {f"{name} {by}": of["control"] for name in ("shuffled", "redrawn", "drift") for by in ("agop", "own")}
    other |= {f"{how} {by}": of[by] for how in ("nfm", "change") for by in ("inputs", "identity")}
    by = {"agop": of["nfm"], "inputs": of["inputs"], "rfm 1": of["metric"], "rfm 5": of["metric"]}
    first = {f"{how} {name}": value for how in ("nfm", "change") for name, value in by.items()}
    values = {"shape": [8, 8, 1], "path": [{**look, "epoch": 0}, {**look, "epoch": 300}], "best": 1, "epochs": 300}
    values |= {"diverged": False, "interpolates": True, "controls": [other] * 3, "first": first}
    values |= {"diagonals": {key: value[0] for key, value in first.items()}, "rfm_test": [0.9] * 6}
    return ok("network", {**SMALL, "data": data, "start": start, "depth": 3}, values, seed)


def grid(*, start: str = DEFAULT, **cosines: float) -> list[Outcome]:
    """Two datasets, three seeds."""
    return [made(data, seed, start=start, **cosines) for data in ("digits", "mnist") for seed in range(3)]


def judged(outcomes: Sequence[Outcome]) -> list[Claim]:
    return claims_of(runs_of(outcomes))


def verdicts(outcomes: Sequence[Outcome]) -> list[str]:
    return [claim.verdict for claim in judged(outcomes)]


@pytest.mark.parametrize(
    ("cosine", "control", "verdict"),
    [
        (0.95, 0.2, "holds"),
        (0.95, 0.96, "does not hold"),  # high, but no higher than of a layer that learned nothing
        (0.6, 0.2, "holds in part"),
        (0.6, 0.6, "does not hold"),
        (0.4, 0.2, "does not hold"),  # above the control, but low in most layers
        (0.4, 0.5, "does not hold"),
    ],
)
def test_correlations_are_judged_by_their_size_and_their_control(cosine: float, control: float, verdict: str) -> None:
    outcomes = grid(nfm=cosine, change=cosine, metric=cosine, control=control, inputs=control)
    assert verdicts(outcomes)[:3] == [verdict] * 3
    assert verdicts(outcomes[:5])[0] == "undecided"  # too few networks


def test_one_dataset_decides_whether_a_correlation_is_everywhere() -> None:
    outcomes = grid(nfm=0.95, change=0.95, metric=0.95)
    outcomes += [made("cifar10", seed, nfm=0.6, change=0.4, metric=0.6) for seed in range(3)]
    assert verdicts(outcomes)[:3] == ["holds in part", "undecided", "holds in part"]  # low in a third of the layers
    assert "from 0.60 (cifar10, layer 1) to 0.95 (digits, layer 1)" in judged(outcomes)[0].measured


@pytest.mark.parametrize(
    ("coded", "verdict"),
    [
        ((0.8, 0.81, 0.82), "holds"),
        ((0.2, 0.6, 0.9), "undecided"),
        ((0.5, 0.51, 0.49), "holds"),
        ((0.6, 0.61, 0.59), "does not hold"),
    ],
)
def test_the_script_is_judged_by_the_interval_of_its_difference(coded: Sequence[float], verdict: str) -> None:
    outcomes = [made("digits", seed, coded=value) for seed, value in enumerate(coded)]
    claim, gains = judged(outcomes)[3], np.array(coded) - 0.6
    half = 4.302653 * gains.std(ddof=1) / math.sqrt(3)
    assert claim.verdict == verdict
    assert f"{abs(gains.mean()):.2f} ± {half:.2f} in layer 1" in claim.measured
    assert verdicts(outcomes[:2])[3] == "undecided"


def test_additional_claims_are_sign_tests_over_networks() -> None:
    assert verdicts([*grid(), *grid(start=SMALLER, nfm=0.7)])[4:] == ["holds"] * 3
    opposite = [*grid(identity=0.7, root=0.5, nfm=0.65), *grid(start=SMALLER)]
    assert verdicts(opposite)[4:] == ["does not hold"] * 3
    assert verdicts(grid())[6] == "not measured"


def test_the_small_version_becomes_a_page(tmp_path: Path, images: Images) -> None:
    few = {"epochs": 5, "limit": 5, "width": 24, "depth": 3, "train": 100, "test": 50}
    smaller = [replace(cell, parameters={**cell.parameters, **few}) for cell in cells(quick=True)]
    findings = find(computed(STUDY, images, smaller))
    page, markdown = pages(findings, tmp_path)
    for words in ("A1", "A2", "A3", "did not reach a training accuracy of 100 %", "as coded", "Diagonals as pictures"):
        assert words in page
        assert words in markdown
    assert "Further networks, one seed each: Adam.\n" in markdown  # the only ones of the small version
    assert {figure.name for figure in blocks_of(findings, Figure)} == {
        "digits-path",
        "digits-diagonals",
        "digits-blocks",
    }
    assert all(claim.measured and claim.verdict for claim in findings.claims)
    assert findings.sections[0].anchor == "claims"
