"""Faces: glasses among the Olivetti faces, attributes of CelebA."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Items, Section, Table, text
from bench.study.cell import Outcome
from bench.study.claims import PAPER
from bench.study.phenomena.claims.faces import ATTRIBUTES, PASTED_RULE, RULE
from bench.study.phenomena.reading import METHODS, mean_cell, skipped_section
from bench.study.phenomena.stored import unpacked
from bench.study.pictures import Panels, image_grid
from bench.study.summary import grouped, of_kind

LEFT_OUT = {"named": "without what M names", "random": "without as many random", "eyes": "without the eyes"}


def faces_section(done: Sequence[Outcome], outcomes: Sequence[Outcome]) -> Section | None:
    """Tables and pictures of both, or why there is nothing."""
    runs, celeba = of_kind(done, "faces"), of_kind(done, "celeba")
    children = [
        part
        for part in (
            _olivetti(runs) if runs else skipped_section("faces-olivetti", "Olivetti faces", outcomes, "faces"),
            _celeba(celeba) if celeba else skipped_section("faces-celeba", "CelebA", outcomes, "celeba"),
        )
        if part is not None
    ]
    if not children:
        return None
    opening = text(
        PAPER,
        " show M for attributes of CelebA's faces, glasses among them. CelebA may not be passed on; the Olivetti "
        "faces are a small stand-in.",
    )
    return Section("faces", "Faces", (opening, Items(((RULE,), (PASTED_RULE,)))), tuple(children))


def _olivetti(runs: Sequence[Outcome]) -> Section:
    p = runs[0].cell.parameters
    rows = [_row(METHODS[m], "all pixels", [o.values["accuracy"][m] for o in runs]) for m in METHODS]
    for words, title in LEFT_OUT.items():
        some = [o for o in runs if words in o.values["left out"]]
        rows += [_row(METHODS[m], title, [o.values["left out"][words][m] for o in some]) for m in ("Laplace", "RFM 1")]
    first = next((o for o in runs if "diagonal" in o.values), None)
    blocks: list[Block] = [
        text(
            f"{p['count']} training faces with glasses and as many without, of 30 persons; {p['test']} with and as "
            "many without to test, of 10 other persons, of whom few wear glasses. The box of the eyes was set by the "
            "mean of all faces."
        ),
        Table(
            "faces-olivetti-table",
            (
                Column("Method", "text"),
                Column("Pixels", "text"),
                Column("Test accuracy"),
                Column("lowest"),
                Column("highest"),
            ),
            tuple(rows),
            "Glasses or none: test accuracy in percent",
            note=f"{plural(len(runs), 'draw')} of the training faces.",
        ),
    ]
    if first is not None:
        blocks.append(
            image_grid(
                "faces-olivetti-pictures",
                "The mean training face, and the diagonal of M after one update",
                "The first seed.",
                [
                    Panels(
                        "",
                        [("mean face", unpacked(first.values["mean_face"])), ("M", unpacked(first.values["diagonal"]))],
                    )
                ],
            )
        )
    return Section("faces-olivetti", "Olivetti faces", tuple(blocks))


def _row(method: str, pixels: str, accuracies: Sequence[float]) -> tuple[Cell, ...]:
    ends = (min(accuracies), max(accuracies)) if accuracies else (None, None)
    return (
        Cell(method),
        Cell(pixels),
        mean_cell(accuracies),
        *(wording.num(None if end is None else 100 * end, 1) for end in ends),
    )


def _celeba_row(name: str, method: str, runs: Sequence[Outcome]) -> tuple[Cell, ...]:
    pasted = [o.values["pasted"][method] for o in runs]
    return (
        Cell(ATTRIBUTES.get(name, name)),
        Cell(METHODS[method]),
        mean_cell([o.values["accuracy"][method] for o in runs]),
        *(mean_cell([one[mask] for one in pasted if mask in one]) for mask in ("named", "random", "feature")),
        mean_cell([o.values["named"] for o in runs], 0, scale=1.0),
    )


def _celeba(runs: Sequence[Outcome]) -> Section:
    p = runs[0].cell.parameters
    by_attribute = grouped(runs, lambda o: str(o.cell.parameters["attribute"]))
    rows = [_celeba_row(name, m, some) for name, some in by_attribute.items() for m in ("Laplace", "RFM 1")]
    pictures = [
        Panels(
            ATTRIBUTES.get(str(o.cell.parameters["attribute"]), ""),
            [
                ("M", unpacked(o.values["diagonal"])),
                ("pixels pasted over", 255 * unpacked(o.values["mask"]).astype(float)),
            ],
        )
        for o in runs
        if "diagonal" in o.values
    ]
    blocks: list[Block] = [
        text(
            f"{p['count']} training faces with the attribute and as many without, {p['test']} of each to test, "
            f"{p['size']} x {p['size']} pixels. Templates are test faces without the attribute; the published scripts "
            "take theirs from a man, and choose one."
        ),
        Table(
            "faces-celeba-table",
            (
                Column("Attribute", "text"),
                Column("Method", "text"),
                Column("Test accuracy"),
                Column("Pasted over what M names"),
                Column("Pasted over random pixels"),
                Column("Pasted over the feature"),
                Column("Pixels named"),
            ),
            tuple(rows),
            "Test accuracy in percent",
        ),
    ]
    if pictures:
        blocks.append(
            image_grid(
                "faces-celeba-pictures",
                "The diagonal of M after one update, and what is pasted over",
                "The first seed.",
                pictures,
            )
        )
    return Section("faces-celeba", "CelebA", tuple(blocks))
