"""The protocols that there are, and what a report says of them. Nothing else in the project compares their names.

Apart from the record, because nothing here decides an outcome: a word that is changed here makes no job new.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from bench.errors import unknown_name
from bench.protocols.record import Protocol

PROTOCOLS: dict[str, Protocol] = {}
"""The registered protocols by name, in the order in which reports list them."""


def register(protocol: Protocol) -> Protocol:
    """Add ``protocol``; it can be run, stored, reported and explained from now on. ``ValueError`` for a second name."""
    if protocol.name in PROTOCOLS:
        raise ValueError(f"a protocol named {protocol.name!r} is registered already")
    listed = sorted([*PROTOCOLS.values(), protocol], key=lambda p: (p.order, p.name))
    PROTOCOLS.clear()
    PROTOCOLS.update({p.name: p for p in listed})
    return protocol


def get_protocol(name: str) -> Protocol:
    """The protocol called ``name``. Raises :class:`UsageError` for an unknown one."""
    if name not in PROTOCOLS:
        raise unknown_name("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def known(names: Iterable[str]) -> list[Protocol]:
    """Those of ``names`` that are registered, in the registry's order; results may be of others, of a plug-in say."""
    wanted = set(names)
    return [protocol for name, protocol in PROTOCOLS.items() if name in wanted]


def reduction_in_words(reduction: str, protocols: Collection[str]) -> str:
    """``reduction`` as a reader sees it: results under ``protocols`` that select once used two samples.

    Results are compared by the words that are stored with them, so those stay what they were in older results.
    """
    words = reduction.replace("chosen on", "selected on").replace("hold-out", "test fold")
    once = [p.name for p in known(protocols) if p.selected_on == "tuning halves" and words.startswith("selected")]
    return f"{words}; under {' and '.join(once)} selected on as many of each tuning half" if once else words


def first_folds_in_words(reduction: str) -> str:
    """``first 1 of 4 test folds only`` where that is all that was reduced (``--folds``); empty otherwise."""
    found = re.fullmatch(r"tested on the (first \d+ of \d+) test folds only", reduction)
    return f"{found[1]} test folds only" if found else ""


def what_changes(first: Protocol, second: Protocol) -> str:
    """What a step to a protocol that test labels take no larger part in changes, as the end of a sentence."""
    if first.reuses_metric and not second.sees_test_labels:
        return "without the leak into M and without selection on test samples"
    words = []
    if first.reuses_metric and not second.reuses_metric:
        words.append(
            "M learned without test labels, and from three quarters of the samples instead of half: the effect of the "
            "leak, less the gain from more samples"
        )
    words += _selection_changes(first, second)
    if first.ties != second.ties:
        words.append(f"ties to the {'smaller Brier score' if second.ties == 'brier' else 'earlier grid entry'}")
    return "; ".join(words)


def _selection_changes(first: Protocol, second: Protocol) -> list[str]:
    if second.sees_test_labels:
        return []
    if first.sees_test_labels:
        part = (
            "and selection on 15 % of the samples instead of half, which is noisier"
            if second.inner_folds == 1
            else f"on {second.judged_on} instead of the halves"
        )
        return [f"selection and scaling without test samples, {part}"]
    if first.inner_folds == second.inner_folds:
        return []
    noise = "less noisy " if first.inner_folds == 1 else "noisier " if second.inner_folds == 1 else ""
    return [f"{noise}selection, on {second.judged_on} instead of {first.judged_on}"]


register(
    Protocol(
        "clean",
        order=0,
        meaning="Each test fold's own training part is split 80/20 to select configuration and iteration; "
        "everything is refitted on the whole training part and tested once. No label of a test sample is used.",
    )
)
register(
    Protocol(
        "clean-cv",
        inner_folds=5,
        order=1,
        meaning="As clean, with stratified five-fold cross-validation inside the training part instead of one 80/20 "
        "split. No label of a test sample is used.",
    )
)
register(
    Protocol(
        "relearn",
        selected_on="tuning halves",
        ties="order",
        order=2,
        meaning="Configuration and iteration are selected once on the published tuning halves, which cover the whole "
        "dataset; everything is refitted on each test fold's training part. Test samples took part in the selection, "
        "not in the fit.",
        tag="tuned on test samples",
        caution="For comparison, tuned on test samples. ",
    )
)
register(
    Protocol(
        "published",
        selected_on="tuning halves",
        ties="order",
        reuses_metric=True,
        order=3,
        meaning="The paper's procedure, as its published code has it: selected on the tuning halves, and the metric M "
        "learned there is reused on all test folds. About half of the test labels took part in learning M: these "
        "figures leak.",
        tag="leaks labels",
        caution="For comparison, with test labels in M. ",
    )
)
