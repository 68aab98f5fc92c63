"""Grokking: what counts as it, in RFM and in networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.errors import plural
from bench.study.cell import Outcome
from bench.study.claims import NO_RESULT, Claim, Verdict, not_measured
from bench.study.phenomena.reading import counted, parameter, percent
from bench.study.summary import grouped, of_kind

STARTS_BELOW, ENDS_ABOVE = 0.75, 0.95
"""Test accuracy of the kernel, and after the last update, of an RFM that groks."""
LATER = 4.0
"""How many times later than all training images a network that groks gets 95 % of the test images right."""
ALIKE = 0.8
"""Cosine with RFM's M from which a first layer counts as having the same features."""
OUTPUTS = 10

RFM_RULE = (
    f"RFM groks in a run if training accuracy is 100 % at every iteration while test accuracy rises from below "
    f"{100 * STARTS_BELOW:.0f} % to {100 * ENDS_ABOVE:.0f} % or more. The claim holds if all runs with the patch do, "
    "and none without it; in part if more than half do, and none without it."
)
NETWORK_RULE = (
    f"A network groks in a run if the first epoch at {100 * ENDS_ABOVE:.0f} % test accuracy comes at least {LATER:g} "
    "times later than the first at 100 % training accuracy; of several learning rates and batch sizes the one with "
    "the least training loss in the end counts, and a network that diverged never does. The claim holds if more than "
    "half of the runs grok, in part if any does; it is undecided if none does, but more than half had not reached that "
    "test accuracy when training ended."
)
ALIKE_RULE = (
    "What training adds to the first layer comes to weigh what M weighs if in the end the cosine of D'D and M, as"
    f" matrices' entries, is at least {ALIKE:g} and larger than at first; D is what training has added to the "
    "layer. The claim holds if it does so in every run, in part if in more than half."
)
_RFM = "RFM groks: test accuracy rises while training accuracy is 100 % throughout"
_NETWORK = "Networks grok on the same images"
_ALIKE = "What training adds to the network's first layer comes to weigh what RFM's M weighs"
VARIANTS = {
    "patch": "Patch",
    "moved": "Patch elsewhere in test images",
    "no patch": "No patch",
    "balanced": "Patch, balanced",
}


def grokking_claims(done: Sequence[Outcome]) -> list[Claim]:
    """RFM, networks, and whether they look at the same pixels."""
    return [_rfm_claim(done), _network_claim(done), _alike_claim(done)]


def variant_of(o: Outcome) -> str:
    counts = parameter(o, "counts")
    return "no patch" if parameter(o, "patch") is None else "balanced" if counts[0] == counts[1] else "patch"


def groks(values: dict[str, Any]) -> bool:
    """Whether one run of RFM does."""
    test = values["test"]
    return min(values["train"]) == 1.0 and test[0] < STARTS_BELOW and test[-1] >= ENDS_ABOVE


def _rfm_claim(done: Sequence[Outcome]) -> Claim:
    runs = grouped(of_kind(done, "grokking-rfm"), variant_of)
    if "patch" not in runs or "no patch" not in runs:
        return not_measured(_RFM)
    good = [sum(groks(dict(o.values)) for o in runs[v]) for v in ("patch", "no patch")]
    verdict: Verdict = counted(good[0], len(runs["patch"])) if good[1] == 0 else "does not hold"

    def path(variant: str, key: str = "test") -> str:
        return " → ".join(
            percent([o.values[key][k] for o in runs[variant]]) for k in range(len(runs[variant][0].values[key]))
        )

    balanced = (
        f" Balanced classes with the patch start at {path('balanced').partition(' → ')[0]}."
        if "balanced" in runs
        else ""
    )
    auc = float(np.mean([o.values["auc"][0] for o in runs["patch"]]))
    shown = [o for variant in ("patch", "no patch") for o in runs[variant]]
    least = min(min(o.values["train"]) for o in shown)
    training = "100 % at all" if least == 1.0 else f"at least {percent(least)}"
    return Claim(
        _RFM,
        f"Test accuracy by iteration, training accuracy {training}: with the patch {path('patch')}; without it "
        f"{path('no patch')}. {good[0]} of {len(runs['patch'])} runs with the patch grok, {good[1]} of "
        f"{len(runs['no patch'])} without. The patch has {percent([o.values['share'][1] for o in runs['patch']])} of "
        f"M's trace after one update and {percent([o.values['share'][-1] for o in runs['patch']])} after the last."
        f"{balanced} Part of the rise is where the kernel puts its threshold: its scores at iteration 0 rank the test "
        f"images with an area under the ROC curve of {auc:.2f} already.",
        verdict,
    )


def _chosen(done: Sequence[Outcome], variant: str = "patch") -> list[Outcome]:
    """Of each seed's networks of ten outputs, that with the least training loss in the end; the diverged have none."""
    found = [
        o
        for o in of_kind(done, "grokking-network")
        if variant_of(o) == variant and parameter(o, "outputs") == OUTPUTS and o.values["diverged"] is None
    ]
    by_seed = grouped(found, lambda o: (parameter(o, "images"), o.cell.seed))
    return [min(some, key=lambda o: float(o.values["loss"][-1])) for some in by_seed.values()]


def _without_networks(done: Sequence[Outcome], words: str) -> Claim:
    """The claim ``words`` where none of the networks that it is about has been trained to an end."""
    tried = any(variant_of(o) == "patch" for o in of_kind(done, "grokking-network"))
    return not_measured(words, "Every network with ten outputs diverged." if tried else NO_RESULT)


def first_epoch(values: dict[str, Any], key: str, at_least: float) -> int | None:
    """The first epoch that was looked at with so large an accuracy; None if there is none."""
    return next((e for e, v in zip(values["epochs"], values[key], strict=True) if v >= at_least), None)


def is_dead(o: Outcome) -> bool:
    """Whether a network's error was in the end that of outputs that are all 0: its units no longer respond."""
    losses = o.values["loss"]
    return bool(losses) and float(losses[-1]) >= 0.999 / int(o.cell.parameters["outputs"])


def _network_claim(done: Sequence[Outcome]) -> Claim:
    runs = _chosen(done)
    if not runs:
        return _without_networks(done, _NETWORK)
    firsts = [
        (first_epoch(dict(o.values), "train", 1.0), first_epoch(dict(o.values), "test", ENDS_ABOVE)) for o in runs
    ]
    good = sum(train is not None and test is not None and test >= LATER * train for train, test in firsts)
    never = sum(test is None for _, test in firsts)
    verdict: Verdict = (
        "holds"
        if 2 * good > len(runs)
        else "holds in part"
        if good
        else "undecided"
        if 2 * never > len(runs)
        else "does not hold"
    )
    shown = "; ".join(f"{epoch_words(train)} and {epoch_words(test)}" for train, test in firsts)
    plain = _chosen(done, "no patch")
    without = (
        f" Without the patch test accuracy ends at {percent([o.values['test'][-1] for o in plain])}." if plain else ""
    )
    return Claim(
        _NETWORK,
        f"First epochs at 100 % training and at {100 * ENDS_ABOVE:.0f} % test accuracy, run by run: {shown}. {good} of "
        f"{plural(len(runs), 'run')} grok; test accuracy ends at {percent([o.values['test'][-1] for o in runs])}."
        f"{without}",
        verdict,
    )


def epoch_words(number: int | None) -> str:
    return "never" if number is None else str(number)


def _alike_claim(done: Sequence[Outcome]) -> Claim:
    runs = _chosen(done)
    if not runs:
        return _without_networks(done, _ALIKE)
    cosines = {words: [o.values["cosines"][words] for o in runs] for words in ("moved", "layer")}
    good = sum(path[-1] >= ALIKE and path[-1] > path[0] for path in cosines["moved"])
    first, last = ([path[k] for path in cosines["moved"]] for k in (0, -1))
    shares = [[o.values["shares"]["moved"][k] for o in runs] for k in (0, -1)]
    return Claim(
        _ALIKE,
        f"Cosine of D'D and M, with D what training has added to the first layer W: {np.mean(first):.2f} after the "
        f"first epoch, {np.mean(last):.2f} (lowest {min(last):.2f}) after the last. The patch's share of the trace of "
        f"D'D: {percent(shares[0])}, then {percent(shares[1])}. W'W itself is mostly the random start: its cosine "
        f"ends at {np.mean([path[-1] for path in cosines['layer']]):.2f}.",
        counted(good, len(runs)),
    )
