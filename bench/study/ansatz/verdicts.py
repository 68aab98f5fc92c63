"""The claims and the rules by which they are judged, fixed before the full run but for what :data:`RULE` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.errors import plural
from bench.report import wording
from bench.study.ansatz.cells import DEFAULT, SMALLER
from bench.study.ansatz.runs import Interval, Look, Run, at, by_dataset, layer_count, main_runs, mean, over_layers
from bench.study.claims import ADDITIONAL, Claim, SignTest, Verdict, not_measured

HIGH, MODERATE = 0.9, 0.5
"""Mean cosines from which a correlation counts as the paper's, and from which it counts at all."""

SMALL = 0.05
"""Difference of cosines that counts as none."""

ENOUGH = 6
"""Pairs without which no sign test can tell (p < .05)."""

RULE = (
    f"A claim of correlation holds where the mean cosine over seeds is at least {HIGH:g} in every layer of every "
    f"dataset, and above its control; it holds in part where it is at least {MODERATE:g} everywhere, and above its"
    f" control; it does not hold where it is not above its control, or below {MODERATE:g} in more than half of the "
    f"layers (of A2, the datasets); else, and with fewer than {ENOUGH} pairs, it is undecided. Above: in a two-sided "
    "sign test (p < 0.05) of each network's mean over its layers. The control of a layer is the same with the layer, "
    "or its change, redrawn: the same singular values, random singular vectors. It is compared with the trained "
    "network's AGOP and with that of the network with the redrawn layer in place; the more alike counts. The control "
    "of M is X'X. Networks of one dataset are not independent: with five datasets, a claim that every dataset supports "
    "has p = 0.06 by dataset. A3 holds where the 95 % Student interval over networks of the difference excludes zero "
    "in every layer, in part where it does in some; it does not hold where all of these intervals lie between "
    f"±{SMALL:g}, and is undecided else. All other claims are judged by sign tests over networks. That a claim of "
    f"correlation does not hold below {MODERATE:g}, and A3 between ±{SMALL:g}, was added when the results were known: "
    "before, such claims were undecided."
)


def claims_of(runs: Sequence[Run]) -> list[Claim]:
    """All claims in the order of the report."""
    return [
        layers_claim(runs, "A1: in every layer, W'W (NFM) and the AGOP are highly correlated", "nfm agop", "redrawn"),
        layers_claim(
            runs,
            "A1, what was learned: in every layer, (W − W₀)'(W − W₀) and the AGOP are highly correlated",
            "change agop",
            "drift",
        ),
        metric_claim(runs),
        script_claim(runs),
        identity_claim(runs),
        root_claim(runs),
        start_claim(runs),
    ]


def layers_claim(runs: Sequence[Run], words: str, name: str, redrawn: str) -> Claim:
    """A1, of a likeness ``name``, against what is ``redrawn``."""
    chosen = main_runs(runs)
    if not chosen:
        return not_measured(words)

    def value(run: Run, layer: int) -> float | None:
        return at(run.end, layer, name)

    def control(run: Run, layer: int) -> float | None:
        found = run.values["controls"][layer]
        values = [found[f"{redrawn} {against}"][0] for against in ("agop", "own")]
        return max((value for value in values if value is not None), default=None)

    cosines: dict[str, float] = {}
    for data, some in by_dataset(chosen).items():
        for layer in range(layer_count(some[0])):
            cosines[f"{data}, layer {layer + 1}"] = mean(value(run, layer) for run in some) or 0.0
    gains = _differences(chosen, value, control)
    test = SignTest.of(gains)
    own, other = (mean(over_layers(run, look) for run in chosen) for look in (value, control))
    return Claim(
        words,
        f"{_range(cosines, 'layer')}; mean {wording.number(own, 2)}, control {wording.number(other, 2)}. "
        f"{_count('Above the control', 'below', test, len(gains))}",
        correlation_verdict(list(cosines.values()), test, len(gains)),
    )


def metric_claim(runs: Sequence[Run]) -> Claim:
    """A2: RFM's M and what the first layer learned."""
    words = "A2: RFM's M, after one update, is highly correlated with what a network's first layer learned"
    chosen = main_runs(runs)
    if not chosen:
        return not_measured(words)

    def value(run: Run, of: str, by: str) -> float | None:
        found: float | None = run.values["first"][f"{of} {by}"][0]
        return found

    cosines = {
        data: mean(value(run, "change", "rfm 1") for run in some) or 0.0 for data, some in by_dataset(chosen).items()
    }
    gains = [
        a - b
        for run in chosen
        for a, b in [(value(run, "change", "rfm 1"), value(run, "change", "inputs"))]
        if a is not None and b is not None
    ]
    test = SignTest.of(gains)
    means = {
        (of, by): wording.number(mean(value(run, of, by) for run in chosen), 2)
        for of in ("change", "nfm")
        for by in ("rfm 1", "rfm 5", "inputs", "agop")
    }
    above = "Above X'X"
    diagonals = wording.number(mean(run.values["diagonals"]["change rfm 1"] for run in chosen), 2)
    return Claim(
        words,
        f"{_range(cosines, 'dataset')}. Mean with (W − W₀)'(W − W₀): M {means['change', 'rfm 1']} (after 5 updates "
        f"{means['change', 'rfm 5']}), X'X {means['change', 'inputs']}, the network's AGOP {means['change', 'agop']}; "
        f"with W'W: {means['nfm', 'rfm 1']} ({means['nfm', 'rfm 5']}), {means['nfm', 'inputs']}, "
        f"{means['nfm', 'agop']}. {_count(above, 'below', test, len(gains))} Pearson correlation of the diagonals of "
        f"M and (W − W₀)'(W − W₀): {diagonals}.",
        correlation_verdict(list(cosines.values()), test, len(gains)),
    )


def script_claim(runs: Sequence[Run]) -> Claim:
    """A3: the published script's cosines and those of the definitions."""
    words = "A3: the published script takes the AGOP of another network, so its cosines are not those described"
    chosen = main_runs(runs)
    found = [script_difference(chosen, layer) for layer in range(layer_count(chosen[0]))] if chosen else []
    intervals = [interval for interval in found if interval is not None]
    if not intervals or len(intervals) < len(found):
        return not_measured(words)
    apart = [interval.excludes_zero for interval in intervals]
    verdict: Verdict = "holds" if all(apart) else "holds in part" if any(apart) else "undecided"
    if not any(apart) and all(abs(interval.mean) + interval.half <= SMALL for interval in intervals):
        verdict = "does not hold"
    if intervals[0].count < 3:
        verdict = "undecided"
    shown, first = (
        ", ".join(f"{interval_words(x)} in layer {k}" for k, x in enumerate(some, start=1) if x is not None)
        for some in (intervals, [script_difference(chosen, k, "altered agop") for k in range(len(intervals))])
    )
    best = mean(script_gain(run.best, layer) for run in chosen for layer in range(layer_count(run)))
    return Claim(
        words,
        f"As coded less as described, at the end of training: {shown}; where the authors' trainer keeps the network "
        f"(best held-out accuracy): {wording.number(best, 2, sign=True)}. The network whose layer has become W − W₀ "
        f"makes {first}; the rest is that the script takes a layer's outputs for its inputs from the third layer on.",
        verdict,
    )


def script_gain(look: Mapping[str, object], layer: int, how: str = "coded agop") -> float | None:
    """As coded, or as the ``altered`` network has it, less as described, at one look."""
    coded, described = at(look, layer, how), at(look, layer, "change agop")
    return None if coded is None or described is None else coded - described


def script_difference(runs: Sequence[Run], layer: int, how: str = "coded agop") -> Interval | None:
    """:func:`script_gain` at the end of training, with its interval over networks; None without any."""
    found = [script_gain(run.end, layer, how) for run in runs]
    values = [value for value in found if value is not None]
    return Interval.of(values) if values else None


def identity_claim(runs: Sequence[Run]) -> Claim:
    """Additional: the AGOP against a rival that knows nothing."""
    return _paired_claim(
        main_runs(runs),
        f"{ADDITIONAL}: the AGOP explains W'W better than the identity matrix does",
        ("AGOP", _described),
        ("identity", lambda run, layer: run.values["controls"][layer]["nfm identity"][0]),
    )


def root_claim(runs: Sequence[Run]) -> Claim:
    """Additional: which power of the AGOP."""
    return _paired_claim(
        main_runs(runs),
        f"{ADDITIONAL}: the square root of the AGOP is more like W'W than the AGOP itself",
        ("square root", lambda run, layer: at(run.end, layer, "nfm root")),
        ("AGOP", _described),
    )


def start_claim(runs: Sequence[Run]) -> Claim:
    """Additional: the size of the start."""
    words = f"{ADDITIONAL}: from a third of the start (and more epochs) W'W and the AGOP are more alike"
    firsts = {(run.data, run.seed): run for run in main_runs(runs)}
    pairs = [(run, firsts[run.data, run.seed]) for run in main_runs(runs, SMALLER) if (run.data, run.seed) in firsts]
    if not pairs:
        return not_measured(words)
    small, usual = ([over_layers(pair[which], _described) or 0.0 for pair in pairs] for which in (0, 1))
    return _sign_claim(words, (SMALLER, small), (DEFAULT, usual))


def _described(run: Run, layer: int) -> float | None:
    return at(run.end, layer, "nfm agop")


def correlation_verdict(cosines: Sequence[float], above: SignTest, pairs: int) -> Verdict:
    """By :data:`RULE`."""
    if pairs < ENOUGH:
        return "undecided"
    if above.verdict != "holds" or 2 * sum(cosine < MODERATE for cosine in cosines) > len(cosines):
        return "does not hold"
    return "holds" if min(cosines) >= HIGH else "holds in part" if min(cosines) >= MODERATE else "undecided"


def interval_words(interval: Interval, digits: int = 2) -> str:
    """A mean difference with half its interval, or alone where there is none."""
    half = f" ± {wording.number(interval.half, digits)}" if interval.count > 1 else ""
    return f"{wording.number(interval.mean, digits, sign=True)}{half}"


def _paired_claim(chosen: Sequence[Run], words: str, first: tuple[str, Look], second: tuple[str, Look]) -> Claim:
    if not chosen:
        return not_measured(words)
    ours, its = ([over_layers(run, value) or 0.0 for run in chosen] for _, value in (first, second))
    return _sign_claim(words, (first[0], ours), (second[0], its))


def _sign_claim(words: str, first: tuple[str, Sequence[float]], second: tuple[str, Sequence[float]]) -> Claim:
    gains = [a - b for a, b in zip(first[1], second[1], strict=True)]
    test = SignTest.of(gains)
    means = ", ".join(f"{name} {wording.number(mean(values), 2)}" for name, values in (first, second))
    return Claim(
        words,
        f"Mean cosine over layers and networks: {means}. {_count('Higher', 'lower', test, len(gains))}",
        test.verdict,
    )


def _differences(runs: Sequence[Run], value: Look, control: Look) -> list[float]:
    """Each network's mean over layers of its value less its control's."""
    pairs = [(over_layers(run, value), over_layers(run, control)) for run in runs]
    return [a - b for a, b in pairs if a is not None and b is not None]


def _range(cosines: Mapping[str, float], unit: str) -> str:
    """The smallest and the largest, where they are, and how many are how large."""
    low, high = min(cosines, key=lambda k: cosines[k]), max(cosines, key=lambda k: cosines[k])
    ends = (f"{wording.number(cosines[name], 2)} ({name})" for name in (low, high))
    counts = [sum(value >= bound for value in cosines.values()) for bound in (HIGH, MODERATE)]
    return (
        f"Cosine at the end of training from {' to '.join(ends)}; at least {HIGH:g} in {counts[0]} and at least "
        f"{MODERATE:g} in {counts[1]} of {plural(len(cosines), unit)}"
    )


def _count(up: str, down: str, test: SignTest, networks: int) -> str:
    return (
        f"{up} in {test.wins} of {plural(networks, 'network')}, {down} in {test.losses} (sign test p "
        f"{wording.p_value(test.p)})."
    )
