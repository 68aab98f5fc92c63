"""The claims about matrix completion: the published setting, networks, and other ways to complete, noise or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.errors import plural
from bench.report import wording
from bench.study.cell import Outcome
from bench.study.claims import ADDITIONAL, Claim, SignTest, Verdict, agreed, not_measured
from bench.study.lin_rfm.sections.methods import EXACT, HOPELESS, NETWORKS, PUBLISHED, TITLES
from bench.study.summary import grouped, mean_point, of_kind

PUBLISHED_STOP = 1e-3**0.5
"""The published code stops, satisfied, at a mean squared error of 1e-3."""

_OURS = ("lin-RFM alternating",)
_OTHERS = ("ALS", "soft-impute")
_CHOSEN = "as published, power by held-out entries"
_ALTERNATING = "alternating sides, ours"
_BETTER = "Better than deep linear networks on low-rank matrix completion without noise"
_NOISY = f"{ADDITIONAL}: better than deep linear networks where the observed entries are noisy ({_ALTERNATING})"
_EXACT_OTHERS = f"{ADDITIONAL}: better than ALS and Soft-impute without noise ({_ALTERNATING})"
_NOISY_OTHERS = f"{ADDITIONAL}: better than ALS and Soft-impute where the observed entries are noisy ({_ALTERNATING})"
_SETTING = "Completes a matrix in the published code's setting (500 x 500, rank 5, 10,000 entries)"


def completion_claims(done: Sequence[Outcome]) -> list[Claim]:
    """The published setting; against networks, and against ALS and Soft-impute, without noise and with it."""
    exact, noisy = of_kind(done, "completion"), of_kind(done, "noise")
    return [
        _setting_claim(done),
        _versus(exact, f"{_BETTER} ({_CHOSEN})", PUBLISHED, NETWORKS),
        _versus(exact, f"{_BETTER} ({_ALTERNATING})", _OURS, NETWORKS),
        _versus(noisy, _NOISY, _OURS, NETWORKS),
        _versus(exact, _EXACT_OTHERS, _OURS, _OTHERS),
        _versus(noisy, _NOISY_OTHERS, _OURS, _OTHERS),
    ]


def ended_words(cells: Sequence[Outcome]) -> str:
    """How many networks of the cells ended, by the definition of ended; empty without any of which it is known."""
    from bench.study.baselines.networks import UNFITTED  # whose module loads PyTorch

    runs = [o.values[m] for o in cells for m in NETWORKS if m in o.values and "cut_off" in o.values[m]]
    if not runs:
        return ""
    ended = sum(not run["cut_off"] for run in runs)
    starts = Counter(float(run["chosen"]["start"]) for run in runs)
    exact = "" if cells[0].cell.parameters.get("noise") else f", their entries fitted to {UNFITTED:g}"
    return (
        f" Of {len(runs)} networks (a depth, a matrix) {ended} ended within their "
        f"{max(run['steps_at_most'] for run in runs):,} steps{exact}. Starts chosen: "
        f"{', '.join(f'{start:g} by {starts[start]}' for start in sorted(starts, reverse=True))}."
    )


def others_words(cells: Sequence[Outcome]) -> str:
    """How often ALS used up its sweeps, and soft-impute chose the end of its path; empty if that is not known."""
    words = ""
    if als := [o.values["ALS"] for o in cells if "cut_off" in o.values.get("ALS", {})]:
        ended = sum(not one["cut_off"] for one in als)
        words += (
            f" ALS ended, in all its fits, within {max(one['steps_at_most'] for one in als):,} sweeps on {ended} of "
            f"{plural(len(als), 'matrix', 'matrices')}."
        )
    if soft := [o.values["soft-impute"] for o in cells if "at_end" in o.values.get("soft-impute", {})]:
        words += (
            f" Soft-impute chose the smallest threshold of its path on {sum(one['at_end'] for one in soft)} of "
            f"{len(soft)}."
        )
    return words


def _chosen(values: Mapping[str, Any], methods: Sequence[str]) -> float:
    """The test error of the one of ``methods`` that the held-out entries choose."""
    chosen = min((m for m in methods if m in values), key=lambda m: float(values[m]["held_out_rmse"]))
    return float(values[chosen]["rmse"])


def _setting_claim(done: Sequence[Outcome]) -> Claim:
    cells = of_kind(done, "published")
    matrices: dict[int, dict[str, Mapping[str, Any]]] = {}
    for o in cells:
        matrices.setdefault(o.cell.seed, {})[o.cell.parameters["method"]] = o.values
    chosen = [_chosen(found, PUBLISHED) for found in matrices.values() if all(m in found for m in PUBLISHED)]
    if not chosen:
        return not_measured(_SETTING)
    reached = sum(error < PUBLISHED_STOP for error in chosen)
    verdict: Verdict = "holds" if reached == len(chosen) else "holds in part" if reached else "does not hold"
    shown = "; ".join(
        f"{TITLES[m]} {_figures([float(found[m]['rmse']) for found in matrices.values() if m in found])}"
        for m in TITLES
        if any(m in found for found in matrices.values())
    )
    p = cells[0].cell.parameters
    return Claim(
        _SETTING,
        f"{p['size']} x {p['size']}, rank {p['rank']}, {p['count']:,} entries: as published, with the power, the "
        "ridge's fall and the iteration chosen by held-out observed entries, "
        f"{reached} of {len(chosen)} matrices get to the published code's own goal, {PUBLISHED_STOP:.3f}. Root mean "
        f"squared error at unseen entries, a figure a matrix: {shown}.",
        verdict,
    )


def _figures(values: Sequence[float]) -> str:
    return ", ".join(f"{v:.2g}" for v in values)


def _versus(cells: Sequence[Outcome], claim: str, ours: Sequence[str], rivals: Sequence[str]) -> Claim:
    """One of ``ours`` against one of ``rivals``, chosen by the held-out entries on both sides.

    Errors below :data:`EXACT` are equal: the matrix is recovered. So are errors above :data:`HOPELESS`. A rival that
    was cut off, and is behind, might end ahead: the test is done with all of these as they are and as losses.
    """
    cells = [o for o in cells if all(any(m in o.values for m in some) for some in (ours, rivals))]
    if not cells:
        return not_measured(claim)
    mine, theirs = (np.array([_chosen(o.values, some) for o in cells]) for some in (ours, rivals))
    hopeless = np.minimum(mine, theirs) > HOPELESS
    a, b = (np.where(hopeless, HOPELESS, np.maximum(errors, EXACT)) for errors in (mine, theirs))
    open_ = int(np.sum((a < b) & [any(o.values[m].get("cut_off") for m in rivals if m in o.values) for o in cells]))
    test = SignTest(int((a < b).sum()), int((a > b).sum()))
    words = f"Lower error on {test.wins} of {len(cells)} matrices, higher on {test.losses}"
    if both := int((np.maximum(mine, theirs) < EXACT).sum()):
        words += f", recovered by both {both}"
    if neither := int(hopeless.sum()):
        words += f", above {HOPELESS:g} by both {neither}"
    words += f" (sign test p {wording.p_value(test.p)})."
    noise = cells[0].cell.parameters.get("noise")
    if noise:
        words = (
            f"Noise of {noise:g} of the entries' size: {words[0].lower()}{words[1:]} Mean error: {_by_density(cells)}."
        )
    else:
        ratio = float(np.exp(np.mean(np.log(np.maximum(theirs, EXACT)) - np.log(np.maximum(mine, EXACT)))))
        alone = SignTest(
            int(((mine < EXACT) & (theirs >= EXACT)).sum()), int(((theirs < EXACT) & (mine >= EXACT)).sum())
        )
        words += (
            f" Their error over lin-RFM's, geometric mean, smaller ones as {EXACT:g}: {ratio:,.3g}. Recovered: "
            f"{int((mine < EXACT).sum())} against {int((theirs < EXACT).sum())}; only lin-RFM {alone.wins}, only "
            f"{'networks' if rivals == NETWORKS else 'one of the others'} {alone.losses} (sign test p "
            f"{wording.p_value(alone.p)})."
        )
    if rivals == NETWORKS:
        words += ended_words(cells)
    if rivals == _OTHERS:
        words += others_words(cells)
    return Claim(claim, words, agreed(test, SignTest(test.wins - open_, test.losses + open_)))


def _by_density(cells: Sequence[Outcome]) -> str:
    by_density = grouped(cells, lambda o: float(o.cell.parameters["density"]))
    return "; ".join(
        f"{100 * density:g} % observed: "
        + ", ".join(
            f"{name} {mean_words([_chosen(o.values, methods) for o in some])}"
            for name, methods in (
                ("alternating", _OURS),
                ("as published", PUBLISHED),
                ("ALS", ("ALS",)),
                ("Soft-impute", ("soft-impute",)),
                ("networks", NETWORKS),
            )
            if all(any(m in o.values for m in methods) for o in some)
        )
        for density, some in sorted(by_density.items())
    )


def mean_words(values: Sequence[float]) -> str:
    """The mean and, of three or more, half of its 95 % Student interval."""
    point = mean_point(0.0, values)
    half = f" ± {wording.number(point.high - point.value, 3)}" if len(values) > 2 else ""
    return f"{wording.number(point.value, 3)}{half}"
