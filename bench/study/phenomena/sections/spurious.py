"""Spurious features: curves over the share of ties, tables, pictures of M."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Items, Section, Table, text
from bench.report.figures.curves import Axis, Curve, curves
from bench.study.cell import Outcome
from bench.study.claims import COMPARISON_RULE, PAPER
from bench.study.phenomena.claims.spurious import (
    LEFT_OUT_RULE,
    NAMED_RULE,
    method_words,
    names_the_mark,
    recall_and_precision,
    tied_share,
)
from bench.study.phenomena.reading import ALL_RULE, CODE, classes_words, mean_cell, parameter, share_of
from bench.study.phenomena.stored import unpacked
from bench.study.pictures import Panels, image_grid
from bench.study.summary import band_words, grouped, of_kind


def spurious_section(done: Sequence[Outcome]) -> Section | None:
    """Setting, curves over the share of ties, tables, pictures."""
    kernels, networks = of_kind(done, "spurious-kernels"), of_kind(done, "spurious-network")
    if not kernels:
        return None
    p = kernels[0].cell.parameters
    blocks: list[Block] = [
        text(
            PAPER,
            " say that the ansatz explains how spurious features emerge: on CelebA, M weighs the eyes where the class "
            "is lipstick; ",
            CODE,
            " pastes a template over what M names. Here the spurious feature is known: a white square in a corner, "
            "which goes with the second class in a given share of the training images.",
        ),
        Items(((NAMED_RULE,), (LEFT_OUT_RULE,), (COMPARISON_RULE, " ", ALL_RULE))),
        text(
            f"{classes_words(p['images'], p['classes'])}: {p['n']:,} training images, {2 * p['test']:,} test images. "
            "Tie kept: all test images of the second class have the mark, and none of the first; reversed: the other "
            "way round. With marks at chance, accuracy is the mean of the two."
        ),
    ]
    for mark, some in grouped(kernels, lambda o: int(o.cell.parameters["mark"])).items():
        blocks += _mark_blocks(mark, some)
    if networks:
        blocks.append(_network_table(networks))
    if pictures := _pictures(kernels):
        blocks.append(pictures)
    return Section("spurious", "Spurious features", tuple(blocks))


def _mark_blocks(mark: int, runs: Sequence[Outcome]) -> list[Block]:
    by_share = dict(sorted(grouped(runs, tied_share).items()))
    lines: list[Curve] = []
    for method in ("Laplace", "RFM 1"):
        for key, words in (("kept", "tie kept"), ("reversed", "tie reversed")):
            lines.append(
                Curve(
                    f"{method_words(method)}, {words}",
                    len(lines),
                    tuple(
                        share_of(s, [o.values["accuracy"][method][key] for o in some]) for s, some in by_share.items()
                    ),
                )
            )
    left = {
        share: [o.values["left out"]["named"]["RFM 1"]["reversed"] for o in some if "named" in o.values["left out"]]
        for share, some in by_share.items()
    }
    lines.append(
        Curve("RFM, reversed, named left out", len(lines), tuple(share_of(s, v) for s, v in left.items() if v))
    )
    rows = [(wording.num(100 * share, 0), *_row(some)) for share, some in by_share.items()]
    repeats = max(len(some) for some in by_share.values())
    size = runs[0].values["named"]["RFM 1"]["mark"]
    note = f"{plural(repeats, 'draw')} of each share{band_words(repeats)}."
    return [
        curves(
            f"spurious-{mark}",
            f"A mark of {mark} x {mark} pixels: accuracy by how often it says the class",
            note,
            lines,
            Axis("share of training images in which the mark says the class"),
            Axis("test accuracy", limits=(0.0, 1.0)),
        ),
        Table(
            f"spurious-{mark}-table",
            (
                Column("Tied, %"),
                Column("Named", hint="coordinates that M names after one update"),
                Column("Recall"),
                Column("Precision"),
                Column("Names the mark", hint="draws"),
                *(
                    Column(f"{title}, {words}")
                    for title in ("Laplace", "RFM", "RFM 3")
                    for words in ("kept", "reversed")
                ),
                Column("Named left out", hint="RFM, tie reversed, without the coordinates that M names"),
                Column("Random left out", hint="RFM, tie reversed, without as many random coordinates"),
                Column("Mark left out", hint="RFM, tie reversed, without the mark's coordinates"),
                Column("No marks", hint="RFM fitted to and tested on images without marks"),
            ),
            tuple(rows),
            f"A mark of {size} coordinates: what M names, and mean accuracies in percent",
            note=f"{plural(repeats, 'draw')} of each share.",
        ),
    ]


def _row(runs: Sequence[Outcome]) -> tuple[Cell, ...]:
    """What M names, and accuracies: as they are, without some coordinates, without marks."""
    found = [recall_and_precision(o) for o in runs]
    left = [o.values["left out"] for o in runs]
    return (
        mean_cell([o.values["named"]["RFM 1"]["count"] for o in runs], 0, scale=1.0),
        mean_cell([recall for recall, _ in found], 2, scale=1.0),
        mean_cell([precision for _, precision in found], 2, scale=1.0),
        wording.num(sum(map(names_the_mark, runs)), 0),
        *(
            mean_cell([o.values["accuracy"][method][key] for o in runs])
            for method in ("Laplace", "RFM 1", "RFM 3")
            for key in ("kept", "reversed")
        ),
        *(mean_cell([one[w]["RFM 1"]["reversed"] for one in left if w in one]) for w in ("named", "random", "mark")),
        mean_cell([o.values["clean"]["RFM 1"] for o in runs]),
    )


def _network_table(networks: Sequence[Outcome]) -> Table:
    rows = []
    for share, some in sorted(grouped(networks, tied_share).items()):
        found = [o.values["accuracy"]["network"] for o in some if "kept" in o.values["accuracy"]["network"]]
        left = [o.values["left out"]["named"]["network"] for o in some if "left out" in o.values]
        after = [one["reversed"] for one in left if "reversed" in one]
        unmarked = [o.values["clean"] for o in some]
        clean = [found["network"] for found in unmarked if "network" in found]
        accounts = [o.values["training"]["marked"] for o in some]
        right = [a["tried"][f"{a['rate']:g}"]["train"] for a in accounts if a["rate"] is not None]
        rows.append(
            (
                wording.num(100 * share, 0),
                wording.num(len(some), 0),
                wording.num(len(some) - len(found), 0),
                mean_cell(right),
                mean_cell([one["kept"] for one in found]),
                mean_cell([one["reversed"] for one in found]),
                mean_cell(after),
                mean_cell(clean),
            )
        )
    p = networks[0].cell.parameters
    return Table(
        "spurious-network",
        (
            Column("Tied, %"),
            Column("Runs"),
            Column("Diverged", hint="at all learning rates"),
            Column("Training accuracy"),
            Column("Tie kept"),
            Column("Tie reversed"),
            Column("Named left out", hint="tie reversed, without the coordinates that RFM's M names"),
            Column("No marks", hint="fitted to and tested on images without marks"),
        ),
        tuple(rows),
        f"Networks, a mark of {p['mark']} x {p['mark']} pixels: mean accuracies in percent",
        note=f"Two hidden layers of {parameter(networks[0], 'width'):,} units, SGD, at most {p['epochs']} epochs.",
    )


def _pictures(kernels: Sequence[Outcome]) -> Block | None:
    rows = []
    for mark, some in grouped(
        [o for o in kernels if "diagonal" in o.values], lambda o: int(o.cell.parameters["mark"])
    ).items():
        ordered = sorted(some, key=tied_share)
        examples = unpacked(ordered[-1].values["examples"])
        maps = [(f"M, {100 * tied_share(o):.0f} % tied", unpacked(o.values["diagonal"])) for o in ordered]
        rows.append(
            Panels(f"{mark} x {mark} pixels", [("with the mark", examples[0]), ("without", examples[1]), *maps])
        )
    if not rows:
        return None
    return image_grid(
        "spurious-pictures",
        "Training images, and the diagonal of M after one update",
        "Of each pixel the largest of its channels. The first seed.",
        rows,
    )
