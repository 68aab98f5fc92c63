"""The part of the ansatz study's report on how its networks were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Section, Table
from bench.study.ansatz.cells import ADAM, RATES
from bench.study.ansatz.runs import (
    Look,
    Run,
    at,
    mean,
    over_layers,
)
from bench.study.cell import Outcome
from bench.study.summary import grouped, of_kind


def training_section(runs: Sequence[Run], outcomes: Sequence[Outcome]) -> Section:
    """How every kind of network was trained, and how the rates were chosen."""
    groups = grouped(runs, lambda run: (run.data, run.start, run.variant))
    table = Table(
        "training",
        (
            Column("Dataset", "text"),
            Column("Start", "text"),
            Column("Network", "text"),
            Column("Rate"),
            Column("Seeds"),
            Column("Epochs"),
            Column("Training accuracy", hint="percent"),
            Column("Test accuracy", hint="percent"),
            Column("RFM's test accuracy", hint="after 5 updates, percent"),
            Column("W'W, AGOP", hint="mean cosine over layers"),
            Column("Δ'Δ, AGOP", hint="mean cosine over layers"),
        ),
        tuple(_trained(key, some) for key, some in groups.items()),
        "Networks as trained: the largest number of epochs, the lowest training accuracy, other means over seeds",
        note="A network ends once its training accuracy is 100 % after the planned number of epochs, or at the limit.",
    )
    blocks: list[Block] = [table]
    if rows := _rates(outcomes):
        blocks.append(
            Table(
                "rates",
                (
                    Column("Dataset", "text"),
                    Column("Start", "text"),
                    *(Column(f"Rate {rate}", lower_first=True) for rate in _candidates(outcomes)),
                    Column("Least", "text"),
                    Column("Used", "text"),
                ),
                tuple(rows),
                "Training loss by learning rate, on rows and starts of a seed of its own",
                note="A dash: the network diverged. The authors use 0.1. Nothing but the training loss is looked at. "
                f"{ends_words(outcomes)}",
            )
        )
    return Section("training", "How the networks were trained", tuple(blocks))


def _trained(key: tuple[str, str, str], runs: Sequence[Run]) -> tuple[Cell, ...]:
    data, start, variant = key
    ended = [run for run in runs if not run.diverged]
    lost = len(runs) - len(ended)
    likeness: tuple[Look, ...] = (
        lambda run, k: at(run.end, k, "nfm agop"),
        lambda run, k: at(run.end, k, "change agop"),
    )
    return (
        Cell(data),
        Cell(start),
        Cell(variant + (f"; {lost} diverged" if lost else "")),
        wording.num(float(runs[0].parameters["rate"]), 4 if variant == ADAM else 1),
        wording.num(float(len(runs)), 0),
        wording.num(float(max(run.values["epochs"] for run in runs)), 0),
        _percent(min((run.end["train"] for run in ended), default=None)),
        _percent(mean(run.end["test"] for run in ended)),
        _percent(mean(run.values["rfm_test"][-1] for run in ended)),
        *(wording.num(mean(over_layers(run, look) for run in ended), 2) for look in likeness),
    )


def _percent(share: float | None) -> Cell:
    return wording.num(None if share is None else 100 * share, 1)


def _rates(outcomes: Sequence[Outcome]) -> list[tuple[Cell, ...]]:
    rows = []
    for o in _rate_cells(outcomes):
        losses: Mapping[str, float | None] = o.values["losses"]
        key = (o.cell.parameters["data"], o.cell.parameters["start"])
        shown = [wording.num(losses[rate], 4) for rate in _candidates(outcomes)]
        rows.append((Cell(key[0]), Cell(key[1]), *shown, Cell(_least(losses)), Cell(f"{RATES[key]:g}")))
    return rows


def ends_words(outcomes: Sequence[Outcome]) -> str:
    """How often the least loss was at an end of the rates that were tried; empty without any."""
    cells = _rate_cells(outcomes)
    if not cells:
        return ""
    rates = _candidates(outcomes)
    least = [_least(o.values["losses"]) for o in cells]
    low, high = least.count(rates[0]), least.count(rates[-1])
    return (
        f"Of {plural(len(cells), 'pair')} of a dataset and a start {low + high} have their least loss at an end of "
        f"what was tried ({high} at {rates[-1]}, {low} at {rates[0]}): a rate beyond it might have less."
    )


def _least(losses: Mapping[str, float | None]) -> str:
    """The rate of the least loss."""
    there = {rate: loss for rate, loss in losses.items() if loss is not None}
    return min(there, key=lambda rate: there[rate]) if there else wording.DASH


def _rate_cells(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [o for o in of_kind(outcomes, "rates") if o.status == "ok"]


def _candidates(outcomes: Sequence[Outcome]) -> list[str]:
    return list(_rate_cells(outcomes)[0].values["losses"])
