"""Grokking in networks: accuracies by epoch, and what their first layers come to weigh."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Table, text
from bench.report.figures.curves import Axis, Curve, curves
from bench.study.cell import Outcome
from bench.study.phenomena.claims.grokking import (
    ENDS_ABOVE,
    OUTPUTS,
    VARIANTS,
    epoch_words,
    first_epoch,
    is_dead,
    variant_of,
)
from bench.study.phenomena.reading import TITLES, mean_cell, parameter, share_of
from bench.study.phenomena.stored import unpacked
from bench.study.summary import band_words, grouped

SETTING = ("outputs", "batch", "rate")


def network_blocks(images: str, runs: Sequence[Outcome]) -> list[Block]:
    """Setting, curves by epoch, the table."""
    by_setting = grouped(runs, lambda o: (variant_of(o), *(parameter(o, name) for name in SETTING)))
    shown = {
        key: [o for o in some if o.values["diverged"] is None]
        for key, some in by_setting.items()
        if key[0] == "patch" and key[1] == OUTPUTS
    }
    shown = {key: some for key, some in shown.items() if some}
    repeats = max(map(len, shown.values()), default=0)  # of those that are drawn
    note = f"{plural(repeats, 'seed')}{band_words(repeats)}."
    title = TITLES.get(images, images)
    found: list[Block] = [_setting(runs)]
    if shown:
        found += [
            curves(
                f"grokking-network-{images}",
                f"Networks by epoch ({title})",
                f"Patch in training and test images, ten outputs. {note}",
                _accuracy_curves(shown.values()),
                Axis("epoch", log=True),
                Axis("accuracy", limits=(0.0, 1.0)),
            ),
            curves(
                f"grokking-cosine-{images}",
                f"What the network's first layer has learned, and RFM's M ({title})",
                f"Cosine of the entries of D'D and M after RFM's last update; D is what training has added to W. "
                f"{note}",
                _cosine_curves(shown.values()),
                Axis("epoch", log=True),
                Axis("cosine", limits=(0.0, 1.0)),
            ),
        ]
    return [*found, _table(images, by_setting.values())]


def network_panels(networks: Sequence[Outcome]) -> list[tuple[str, NDArray[np.uint8]]]:
    """Of every setting of the first seed a title, and the diagonal of D'D as an image."""
    return [
        (f"{VARIANTS[variant_of(o)].lower()}, {parameter(o, 'outputs')} outputs, {_words(o)}", unpacked(o.values[key]))
        for o in networks
        if (key := "diagonal of moved") in o.values
    ]


def _setting(runs: Sequence[Outcome]) -> Block:
    return text(
        f"Networks on the same rows: two hidden layers of {parameter(runs[0], 'width'):,} units, no biases, PyTorch's "
        "default start, SGD on the squared error. Published are batches of 1,024, which is all rows at once, a "
        "learning rate of 0.1 and 500 epochs. A rate for ten outputs is that of a fifth for two, because the error is "
        "averaged over them."
    )


def _words(o: Outcome) -> str:
    return f"rate {parameter(o, 'rate'):g}, batch {parameter(o, 'batch'):,}"


def _curve(
    name: str, series: int, epochs: Sequence[int], paths: Sequence[Sequence[float]], drawn: Iterable[int]
) -> Curve:
    """The mean of the runs' ``paths`` by epoch, at those whose numbers are ``drawn``."""
    return Curve(name, series, tuple(share_of(epochs[k], [path[k] for path in paths]) for k in drawn))


MARKS = 16
"""Epochs that are drawn of a curve, about evenly spaced on a logarithmic axis."""


def _thinned(epochs: Sequence[int]) -> list[int]:
    """Which of the ``epochs`` (in order) are drawn: the first, and each that is far enough from the one before."""
    gap = np.log(epochs[-1] / epochs[0]) / MARKS
    kept = [0]
    for k, epoch in enumerate(epochs):
        if np.log(epoch / epochs[kept[-1]]) >= gap:
            kept.append(k)
    return kept


def _accuracy_curves(settings: Iterable[Sequence[Outcome]]) -> list[Curve]:
    found: list[Curve] = []
    for some in settings:
        epochs = some[0].values["epochs"]
        for key, words in (("train", "training"), ("test", "test")):
            name, paths = f"{words}, {_words(some[0])}", [o.values[key] for o in some]
            found.append(_curve(name, len(found), epochs, paths, _thinned(epochs)))
    return found


def _cosine_curves(settings: Iterable[Sequence[Outcome]]) -> list[Curve]:
    found: list[Curve] = []
    for number, some in enumerate(settings):
        epochs, paths = some[0].values["cosine_epochs"], [o.values["cosines"]["moved"] for o in some]
        found.append(_curve(_words(some[0]), number, epochs, paths, range(len(epochs))))
    return found


def _table(images: str, settings: Iterable[Sequence[Outcome]]) -> Table:
    return Table(
        f"grokking-network-table-{images}",
        (
            Column("Training images", "text"),
            Column("Outputs"),
            Column("Batch"),
            Column("Learning rate"),
            Column("Epochs"),
            Column("Runs"),
            Column("Diverged", hint="the loss was no longer finite"),
            Column("Dead", hint="all outputs were 0 in the end"),
            Column("First at 100 % training", "text", hint="epochs, run by run"),
            Column(f"First at {100 * ENDS_ABOVE:.0f} % test", "text", hint="epochs, run by run"),
            Column("Training loss", hint="in the end"),
            Column("Training accuracy", hint="in the end"),
            Column("Test accuracy", hint="in the end"),
        ),
        tuple(_row(some) for some in settings),
        "Networks: first epochs, and accuracies at the end in percent",
        note="Epochs are those looked at, evenly spaced in their logarithm.",
    )


def _row(runs: Sequence[Outcome]) -> tuple[Cell, ...]:
    trained = [o for o in runs if o.values["diverged"] is None]
    firsts = [
        [first_epoch(dict(o.values), key, level) for o in trained]
        for key, level in (("train", 1.0), ("test", ENDS_ABOVE))
    ]
    return (
        Cell(VARIANTS[variant_of(runs[0])]),
        wording.num(parameter(runs[0], "outputs"), 0),
        wording.num(parameter(runs[0], "batch"), 0),
        wording.num(parameter(runs[0], "rate"), 3),
        wording.num(parameter(runs[0], "epochs"), 0),
        wording.num(len(runs), 0),
        wording.num(len(runs) - len(trained), 0),
        wording.num(sum(map(is_dead, trained)), 0),
        *(Cell(", ".join(map(epoch_words, found)) or wording.DASH) for found in firsts),
        mean_cell([o.values["loss"][-1] for o in trained], 4, scale=1.0),
        *(mean_cell([o.values[key][-1] for o in trained]) for key in ("train", "test")),
    )
