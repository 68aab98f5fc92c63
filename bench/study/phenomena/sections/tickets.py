"""Lottery tickets: accuracies over the number of images, gains, pictures of M."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Items, Section, Table, text
from bench.report.figures.curves import Axis, Curve, curves
from bench.study.cell import Outcome
from bench.study.claims import COMPARISON_RULE, PAPER
from bench.study.phenomena.claims.tickets import (
    METHODS,
    RULE,
    TICKET,
    against,
    gains,
    savings,
    setting_of,
    setting_words,
)
from bench.study.phenomena.reading import CODE, mean_cell, share_of
from bench.study.phenomena.stored import unpacked
from bench.study.pictures import Panels, image_grid
from bench.study.summary import band_words, grouped, of_kind


def tickets_section(done: Sequence[Outcome]) -> Section | None:
    """Setting, curves, tables, pictures."""
    from bench.study.phenomena.tickets import RANDOM_MASKS  # whose module loads PyTorch

    runs = of_kind(done, "tickets")
    if not runs:
        return None
    blocks: list[Block] = [
        text(
            PAPER,
            " say that pruning to the features that are learned can increase performance, which they call lottery "
            "tickets; ",
            CODE,
            " scales the diagonal of M to 0 to 1, keeps the coordinates above 0.05, divides the pruned rows by their "
            "norm and fits the Laplace kernel anew: RFM-T. All rows are divided by their norm here, as published; the "
            "table has the same from rows as they are.",
        ),
        Items(((RULE.format(masks=RANDOM_MASKS),), (COMPARISON_RULE,))),
    ]
    children = []
    for number, some in enumerate(grouped(runs, setting_of).values()):
        children.append(_setting_section(f"tickets-{number + 1}", some))
    if pictures := _pictures(runs):
        blocks.append(pictures)
    return Section("tickets", "Lottery tickets", (*blocks, _savings_table(runs)), tuple(children))


def _setting_section(name: str, runs: Sequence[Outcome]) -> Section:
    by_n = dict(sorted(grouped(runs, lambda o: int(o.cell.parameters["n"])).items()))
    methods = [m for m in METHODS if all(m in o.values["accuracy"] for o in runs)]
    raw = [f"{m} raw" for m in METHODS if all(f"{m} raw" in o.values["accuracy"] for o in runs)]
    lines = [
        Curve(
            METHODS[m],
            list(METHODS).index(m),
            tuple(share_of(n, _values(some, m)) for n, some in by_n.items() if _values(some, m)),
        )
        for m in methods
    ]
    rows = []
    for m in (*methods, *raw):
        plain = m.removesuffix(" raw")
        title = METHODS[plain] + (", rows as they are" if m != plain else "")
        cell = Cell(title, series=list(METHODS).index(plain)) if m == plain else Cell(title)
        rows.append((cell, *(mean_cell(_values(some, m)) for some in by_n.values())))
    kept = (mean_cell([o.values["kept"][TICKET] for o in some], 0, scale=1.0) for some in by_n.values())
    rows.append((Cell("Coordinates that RFM-T keeps"), *kept))
    if "inside" in runs[0].values:
        inside = [
            sum(o.values["inside"][TICKET] for o in some) / max(1, sum(o.values["kept"][TICKET] for o in some))
            for some in by_n.values()
        ]
        rows.append((Cell("of these in the digit's box, percent"), *(wording.num(100 * part, 1) for part in inside)))
    repeats = max(len(some) for some in by_n.values())
    note = f"{plural(repeats, 'draw')} of each number of images{band_words(repeats)}."
    title = setting_words(runs[0])
    return Section(
        name,
        title,
        (
            curves(
                f"{name}-curves",
                "Test accuracy by number of training images",
                f"{title}. {note}",
                lines,
                Axis("training images", log=True),
                Axis("test accuracy"),
            ),
            Table(
                f"{name}-table",
                (Column("Method", "text"), *(Column(f"n = {n:,}") for n in by_n)),
                tuple(rows),
                "Mean test accuracy in percent",
                note=f"{plural(repeats, 'draw')} of each number of images.",
            ),
        ),
    )


def _values(runs: Sequence[Outcome], method: str) -> list[float]:
    return [v for o in runs if (v := o.values["accuracy"].get(method)) is not None]


def _savings_table(runs: Sequence[Outcome]) -> Table:
    """Gain and saving by dataset and n."""
    sizes = sorted({int(o.cell.parameters["n"]) for o in runs})
    rows = []
    for some in grouped(runs, setting_of).values():
        complete = [o for o in some if o.values["accuracy"][TICKET] is not None]
        saved = savings(complete)
        test = against(complete, "Laplace")
        by_n = grouped(complete, lambda o: int(o.cell.parameters["n"]))
        rows.append(
            (
                Cell(setting_words(some[0])),
                Cell(f"{test.wins} / {test.losses}"),
                *(
                    wording.num(100 * float(np.mean(gains(by_n[n], "Laplace"))) if n in by_n else None, 1, sign=True)
                    for n in sizes
                ),
                *(Cell(_shown(saved[n]) if n in saved else wording.DASH) for n in sizes),
            )
        )
    return Table(
        "tickets-gain",
        (
            Column("Dataset", "text"),
            Column("Wins / losses", "text"),
            *(Column(f"gain at {n:,}", hint="percentage points over the Laplace kernel") for n in sizes),
            *(
                Column(f"images at {n:,}", "text", hint="times as many images as the Laplace kernel needs")
                for n in sizes
            ),
        ),
        tuple(rows),
        "RFM-T against the Laplace kernel: percentage points, and how many times as many images the kernel needs",
        note="Numbers of images are interpolated between mean accuracies, on the logarithm of n; below 1 the kernel "
        "needs fewer; > and < where it needs more, or fewer, than were tried.",
    )


def _shown(value: float) -> str:
    return "<" if value == 0 else ">" if np.isinf(value) else f"{value:.2f}"


def _pictures(runs: Sequence[Outcome]) -> Block | None:
    """Of every dataset examples and M's diagonal, with the most images."""
    rows = []
    for some in grouped([o for o in runs if "diagonal" in o.values], setting_of).values():
        o = max(some, key=lambda o: int(o.cell.parameters["n"]))
        examples = unpacked(o.values["examples"])[:3]
        panels = [("example", example) for example in examples]
        rows.append(
            Panels(setting_words(o), [*panels, (f"M, n = {o.cell.parameters['n']:,}", unpacked(o.values["diagonal"]))])
        )
    if not rows:
        return None
    return image_grid(
        "tickets-pictures",
        "Training images, and the diagonal of M after one update",
        "Of each pixel the largest of its channels. The first seed, the largest number of images.",
        rows,
    )
