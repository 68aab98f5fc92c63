"""Simplicity bias: who goes with the easy half, and who did so before any feature was learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.errors import plural
from bench.study.cell import Outcome
from bench.study.claims import ADDITIONAL, Claim, Verdict, not_measured
from bench.study.phenomena.reading import METHODS as KERNEL_METHODS
from bench.study.phenomena.reading import percent
from bench.study.summary import of_kind

TIMES, CHANCE, LEARNABLE = 4.0, 0.1, 0.2
"""How many times more accuracy is lost with the easy half than with the hard one; chance among ten classes; accuracy
from which the hard half counts as one that can be learned from."""

RULE = (
    f"A method has the bias in a run if replacing the easy half by one of another class costs at least {TIMES:g} times "
    "as much accuracy as replacing the hard half, though the hard half can be learned from: a method fitted to it "
    f"alone is right in at least {100 * LEARNABLE:.0f} % of the test images ({100 * CHANCE:.0f} % is chance). The "
    "claim about RFM and networks holds if both have it in every run, in part if one has; a method whose runs lack a "
    "learnable hard half leaves it undecided."
)
_BIAS = "RFM and networks rely on the easy half of a picture although the other says the class too"
_KERNEL = f"{ADDITIONAL}: the Laplace kernel has the bias already, without learning features"
METHODS = {**KERNEL_METHODS, "network": "Network"}
TESTS = {
    "intact": "intact",
    "left of another class": "hard half of another class",
    "left averaged": "hard half averaged",
    "right of another class": "easy half of another class",
    "right averaged": "easy half averaged",
    "left alone": "hard half alone",
    "right alone": "easy half alone",
}


def simplicity_claims(done: Sequence[Outcome]) -> list[Claim]:
    """RFM and networks; the kernel before any update."""
    runs = runs_by_method(done)
    return [_bias_claim(runs), _kernel_claim(runs)]


def runs_by_method(done: Sequence[Outcome]) -> dict[str, list[Mapping[str, float]]]:
    """Method: accuracies by test, run by run."""
    found: dict[str, list[Mapping[str, float]]] = {}
    for kind in ("simplicity-kernels", "simplicity-network"):
        for o in of_kind(done, kind):
            for method, accuracies in o.values["accuracy"].items():
                if "intact" in accuracies:  # a network that diverged has none
                    found.setdefault(method, []).append(accuracies)
    return found


def biased(run: Mapping[str, float]) -> bool | None:
    """Whether one run has the bias; None if its hard half cannot be learned from."""
    if run.get("left alone", 0.0) < LEARNABLE:
        return None
    hard, easy = (run["intact"] - run[f"{half} of another class"] for half in ("left", "right"))
    return easy > 0 and easy >= TIMES * hard


def _all_biased(runs: Sequence[Mapping[str, float]]) -> Verdict:
    found = [biased(run) for run in runs]
    if any(b is None for b in found):
        return "undecided"
    return "holds" if all(found) else "does not hold"


def _words(method: str, runs: Sequence[Mapping[str, float]]) -> str:
    parts = (percent([run[t] for run in runs]) for t in ("intact", "left of another class", "right of another class"))
    return f"{METHODS[method]} {' / '.join(parts)}"


def _bias_claim(runs: Mapping[str, list[Mapping[str, float]]]) -> Claim:
    both = [m for m in ("RFM 1", "network") if m in runs]
    if len(both) < 2:
        return not_measured(_BIAS)
    verdicts = [_all_biased(runs[m]) for m in both]
    held = verdicts.count("holds")
    verdict: Verdict = (
        "holds"
        if held == 2
        else "holds in part"
        if held
        else "undecided"
        if "undecided" in verdicts
        else "does not hold"
    )
    alone = "; ".join(f"{METHODS[m]} {percent([run['left alone'] for run in runs[m]])}" for m in both)
    return Claim(
        _BIAS,
        "Test accuracy intact / with the hard half of another class / with the easy half of another class: "
        f"{'; '.join(_words(m, runs[m]) for m in both)}. Fitted to the hard half alone: {alone}.",
        verdict,
    )


def _kernel_claim(runs: Mapping[str, list[Mapping[str, float]]]) -> Claim:
    if "Laplace" not in runs:
        return not_measured(_KERNEL)
    more = ""
    if len(runs.get("RFM 1", ())) == len(runs["Laplace"]):
        lost = {m: [run["intact"] - run["left of another class"] for run in runs[m]] for m in ("Laplace", "RFM 1")}
        less = sum(b < a for a, b in zip(lost["Laplace"], lost["RFM 1"], strict=True))
        more = (
            f" With the hard half of another class RFM loses {percent(lost['RFM 1'])} of the test images, the kernel "
            f"{percent(lost['Laplace'])}; RFM loses less in {less} of {plural(len(lost['RFM 1']), 'run')}."
        )
    return Claim(
        _KERNEL,
        f"Intact / hard half / easy half of another class: {_words('Laplace', runs['Laplace'])}.{more}",
        _all_biased(runs["Laplace"]),
    )
