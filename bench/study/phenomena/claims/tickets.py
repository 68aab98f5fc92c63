"""Lottery tickets: RFM-T against the others in two regimes, and how many images it saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.errors import plural
from bench.report import wording
from bench.study.cell import Outcome
from bench.study.claims import Claim, SignTest, not_measured
from bench.study.phenomena.reading import ALL_RULE, all_of, classes_words, parameter, points, sign_test
from bench.study.phenomena.reading import METHODS as KERNEL_METHODS
from bench.study.summary import grouped, of_kind

TICKET = "RFM-T 1"
METHODS = {
    **KERNEL_METHODS,
    TICKET: "RFM-T",
    "RFM-T 3": "RFM-T after 3 updates",
    "random mask": "Laplace, random coordinates",
    "box": "Laplace, the digit's box",
}
_FILLED = "RFM-T beats the Laplace kernel and RFM where the object fills the picture"
_LOCAL = "RFM-T beats the Laplace kernel, RFM and random masks where the feature is a small part of the picture"
RULE = (
    "The ticket is judged after one update of M, as published. Random coordinates are as many as its own, and their "
    "accuracy the mean of {masks} masks. A problem is one draw of training images of one "
    "dataset and number of images: every seed and number has training images of its own from the same set, and "
    "test images that for CIFAR-10 are the same: the test speaks about these sets, and of one dataset draws are "
    f"not independent. {ALL_RULE}"
)


def tickets_claims(done: Sequence[Outcome]) -> list[Claim]:
    """Where the object fills the picture, and where the feature is local."""
    return [
        _claim(done, False, _FILLED, ("Laplace", "RFM 1")),
        _claim(done, True, _LOCAL, ("Laplace", "RFM 1", "random mask")),
    ]


def _claim(done: Sequence[Outcome], local: bool, words: str, rivals: Sequence[str]) -> Claim:
    runs = [o for o in of_kind(done, "tickets") if is_local(o) == local and o.values["accuracy"][TICKET] is not None]
    if not runs:
        return not_measured(words)
    tests = {rival: against(runs, rival) for rival in rivals}
    measured = "; ".join(
        f"{METHODS[rival]}: {points(gains(runs, rival))} on average, {plural(test.wins, 'win')}, "
        f"{plural(test.losses, 'loss', 'losses')} (p {wording.p_value(test.p)})"
        for rival, test in tests.items()
    )
    split = "; ".join(
        f"{setting_words(some[0])} {test.wins} and {test.losses}"
        for some in grouped(runs, setting_of).values()
        for test in [against(some, "Laplace")]
    )
    pairs = grouped(runs, lambda o: (setting_of(o), int(o.cell.parameters["n"])))
    above = sum(float(np.mean(gains(some, "Laplace"))) > 0 for some in pairs.values())
    saved = [
        f"{setting_words(some[0])} {_factor(found)}"
        for some in grouped(runs, setting_of).values()
        if (found := _median_saving(savings(some))) is not None
    ]
    less = (
        f" To reach what RFM-T has, the Laplace kernel needs, in the median over n: {'; '.join(saved)}."
        if saved
        else ""
    )
    return Claim(
        words,
        f"RFM-T against the others on {plural(len(runs), 'draw')}. {measured}. Wins and losses against the "
        f"Laplace kernel by dataset: {split}. On average over draws it is above the "
        f"Laplace kernel at {above} of {len(pairs)} pairs of a dataset and a number of images.{less}",
        all_of([test.verdict for test in tests.values()]),
    )


def is_local(o: Outcome) -> bool:
    """Whether the object is a small part of the picture."""
    return parameter(o, "photos") is not None


def gains(runs: Sequence[Outcome], rival: str) -> list[float]:
    """RFM-T's accuracy less that of ``rival``, draw by draw."""
    return [o.values["accuracy"][TICKET] - o.values["accuracy"][rival] for o in runs]


def against(runs: Sequence[Outcome], rival: str) -> SignTest:
    """RFM-T against another method."""
    return sign_test(gains(runs, rival))


def savings(runs: Sequence[Outcome]) -> dict[int, float]:
    """n: how many times as many images the Laplace kernel needs for the mean accuracy that RFM-T has at n.

    Mean accuracies are interpolated on the logarithm of n. Infinite where the kernel never has so much, 0 where it has
    with the fewest images already.
    """
    by_n = dict(sorted(grouped(runs, lambda o: int(o.cell.parameters["n"])).items()))
    sizes = list(by_n)
    ours, kernel = (
        [float(np.mean([o.values["accuracy"][method] for o in some])) for some in by_n.values()]
        for method in (TICKET, "Laplace")
    )
    return {n: size_needed(sizes, kernel, target) / n for n, target in zip(sizes, ours, strict=True)}


def size_needed(sizes: Sequence[int], accuracies: Sequence[float], target: float) -> float:
    """The smallest number of images at which ``accuracies``, linear in the logarithm of ``sizes``, reach ``target``."""
    if accuracies[0] >= target:
        return 0.0
    for k in range(1, len(sizes)):
        low, high = accuracies[k - 1], accuracies[k]
        if high >= target:
            part = (target - low) / (high - low)
            return float(np.exp(np.log(sizes[k - 1]) + part * np.log(sizes[k] / sizes[k - 1])))
    return float("inf")


def _median_saving(found: Mapping[int, float]) -> float | None:
    """The median over n; 0 where one of the two in the middle is: it says fewer than were tried, and is no factor."""
    values, count = sorted(found.values()), len(found)
    if count < 2:
        return None
    low, high = values[(count - 1) // 2], values[count // 2]
    return (low + high) / 2 if low else 0.0


def _factor(value: float) -> str:
    if value == 0:
        return "fewer than were tried"
    return "more images than were tried" if np.isinf(value) else f"{value:.2g} times as many images"


def setting_of(o: Outcome) -> tuple[str, str, tuple[int, ...]]:
    p = o.cell.parameters
    return str(p["images"]), str(p.get("photos", "")), tuple(p["classes"])


def setting_words(o: Outcome) -> str:
    """The dataset of a draw."""
    p = o.cell.parameters
    words = classes_words(p["images"], p["classes"])
    return f"{words}, in the corner of a photo" if is_local(o) else words
