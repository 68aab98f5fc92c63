"""Tables and figures of the ansatz study's report on what its networks learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Cell, Column, Section, Table, text
from bench.report.figures.curves import Axis, Curve, curves
from bench.study.ansatz.runs import (
    COSINE,
    PEARSON,
    Look,
    Run,
    at,
    by_dataset,
    layer_count,
    main_runs,
    mean,
    over_layers,
)
from bench.study.ansatz.verdicts import interval_words, script_difference
from bench.study.pictures import Panels, image_grid, paired_heat_maps
from bench.study.summary import band_words, mean_point

MATRICES = {
    "change": "(W − W₀)'(W − W₀)",
    "nfm": "W'W",
    "agop": "AGOP",
    "rfm 1": "RFM's M, 1 update",
    "rfm 5": "RFM's M, 5 updates",
    "inputs": "X'X",
}
PATHS = (
    ("nfm agop", "W'W and AGOP"),
    ("nfm root", "W'W and √AGOP"),
    ("change agop", "(W − W₀)'(W − W₀) and AGOP"),
    ("coded agop", "as the script computes it"),
)
"""What is drawn over epochs."""

DETAIL = (
    ("nfm agop", "W'W, AGOP"),
    ("nfm centred", "W'W, centred AGOP"),
    ("nfm root", "W'W, √AGOP"),
    ("change agop", "Δ'Δ, AGOP"),
    ("change centred", "Δ'Δ, centred AGOP"),
    ("change root", "Δ'Δ, √AGOP"),
    ("coded agop", "as coded"),
    ("coded centred", "as coded, centred"),
)
CONTROLS = (
    ("redrawn agop", "redrawn W, AGOP"),
    ("redrawn own", "redrawn W, its own AGOP"),
    ("shuffled agop", "shuffled W, AGOP"),
    ("shuffled own", "shuffled W, its own AGOP"),
    ("drift agop", "redrawn Δ, AGOP"),
    ("drift own", "redrawn Δ, its own AGOP"),
    ("nfm inputs", "W'W, X'X"),
    ("nfm identity", "W'W, identity"),
    ("change inputs", "Δ'Δ, X'X"),
    ("change identity", "Δ'Δ, identity"),
)


def dataset_section(data: str, title: str, runs: Sequence[Run]) -> Section:
    """One dataset: cosines over epochs, layer by layer at the end, controls, and pictures of the first layer."""
    own = [run for run in runs if run.data == data]
    chosen = main_runs(own)
    blocks: list[Block] = []
    if chosen:
        name = wording.slug(data)
        blocks = [_paths(name, title, chosen), _layers(name, chosen), _controls(name, chosen)]
        for run in chosen:
            if "pictures" in run.values:
                blocks += _pictures(name, title, run)
    return Section(f"data-{wording.slug(data)}", title, tuple(blocks) or (text("No result yet."),))


def _paths(name: str, title: str, runs: Sequence[Run]) -> Block:
    lines = []
    for series, (key, words) in enumerate(PATHS):
        points = []
        for epoch in _epochs(runs):
            found = [over_layers(run, _value(epoch, key)) for run in runs]
            if there := [value for value in found if value is not None]:
                points.append(mean_point(epoch, there))
        if points:
            lines.append(Curve(words, series, tuple(points)))
    return curves(
        f"{name}-path",
        "Likeness over training",
        f"{title}: mean cosine over the hidden layers, {plural(len(runs), 'seed')}{band_words(len(runs))}. The script "
        "compares (W − W₀)'(W − W₀) with the AGOP of the network whose layer is W − W₀.",
        lines,
        Axis("epoch", log=True),
        Axis("cosine", limits=(0.0, 1.02)),
    )


def _epochs(runs: Sequence[Run]) -> list[int]:
    """Epochs at which all ``runs`` were looked at, without the start."""
    found = [{int(look["epoch"]) for look in run.values["path"]} for run in runs]
    return sorted(set.intersection(*found) - {0})


def _layers(name: str, runs: Sequence[Run]) -> Block:
    def cell(key: str, layer: int) -> Cell:
        cosine, pearson = (mean(at(run.end, layer, key, which) for run in runs) for which in (COSINE, PEARSON))
        return wording.num(cosine, 2, hint=f"Pearson {wording.number(pearson, 2)}")

    count = layer_count(runs[0])
    rows = [
        (
            Cell(words),
            wording.num(mean(over_layers(run, _value(0, key)) for run in runs), 2),
            *(cell(key, layer) for layer in range(count)),
        )
        for key, words in DETAIL
    ]
    return Table(
        f"{name}-layers",
        (Column("Compared", "text"), Column("At the start"), *(Column(f"Layer {k + 1}") for k in range(count))),
        tuple(rows),
        "Cosines at the end of training, mean over seeds",
        note="Δ = W − W₀. The Pearson correlation shows on hover. At the start: mean over layers; Δ is zero there.",
    )


def _value(epoch: int, key: str) -> Look:
    """A likeness after ``epoch``."""

    def value(run: Run, layer: int) -> float | None:
        return at(next(look for look in run.values["path"] if look["epoch"] == epoch), layer, key)

    return value


def _controls(name: str, runs: Sequence[Run]) -> Block:
    count = layer_count(runs[0])
    rows = [
        (
            Cell(words),
            *(wording.num(mean(run.values["controls"][k][key][COSINE] for run in runs), 2) for k in range(count)),
        )
        for key, words in CONTROLS
    ]
    return Table(
        f"{name}-controls",
        (Column("Compared", "text"), *(Column(f"Layer {k + 1}") for k in range(count))),
        tuple(rows),
        "Controls and rivals: cosines at the end of training, mean over seeds",
        note="Redrawn: same singular values, random singular vectors. Its own AGOP: of the network with that layer "
        "put in. Where it is as high as the learned layer's, it comes from the architecture. X: the layer's inputs.",
    )


def _pictures(name: str, title: str, run: Run) -> list[Block]:
    height, width, channels = run.values["shape"]
    drawn = run.values["pictures"]
    present = [key for key in MATRICES if key in drawn["diagonals"]]

    def picture(key: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.asarray(drawn["diagonals"][key]).reshape(height, width, channels).mean(axis=2)

    over = ", mean over the colours" if channels > 1 else ""
    images = image_grid(
        f"{name}-diagonals",
        "Diagonals as pictures",
        f"{title}, first layer, seed {run.seed}: diagonals{over}, each from its smallest to its largest value.",
        [Panels("", [(MATRICES[key], picture(key)) for key in present])],
    )
    side = len(drawn["coordinates"])
    heat = paired_heat_maps(
        f"{name}-blocks",
        f"The {side} × {side} entries where W'W has its largest diagonal",
        f"{title}, first layer, seed {run.seed}: each matrix is divided by its largest diagonal entry.",
        [Panels("", [(MATRICES[key], np.asarray(drawn["blocks"][key])) for key in present if key in drawn["blocks"]])],
        share=0.99,
    )
    return [images, heat]


def script_section(runs: Sequence[Run]) -> Section:
    """A3, dataset by dataset: as coded next to as described."""
    rows = []
    for data, some in by_dataset(main_runs(runs)).items():
        for layer in range(layer_count(some[0])):
            difference = script_difference(some, layer)
            rows.append(
                (
                    Cell(data),
                    wording.num(float(layer + 1), 0),
                    *(wording.num(_early(some, layer, key), 2) for key in ("change agop", "coded agop")),
                    *(
                        wording.num(mean(at(run.end, layer, key) for run in some), 2)
                        for key in ("change agop", "altered agop", "coded agop")
                    ),
                    Cell(
                        wording.DASH if difference is None else interval_words(difference),
                        None if difference is None else difference.mean,
                    ),
                )
            )
    note = (
        "Described: (W − W₀)'(W − W₀) and the AGOP of the trained network. Altered: and the AGOP of the network whose "
        "layer has become W − W₀. As coded: that, and in the third layer gradients at the layer's outputs. Early: at "
        "the third look, the start being the first. Differences with 95 % Student intervals over seeds."
    )
    table = Table(
        "script",
        (
            Column("Dataset", "text"),
            Column("Layer", lower_first=True),
            Column("Described, early"),
            Column("As coded, early"),
            Column("Described, end"),
            Column("Altered, end"),
            Column("As coded, end"),
            Column("As coded − described, end"),
        ),
        tuple(rows),
        "The published script's cosines and those of the definitions",
        note=note,
    )
    return Section("script", "The published script", (table,))


def _early(runs: Sequence[Run], layer: int, key: str) -> float | None:
    looks = [run.values["path"][min(2, len(run.values["path"]) - 1)] for run in runs]
    return mean(at(look, layer, key) for look in looks)


def metric_section(runs: Sequence[Run]) -> Section:
    """A2, dataset by dataset: RFM's M and its rivals."""
    names = ("rfm 1", "rfm 5", "agop", "inputs")

    def row(data: str, some: Sequence[Run], of: str) -> tuple[Cell, ...]:
        found = [mean(run.values["first"][f"{of} {by}"][COSINE] for run in some) for by in names]
        diagonals = [mean(run.values["diagonals"][f"{of} {by}"] for run in some) for by in names]
        return (Cell(data), Cell(MATRICES[of]), *(wording.num(value, 2) for value in (*found, *diagonals)))

    rows = [row(data, some, of) for data, some in by_dataset(main_runs(runs)).items() for of in ("change", "nfm")]
    heads = ("M, 1 update", "M, 5 updates", "AGOP", "X'X")
    table = Table(
        "metric",
        (
            Column("Dataset", "text"),
            Column("First layer", "text"),
            *(Column(head) for head in heads),
            *(Column(f"Diagonals: {head}") for head in heads),
        ),
        tuple(rows),
        "RFM's M and the first layer: cosines, and Pearson correlations of the diagonals; mean over seeds",
        note="RFM: Laplace kernel, bandwidth 10, ridge 0.001, on the same training rows.",
    )
    return Section("metric", "RFM and the first layer", (table,))
