"""The ansatz study: its cells compute what they say, its verdicts follow their rules, and its page shows them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.errors import JobSkipped
from bench.report.blocks import Document, Figure, Notice
from bench.report.build import write_document
from bench.study.ansatz.cells import DATASETS, DEFAULT, MAIN, RATES, SMALLER, cells
from bench.study.ansatz.compute import CANDIDATE_RATES, LOOKS, network, pictures, rates, rfm_metrics
from bench.study.ansatz.datasets import load
from bench.study.ansatz.findings import find
from bench.study.ansatz.runs import runs_of
from bench.study.ansatz.verdicts import claims_of
from bench.study.cell import Cell, Outcome
from bench.study.claims import Claim
from bench.study.images import Images
from rfm import RFMClassifier

SMALL = {"data": "digits", "start": DEFAULT, "variant": MAIN, "optimiser": "sgd", "rate": 1.0}
SMALL |= {"train": 60, "held_out": 20, "test": 50, "width": 12, "depth": 2, "epochs": 2, "limit": 6}


@pytest.mark.parametrize("quick", [True, False])
def test_cells_say_what_they_read(quick: bool) -> None:
    chosen = cells(quick)
    assert all(cell.any_device and cell.images and cell.cost > 0 for cell in chosen)
    main = [cell for cell in chosen if cell.parameters.get("variant") == MAIN]
    assert {cell.seed for cell in main} == {0, 1, 2}
    assert {cell.parameters["start"] for cell in main} == {DEFAULT, SMALLER}
    assert set(RATES.values()) <= set(CANDIDATE_RATES)
    if quick:
        assert {name for cell in chosen for name in cell.images} == {"digits"}
    else:
        assert {cell.parameters["data"] for cell in main} == set(DATASETS)
        assert {name for cell in chosen for name in cell.images} == {"digits", "mnist", "fashion-mnist", "cifar10"}
        assert {cell.parameters["epochs"] for cell in main} <= set(LOOKS)


def test_a_network_is_looked_at_on_its_way(images: Images) -> None:
    values = network({**SMALL, "pictures": True}, 0, images)
    json.dumps(values, allow_nan=False)
    path = values["path"]
    assert [look["epoch"] for look in path] == [0, 1, 2, 5, 6]
    assert not values["interpolates"]  # 60 rows in 6 epochs
    assert path[0]["layers"][0]["nfm start"] == pytest.approx([1.0, 1.0])
    assert all(len(look["layers"]) == 2 for look in path)
    assert len(values["controls"]) == 2
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
    assert values["interpolates"]
    assert values["epochs"] == 100
    assert values["path"][-1]["train"] == 1.0
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
    outcomes = [Outcome(Cell("network", SMALL), "ok", values)]
    findings = find(outcomes)
    assert {claim.verdict for claim in findings.claims} == {"not measured"}
    notices = [block for block in findings.sections[0].blocks if isinstance(block, Notice)]
    assert "Diverged, and left out: digits (default start, seed 0)" in str(notices[0].spans[0])


def test_more_rows_than_there_are_is_said(images: Images) -> None:
    with pytest.raises(JobSkipped, match=r"digits.*asked for"):
        network({**SMALL, "train": 5000}, 0, images)


def test_rates_are_compared_by_training_loss(images: Images) -> None:
    losses = rates({**SMALL, "epochs": 3}, 1, images)["losses"]
    assert rates({**SMALL, "epochs": 2}, 1, images)["losses"] != losses
    assert list(losses) == ["0.1", "0.3", "1"]
    assert losses["1"] == pytest.approx(network({**SMALL, "epochs": 3, "limit": 3}, 1, images)["path"][-1]["loss"])


@pytest.mark.parametrize("train", [60, 100])
def test_rfm_s_metrics_are_those_of_the_estimator(train: int, images: Images) -> None:
    """Of fewer rows than pixels, where they are factors, and of more."""
    rows = load("digits", train, 20, 50, 0, images)
    metrics, accuracies = rfm_metrics(rows)
    assert list(metrics) == ["rfm 1", "rfm 5"]
    assert len(accuracies) == 6
    for updates in (1, 5):
        model = RFMClassifier(bandwidth=10.0, ridge=1e-3, iterations=updates).fit(rows.X, rows.y)
        M = model.M_ if isinstance(model.M_, np.ndarray) else np.asarray(model.M_.dense())
        np.testing.assert_allclose(metrics[f"rfm {updates}"].dense().numpy(), M, rtol=0.02, atol=1e-3 * np.abs(M).max())
        assert accuracies[updates] == pytest.approx(model.score(rows.test, rows.test_y), abs=0.021)
    drawn = pictures({"nfm": metrics["rfm 1"], "rfm 5": metrics["rfm 5"], "agop": metrics["rfm 5"]})
    M = metrics["rfm 5"].dense().numpy()
    chosen = drawn["coordinates"]
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
    return Outcome(Cell("network", {**SMALL, "data": data, "start": start, "depth": 3}, seed), "ok", values)


def grid(**cosines: float) -> list[Outcome]:
    """Two datasets, three seeds."""
    return [made(data, seed, **cosines) for data in ("digits", "mnist") for seed in range(3)]


def judged(outcomes: Sequence[Outcome]) -> list[Claim]:
    return claims_of(runs_of(outcomes))


@pytest.mark.parametrize(
    ("cosine", "control", "verdict"),
    [
        (0.95, 0.2, "holds"),
        (0.95, 0.96, "does not hold"),  # high, but no higher than of a layer that learned nothing
        (0.6, 0.2, "holds in part"),
        (0.6, 0.6, "does not hold"),
        (0.4, 0.2, "undecided"),
        (0.4, 0.5, "does not hold"),
    ],
)
def test_correlations_are_judged_by_their_size_and_their_control(cosine: float, control: float, verdict: str) -> None:
    outcomes = grid(nfm=cosine, change=cosine, metric=cosine, control=control, inputs=control)
    assert [claim.verdict for claim in judged(outcomes)[:3]] == [verdict] * 3
    assert judged(outcomes[:5])[0].verdict == "undecided"  # too few networks


def test_one_dataset_decides_whether_a_correlation_is_everywhere() -> None:
    high = grid(nfm=0.95, change=0.95, metric=0.95)
    other = [made("cifar10", seed, nfm=0.6, change=0.4, metric=0.6) for seed in range(3)]
    assert [claim.verdict for claim in judged([*high, *other])[:3]] == ["holds in part", "undecided", "holds in part"]
    assert "from 0.60 (cifar10, layer 1) to 0.95 (digits, layer 1)" in judged([*high, *other])[0].measured


@pytest.mark.parametrize(
    ("coded", "verdict"),
    [((0.8, 0.81, 0.82), "holds"), ((0.2, 0.6, 0.9), "undecided"), ((0.5, 0.51, 0.49), "holds")],
)
def test_the_script_is_judged_by_the_interval_of_its_difference(coded: Sequence[float], verdict: str) -> None:
    outcomes = [made("digits", seed, coded=value) for seed, value in enumerate(coded)]
    claim = judged(outcomes)[3]
    assert claim.verdict == verdict
    gains = np.array(coded) - 0.6
    half = 4.302653 * gains.std(ddof=1) / math.sqrt(3)
    assert f"{abs(gains.mean()):.2f} ± {half:.2f} in layer 1" in claim.measured
    assert judged(outcomes[:2])[3].verdict == "undecided"


def test_additional_claims_are_sign_tests_over_networks() -> None:
    def smaller(**cosines: float) -> list[Outcome]:
        return [made(data, seed, start=SMALLER, **cosines) for data in ("digits", "mnist") for seed in range(3)]

    assert [claim.verdict for claim in judged([*grid(), *smaller(nfm=0.7)])[4:]] == ["holds"] * 3
    opposite = judged([*grid(identity=0.7, root=0.5, nfm=0.65), *smaller()])[4:]
    assert [claim.verdict for claim in opposite] == ["does not hold"] * 3
    assert judged(grid())[6].verdict == "not measured"


def test_nothing_is_claimed_without_results() -> None:
    findings = find([])
    assert {claim.verdict for claim in findings.claims} == {"not measured"}


def test_the_small_version_becomes_a_page(tmp_path: Path, images: Images) -> None:
    functions = {"network": network, "rates": rates}
    outcomes = []
    for cell in cells(quick=True):
        few = {"epochs": 5, "limit": 5, "width": 24, "depth": 3, "train": 100, "test": 50}
        values = functions[cell.kind]({**cell.parameters, **few}, cell.seed, images)
        outcomes.append(Outcome(cell, "ok", json.loads(json.dumps(values))))
    findings = find(outcomes)
    files = write_document(Document(findings.question, findings.kicker, (), tuple(findings.sections)), tmp_path)
    page, markdown = files.html.read_text(), files.markdown.read_text()
    for words in ("A1", "A2", "A3", "did not reach a training accuracy of 100 %", "as coded", "Diagonals as pictures"):
        assert words in page
        assert words in markdown
    assert "Further networks, one seed each: Adam.\n" in markdown  # the only ones of the small version
    blocks = [block for section in findings.sections for block in section.all_blocks()]
    drawn = {block.name for block in blocks if isinstance(block, Figure)}
    assert drawn == {"digits-path", "digits-diagonals", "digits-blocks"}
    assert all(claim.measured and claim.verdict for claim in findings.claims)
    assert findings.sections[0].anchor == "claims"
