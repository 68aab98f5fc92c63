"""Faces: does M name what the class is about?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.study.cell import Outcome
from bench.study.claims import NO_RESULT, Claim, not_measured
from bench.study.phenomena.reading import METHODS, counted, percent
from bench.study.summary import grouped, of_kind

TIMES = 2.0
"""How many times the eyes' share of the pixels their share of the named pixels must be."""
RULE = (
    f"M names the eyes in a run if their box has at least {TIMES:g} times as large a share of the pixels that M names "
    "after one update as of all pixels. The claim holds if it does in all runs, in part if in more than half."
)
PASTED_RULE = (
    "On CelebA, what M names matters in a run if a template pasted over the pixels that it names costs RFM more "
    "accuracy than one pasted over as many random pixels. The claim holds if it does in all runs, in part if in more "
    "than half."
)
_EYES = "Where the class is a pair of glasses, M names the eyes"
_PASTED = "CelebA: templates pasted over what M names change predictions (lipstick, earrings, glasses)"
ATTRIBUTES = {"Wearing_Lipstick": "lipstick", "Wearing_Earrings": "earrings", "Eyeglasses": "glasses"}


def faces_claims(done: Sequence[Outcome], outcomes: Sequence[Outcome]) -> list[Claim]:
    """Olivetti's glasses; CelebA's attributes, or why they were not measured."""
    return [_eyes_claim(of_kind(done, "faces")), _pasted_claim(of_kind(done, "celeba"), outcomes)]


def times_at_the_eyes(o: Outcome) -> float:
    """The eyes' share of the named pixels over their share of all; 0 if nothing is named."""
    named = o.values["named"]["RFM 1"]
    return named["hits"] / named["count"] / o.values["area"] if named["count"] else 0.0


def _eyes_claim(runs: Sequence[Outcome]) -> Claim:
    if not runs:
        return not_measured(_EYES)
    times = [times_at_the_eyes(o) for o in runs]
    named = [o.values["named"]["RFM 1"] for o in runs]
    accuracies = ", ".join(
        f"{title} {percent([o.values['accuracy'][m] for o in runs])}" for m, title in METHODS.items()
    )
    return Claim(
        _EYES,
        f"The box of the eyes is {percent(runs[0].values['area'])} of the picture, and has "
        f"{percent([n['hits'] / max(1, n['count']) for n in named])} of the pixels that M names ({np.mean(times):.1f} "
        f"times as much) and {percent([n['share'] for n in named])} of its trace. Accuracy on faces of other persons: "
        f"{accuracies}.",
        counted(sum(t >= TIMES for t in times), len(times)),
    )


def _pasted_claim(runs: Sequence[Outcome], outcomes: Sequence[Outcome]) -> Claim:
    if not runs:
        reasons = [o.reason for o in of_kind(outcomes, "celeba") if o.status == "skipped"]
        return not_measured(_PASTED, reasons[0] if reasons else NO_RESULT)
    lost = [(_lost(o, "named"), _lost(o, "random")) for o in runs]
    shown = "; ".join(
        f"{ATTRIBUTES.get(name, name)}: {percent([o.values['accuracy']['RFM 1'] for o in some])}, pasted over what M "
        f"names {percent([o.values['pasted']['RFM 1']['named'] for o in some])}, over as many random pixels "
        f"{percent([o.values['pasted']['RFM 1']['random'] for o in some])}"
        for name, some in grouped(runs, lambda o: str(o.cell.parameters["attribute"])).items()
    )
    return Claim(_PASTED, f"RFM's test accuracy. {shown}.", counted(sum(a > b for a, b in lost), len(lost)))


def _lost(o: Outcome, mask: str) -> float:
    return float(o.values["accuracy"]["RFM 1"] - o.values["pasted"]["RFM 1"][mask])
