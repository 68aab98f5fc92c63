"""Grokking: curves over iterations and epochs, tables, pictures of M."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Items, Section, Table, text
from bench.report.figures.curves import Axis, Curve, curves
from bench.study.cell import Outcome
from bench.study.claims import PAPER
from bench.study.phenomena.claims.grokking import (
    ALIKE_RULE,
    NETWORK_RULE,
    RFM_RULE,
    VARIANTS,
    variant_of,
)
from bench.study.phenomena.reading import CODE, TITLES, classes_words, mean_cell, parameter, share_of
from bench.study.phenomena.sections.grokking_networks import network_blocks, network_panels
from bench.study.phenomena.stored import unpacked
from bench.study.pictures import Panels, image_grid
from bench.study.summary import band_words, grouped, of_kind


def grokking_section(done: Sequence[Outcome]) -> Section | None:
    """Setting, curves, tables, pictures."""
    rfm, networks = of_kind(done, "grokking-rfm"), of_kind(done, "grokking-network")
    if not rfm and not networks:
        return None
    blocks: list[Block] = [
        text(
            PAPER,
            " say that RFM sheds light on grokking; ",
            CODE,
            " takes about 50 images of one class of STL-10 and 500 of the other, blacks out a patch of 5 x 5 pixels, "
            "and fills it with white in the larger class. There the network has two outputs and the targets ten "
            "columns, so that the published script cannot run as it is: here networks have ten outputs, as the targets "
            "have, or two.",
        ),
        Items(((RFM_RULE,), (NETWORK_RULE,), (ALIKE_RULE,))),
    ]
    for images, some in grouped(rfm, lambda o: str(parameter(o, "images"))).items():
        blocks += _rfm_blocks(images, some)
    for images, some in grouped(networks, lambda o: str(parameter(o, "images"))).items():
        blocks += network_blocks(images, some)
    if pictures := _pictures(rfm, networks):
        blocks.append(pictures)
    return Section("grokking", "Grokking", tuple(blocks))


def _rfm_blocks(images: str, runs: Sequence[Outcome]) -> list[Block]:
    p = runs[0].cell.parameters
    by_variant = grouped(runs, variant_of)
    few, many = next((o.cell.parameters["counts"] for o in runs if variant_of(o) != "balanced"), p["counts"])
    setting = (
        f"{classes_words(images, p['classes'])}, enlarged to {p['size']} x {p['size']} by repeating pixels: {few} "
        f"training images of the first class and {many} of the second, or equally many. The test images are balanced, "
        f"{p['test']} of each class, with the patch as in training; or with it in the opposite corner."
    )
    series = {name: number for number, name in enumerate(VARIANTS)}
    sources = {
        name: (name if name != "moved" else "patch", "moved" if name == "moved" else "test") for name in VARIANTS
    }
    lines, shares, rows = [], [], []
    for name, (variant, key) in sources.items():
        some = [o for o in by_variant.get(variant, ()) if key in o.values]
        if not some:
            continue
        steps = range(len(some[0].values[key]))
        title = VARIANTS[name]
        lines.append(Curve(title, series[name], tuple(share_of(k, [o.values[key][k] for o in some]) for k in steps)))
        if name in ("patch", "balanced"):
            shares.append(
                Curve(title, series[name], tuple(share_of(k, [o.values["share"][k] for o in some]) for k in steps))
            )
        if name == "moved":
            continue
        shown = sorted({0, 1, min(2, steps[-1]), steps[-1]})
        rows += [(Cell(title, series=series[name]), *_rfm_row(k, some)) for k in shown]
    repeats = len(by_variant[next(iter(by_variant))])
    note = f"{plural(repeats, 'seed')}{band_words(repeats)}."
    return [
        text(setting),
        curves(
            f"grokking-rfm-{images}",
            f"RFM's test accuracy by iteration ({TITLES.get(images, images)})",
            f"Iteration 0 is the Laplace kernel; training accuracy is in the table. {note}",
            lines,
            Axis("updates of M"),
            Axis("test accuracy", limits=(0.4, 1.0)),
        ),
        curves(
            f"grokking-share-{images}",
            f"The patch's share of M's trace ({TITLES.get(images, images)})",
            f"At iteration 0 M is the identity: the patch's share of the pixels. {note}",
            shares,
            Axis("updates of M"),
            Axis("share of the trace", limits=(0.0, 1.0)),
        ),
        Table(
            f"grokking-rfm-table-{images}",
            (
                Column("Training images", "text"),
                Column("Updates of M"),
                Column("Training accuracy"),
                Column("Test accuracy"),
                Column("First class", hint="test accuracy of the smaller class"),
                Column("Second class", hint="test accuracy of the larger class"),
                Column("AUC", hint="area under the ROC curve of the test scores"),
                Column("Patch in M", hint="share of M's trace, in percent"),
            ),
            tuple(rows),
            "RFM's accuracies in percent",
            note=f"Means over {plural(repeats, 'seed')}. Accuracies with the patch elsewhere are in the figure.",
        ),
    ]


def _rfm_row(k: int, runs: Sequence[Outcome]) -> tuple[Cell, ...]:
    """After ``k`` updates: training and test accuracy, that of each class, area under the curve, the patch's share."""
    return (
        wording.num(k, 0),
        mean_cell([o.values["train"][k] for o in runs]),
        mean_cell([o.values["test"][k] for o in runs]),
        mean_cell([o.values["classes"][k][0] for o in runs]),
        mean_cell([o.values["classes"][k][1] for o in runs]),
        mean_cell([o.values["auc"][k] for o in runs], 3, scale=1.0),
        mean_cell([o.values["share"][k] for o in runs]),
    )


def _pictures(rfm: Sequence[Outcome], networks: Sequence[Outcome]) -> Block | None:
    """Example inputs, and diagonals of M and of what networks' first layers were changed by."""
    rows = []
    for o in rfm:
        if "diagonals" not in o.values:
            continue
        name = f"{TITLES.get(o.cell.parameters['images'], '')}: {VARIANTS[variant_of(o)].lower()}"
        examples = unpacked(o.values["examples"])
        maps = [(f"M, {k} update{'s' * (k != '1')}", unpacked(v)) for k, v in o.values["diagonals"].items()]
        rows.append(Panels(name, [("first class", examples[0]), ("second class", examples[1]), *maps]))
    if maps := network_panels(networks):
        rows.append(Panels("Networks: diagonal of D'D", maps))
    if not rows:
        return None
    return image_grid(
        "grokking-pictures",
        "Training images, and what M and the first layer weigh",
        "Diagonals as images: of each pixel the largest of its channels; D is what training has added to a network's "
        "first layer. The first seed.",
        rows,
    )
