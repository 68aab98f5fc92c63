"""The protocols that there are, and what a report says of them. Nothing else in the project compares their names.

Apart from the record, because nothing here decides an outcome: a word that is changed here makes no job new.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import product
from typing import Any, get_args

from bench.errors import UsageError, listed, unknown_name
from bench.protocols.record import Ensemble, Inputs, Protocol

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


def with_variants(protocol: Protocol) -> list[Protocol]:
    """``protocol``, which is plain, and its variants: every ensemble with both inputs, named and explained."""
    found = [protocol]
    for number, (ensemble, inputs) in enumerate(product(get_args(Ensemble), get_args(Inputs))):
        told = [TOLD[value] for value in (ensemble, inputs) if value in TOLD]
        if told:
            variant = replace(
                protocol,
                name="-".join([protocol.name, *(value for value in (ensemble, inputs) if value in TOLD)]),
                ensemble=ensemble,
                inputs=inputs,
                variant_of=protocol.name,
                order=10 * (1 + protocol.order) + number,
                meaning=" ".join([f"As {protocol.name}.", *(meaning for _, meaning in told)]),
                tag=", ".join(tag for tag, _ in told),
            )
            found.append(variant)
    return found


TOLD = {
    "top5": (
        "mean of the best five",
        "Not one configuration and iteration is selected, but the five with the smallest squared error on the "
        "validation rows (Brier score); all are refitted, and their scores averaged.",
    ),
    "greedy": (
        "greedy ensemble",
        "Not one configuration and iteration is selected, but several by greedy forward selection with replacement "
        "(Caruana et al., 2004): step by step the one is added that most lowers the squared error of the mean of "
        "their scores on the validation rows (Brier score); all are refitted, and their scores averaged by how often "
        "each was added.",
    ),
    "nominal": (
        "nominal columns coded",
        "Every method is given a 0/1 column for each category of the nominal columns, instead of the archive's numbers "
        "for categories.",
    ),
}
"""What is said of a variant: a few words, and sentences. What is not here is what plain protocols have."""


def find_variant(protocol: Protocol, ensemble: str, inputs: str) -> Protocol | None:
    """The protocol that is as ``protocol`` but for the ensemble and the inputs; None if it is not registered."""
    wanted = {"ensemble": ensemble, "inputs": inputs}
    return next((p for p in PROTOCOLS.values() if p.base == protocol.base and p.varied == wanted), None)


def asked_variant(name: str, ensemble: str | None, inputs: str | None) -> Protocol:
    """The protocol of ``--protocol``, ``--ensemble`` and ``--inputs``, None being what was not given.

    Raises :class:`UsageError` for an unknown value, for one that the protocol's name contradicts, and where there is
    no such variant.
    """
    protocol = get_protocol(name)
    wanted: dict[str, str] = {}
    for flag, given, values in (("ensemble", ensemble, get_args(Ensemble)), ("inputs", inputs, get_args(Inputs))):
        if given is not None and given not in values:
            raise unknown_name(f"--{flag}", given, values)
        own = protocol.varied[flag]
        if given is not None and protocol.variant_of and own in TOLD and given != own:
            raise UsageError(f"--{flag} {given}: --protocol {name} has {own}; use --protocol {protocol.base}")
        wanted[flag] = own if given is None else given
    found = find_variant(protocol, **wanted)
    if found is not None:
        return found
    asked = " ".join(f"--{flag} {value}" for flag, value in wanted.items() if value in TOLD)
    fitting = " or ".join(p for p in dict.fromkeys(p.base for p in PROTOCOLS.values() if not p.plain))
    if protocol.selected_on == "tuning halves":
        raise UsageError(
            f"{asked}: --protocol {name} repeats the paper's procedure, which selects one configuration on the tuning "
            f"halves, on the archive's inputs: use {fitting}"
        )
    raise UsageError(f"{asked}: --protocol {name} has no such variant: use {fitting}")


def asked_variants(names: str, ensembles: str | None, inputs: str | None) -> list[Protocol]:
    """As :func:`asked_variant` of each combination; each of the texts may hold several values, separated by commas."""
    texts = {"protocol": names, "ensemble": ensembles, "inputs": inputs}
    asked: list[list[Any]] = []
    for flag, text in texts.items():
        words = [] if text is None else [word.strip() for word in text.split(",")]
        if twice := sorted({word for word in words if words.count(word) > 1}):
            raise UsageError(f"--{flag} {text}: {listed(twice)} is given twice; give each value once")
        asked.append(words or [None])
    found = [asked_variant(name, ensemble, coded) for name, ensemble, coded in product(*asked)]
    return list({protocol.name: protocol for protocol in found}.values())


def plain_names(names: Iterable[str]) -> list[str]:
    """``names`` without registered variants: those that are compared with results of others."""
    return [name for name in names if name not in PROTOCOLS or PROTOCOLS[name].plain]


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


_CLEAN = Protocol(
    "clean",
    order=0,
    meaning="Each test fold's own training part is split 80/20 to select configuration and iteration; "
    "everything is refitted on the whole training part and tested once. No label of a test sample is used.",
)
_CLEAN_CV = Protocol(
    "clean-cv",
    inner_folds=5,
    order=1,
    meaning="As clean, with stratified five-fold cross-validation inside the training part instead of one 80/20 "
    "split. No label of a test sample is used.",
)
for _protocol in (*with_variants(_CLEAN), *with_variants(_CLEAN_CV)):
    register(_protocol)
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
