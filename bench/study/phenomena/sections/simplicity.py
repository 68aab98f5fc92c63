"""Simplicity bias: accuracies by what is done to either half, pictures of M."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Items, Section, Table, text
from bench.study.cell import Outcome
from bench.study.claims import PAPER
from bench.study.phenomena.claims.simplicity import METHODS, RULE, TESTS, runs_by_method
from bench.study.phenomena.reading import CODE, TITLES, mean_cell, parameter, percent
from bench.study.phenomena.stored import unpacked
from bench.study.pictures import Panels, image_grid
from bench.study.summary import mean_point, of_kind


def simplicity_section(done: Sequence[Outcome]) -> Section | None:
    """Setting, table, pictures."""
    kernels, networks = of_kind(done, "simplicity-kernels"), of_kind(done, "simplicity-network")
    runs = runs_by_method(done)
    if not runs:
        return None
    p = (kernels or networks)[0].cell.parameters
    hard, easy = (TITLES.get(name, name) for name in p["halves"])
    blocks: list[Block] = [
        text(
            PAPER,
            " say that the ansatz sheds light on simplicity biases; ",
            CODE,
            " puts CIFAR-10 and MNIST images of the same class number side by side and fits RFM with one update and a "
            "network. It disturbs no half; the tests here are ours.",
        ),
        Items(((RULE,),)),
        text(
            f"{p['n']:,} training images, {hard} on the left (hard), {easy} scaled to the same size on the right "
            f"(easy), the same class in both; {10 * p['test']:,} test images. Half of another class: each test image "
            "gets a half of another one whose class differs. Averaged: the mean of the training images in its place. "
            "Alone: fitted to and tested on that half." + _network_words(networks)
        ),
        _table(runs),
        _follows_table(kernels, networks),
    ]
    if pictures := _pictures(kernels, f"{hard} | {easy}"):
        blocks.append(pictures)
    return Section("simplicity", "Simplicity bias", tuple(blocks))


def _network_words(networks: Sequence[Outcome]) -> str:
    if not networks:
        return ""
    whole = [o.values["training"]["whole"] for o in networks]
    rates = sorted({w["rate"] for w in whole if w["rate"] is not None})
    right = [w["tried"][f"{w['rate']:g}"]["train"] for w in whole if w["rate"] is not None]
    diverged = sum(w["rate"] is None for w in whole)
    more = f"; {plural(diverged, 'network')} diverged at all rates tried" if diverged else ""
    shown = (
        f" Training accuracy at the end {percent(right)}, learning rate {', '.join(f'{r:g}' for r in rates)}"
        if right
        else ""
    )
    return (
        f" Networks: two hidden layers of {parameter(networks[0], 'width'):,} units, SGD, at most "
        f"{parameter(networks[0], 'epochs')} epochs with batches of {parameter(networks[0], 'batch')}.{shown}{more}."
    )


def _table(runs: Mapping[str, list[Mapping[str, float]]]) -> Table:
    rows = []
    for series, (method, title) in enumerate(METHODS.items()):
        if method not in runs:
            continue
        cells = []
        for test in TESTS:
            values = [run[test] for run in runs[method] if test in run]
            if not values:
                cells.append(wording.num(None))
                continue
            point = mean_point(0.0, values)
            hint = f"{100 * point.low:.1f} to {100 * point.high:.1f} over {plural(len(values), 'run')}"
            cells.append(wording.num(100 * point.value, 1, hint=hint))
        rows.append((Cell(title, series=series), wording.num(len(runs[method]), 0), *cells))
    return Table(
        "simplicity-table",
        (Column("Method", "text"), Column("Runs"), *(Column(words) for words in TESTS.values())),
        tuple(rows),
        "Mean test accuracy in percent, by what is done to the test images",
        note="On hover: the 95 % Student interval, or the range of two runs.",
    )


def _follows_table(kernels: Sequence[Outcome], networks: Sequence[Outcome]) -> Table:
    """With which half predictions go, and which half has M's trace."""
    rows = []
    for method, title in METHODS.items():
        some = [o for o in (*kernels, *networks) if o.values["follows"].get(method)]
        if not some:
            continue
        shares = [o.values["share"][method] for o in some if method in o.values.get("share", {})]
        rows.append(
            (
                Cell(title),
                *(mean_cell([o.values["follows"][method][half] for o in some]) for half in ("right", "left")),
                mean_cell(shares),
            )
        )
    return Table(
        "simplicity-follows",
        (
            Column("Method", "text"),
            Column(
                "goes with a foreign easy half", hint="test images whose easy half is of another class: as that class"
            ),
            Column(
                "goes with a foreign hard half", hint="test images whose hard half is of another class: as that class"
            ),
            Column("easy half in M", hint="share of M's trace"),
        ),
        tuple(rows),
        "Predictions that go with the half of another class, and the easy half's share of M's trace, in percent",
    )


def _pictures(kernels: Sequence[Outcome], title: str) -> Block | None:
    first = next((o for o in kernels if "examples" in o.values), None)
    if first is None:
        return None
    examples = [(f"class {k}", example) for k, example in enumerate(unpacked(first.values["examples"]))]
    maps = [(METHODS[m], unpacked(v)) for m, v in first.values["diagonals"].items()]
    return image_grid(
        "simplicity-pictures",
        "Training images, and the diagonal of M",
        "Of each pixel the largest of its channels. The first seed.",
        [Panels(title, examples), Panels("Diagonal of M", maps)],
    )
