"""Spurious features: what M names, what is left with the tie reversed and after the named is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.errors import plural
from bench.report import wording
from bench.study.cell import Outcome
from bench.study.claims import ADDITIONAL, NO_RESULT, Claim, Verdict, not_measured
from bench.study.phenomena.reading import all_of, percent, sign_test
from bench.study.summary import grouped, of_kind

RECALL, PRECISION, STRONG = 0.9, 0.5, 0.9
"""Of the mark's coordinates, and of those that M names, so many must be both; ties from which the mark is a strong
feature."""
MOST, CLOSE = 0.9, 0.03
"""Share of the draws that counts as all but chance; difference in accuracy that counts as none."""
CHANCE = 0.5

NAMED_RULE = (
    f"M names the mark in a draw if at least {100 * RECALL:.0f} % of the mark's coordinates are among those that it "
    f"names (diagonal scaled to 0 to 1, above 0.05, after one update) and at least {100 * PRECISION:.0f} % of these "
    f"are the mark's. The claim holds if it does so in {100 * MOST:.0f} % of the draws with a tie, in part if in so "
    f"many of those tied in {100 * STRONG:.0f} % of the images or more, and does not hold else. Control: marks "
    "without a tie (50 %)."
)
LEFT_OUT_RULE = (
    f"A draw is restored if, without the coordinates that M names, accuracy on images with the reversed tie is no more "
    f"than {100 * CLOSE:.0f} percentage points below that of the same method fitted to and tested on the same images "
    f"without marks. The claim is judged on all draws with a tie; it holds if {100 * MOST:.0f} % of them are restored, "
    "in part if more than half are. Control: as many random coordinates left out. Until the results were known it was "
    "judged on the draws alone in which M names the mark."
)
_NAMED = "The diagonal of M names a spurious mark"
_REVERSED = "RFM and networks rely on the mark: with the tie reversed they are worse than chance"
_KERNEL = f"{ADDITIONAL}: so does the Laplace kernel, without learning features"
_LEFT_OUT = f"{ADDITIONAL}: leaving out what M names undoes the reliance on the mark"


def spurious_claims(done: Sequence[Outcome]) -> list[Claim]:
    """What is named, what is left when the tie is reversed, what leaving out the named restores."""
    kernels, networks = of_kind(done, "spurious-kernels"), of_kind(done, "spurious-network")
    tied = [o for o in kernels if tied_share(o) > CHANCE]
    return [
        _named_claim(kernels, tied),
        _reversed_claim(_REVERSED, {"RFM 1": tied, "network": [o for o in networks if tied_share(o) > CHANCE]}),
        _reversed_claim(_KERNEL, {"Laplace": tied}),
        _left_out_claim(tied),
    ]


def tied_share(o: Outcome) -> float:
    return float(o.cell.parameters["share"])


def recall_and_precision(o: Outcome) -> tuple[float, float]:
    """Of the mark's coordinates those that M names after one update, and of these the mark's (1 if it names none)."""
    named = o.values["named"]["RFM 1"]
    return named["hits"] / named["mark"], named["hits"] / named["count"] if named["count"] else 1.0


def names_the_mark(o: Outcome) -> bool:
    """Whether M does after one update."""
    recall, precision = recall_and_precision(o)
    return recall >= RECALL and precision >= PRECISION


def _named_claim(kernels: Sequence[Outcome], tied: Sequence[Outcome]) -> Claim:
    if not tied:
        return not_measured(_NAMED)
    strong, untied = [o for o in tied if tied_share(o) >= STRONG], [o for o in kernels if tied_share(o) == CHANCE]

    def part(some: Sequence[Outcome]) -> float:
        return sum(map(names_the_mark, some)) / len(some) if some else 0.0

    verdict: Verdict = "holds" if part(tied) >= MOST else "holds in part" if part(strong) >= MOST else "does not hold"
    shown = "; ".join(
        f"{100 * share:.0f} %: {sum(map(names_the_mark, some))} of {len(some)}"
        for share, some in sorted(grouped(tied, tied_share).items())
    )
    control = f" Without a tie: {sum(map(names_the_mark, untied))} of {plural(len(untied), 'draw')}." if untied else ""
    found = [recall_and_precision(o) for o in tied]
    return Claim(
        _NAMED,
        f"Draws in which it does, by the share of images in which the mark says the class: {shown}.{control} Mean "
        f"recall {np.mean([r for r, _ in found]):.2f}, precision {np.mean([p for _, p in found]):.2f}. Tied in "
        f"{100 * STRONG:.0f} % or more: {sum(map(names_the_mark, strong))} of {len(strong)} draws"
        f"{_missed_words([o for o in strong if not names_the_mark(o)])}.",
        verdict,
    )


def _missed_words(missed: Sequence[Outcome]) -> str:
    """Of the draws in which M does not name the mark: how large it is, and what M names."""
    if not missed:
        return ""
    sides = sorted({int(o.cell.parameters["mark"]) for o in missed})
    found = [recall_and_precision(o) for o in missed]
    return (
        f" (the others: marks of side {wording.listing([str(side) for side in sides])}, recall "
        f"{np.mean([r for r, _ in found]):.2f}, precision {np.mean([p for _, p in found]):.2f})"
    )


def _reversed_claim(words: str, runs: Mapping[str, Sequence[Outcome]]) -> Claim:
    found = {
        m: [o.values["accuracy"][m] for o in some if "reversed" in o.values["accuracy"][m]] for m, some in runs.items()
    }
    if not all(found.values()):
        lost = [method_words(m) for m, some in runs.items() if some and not found[m]]
        return not_measured(words, f"Every draw of the {wording.listing(lost)} diverged." if lost else NO_RESULT)
    tests = {m: sign_test(CHANCE - a["reversed"] for a in some) for m, some in found.items()}
    measured = "; ".join(
        f"{method_words(m)}: {percent([a['kept'] for a in some])} with the tie kept in all test images, "
        f"{percent([a['reversed'] for a in some])} with it reversed, below chance in {tests[m].wins} of "
        f"{plural(len(some), 'draw')} (p {wording.p_value(tests[m].p)})"
        for m, some in found.items()
    )
    return Claim(words, f"{measured}.", all_of([test.verdict for test in tests.values()]))


def restored(o: Outcome, words: str = "named") -> bool:
    """Whether RFM is, without the coordinates called ``words``; not if there were none left to fit to."""
    left = o.values["left out"].get(words)
    without_marks = o.values["clean"]["RFM 1"]
    return left is not None and bool(left["RFM 1"]["reversed"] >= without_marks - CLOSE)


def _left_out_claim(tied: Sequence[Outcome]) -> Claim:
    if not tied:
        return not_measured(_LEFT_OUT)
    good = {words: sum(restored(o, words) for o in tied) for words in ("named", "random")}
    named = [o for o in tied if names_the_mark(o)]
    part = good["named"] / len(tied)
    verdict: Verdict = "holds" if part >= MOST else "holds in part" if part > 0.5 else "does not hold"

    def reversed_after(words: str) -> str:
        found = [o.values["left out"][words]["RFM 1"]["reversed"] for o in tied if words in o.values["left out"]]
        return percent(found) if found else wording.DASH

    return Claim(
        _LEFT_OUT,
        f"On {plural(len(tied), 'draw')} with a tie, RFM with the tie reversed: "
        f"{percent([o.values['accuracy']['RFM 1']['reversed'] for o in tied])}, without the named coordinates "
        f"{reversed_after('named')}, without as many random ones {reversed_after('random')}, fitted to images without "
        f"marks {percent([o.values['clean']['RFM 1'] for o in tied])}. Restored: {plural(good['named'], 'draw')}, with "
        f"random ones left out {good['random']}; of those in which M names the mark, {sum(map(restored, named))} of "
        f"{len(named)}.",
        verdict,
    )


def method_words(method: str) -> str:
    return {"Laplace": "Laplace kernel", "RFM 1": "RFM", "RFM 3": "RFM, 3 updates", "network": "networks"}[method]
