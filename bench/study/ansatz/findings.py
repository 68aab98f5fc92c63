"""What the ansatz study found: claims first, then the setting, the script, RFM, and dataset by dataset."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import plural
from bench.report import wording
from bench.report.blocks import Block, Items, Link, Notice, Section, text
from bench.study.ansatz.cells import ADAM, MAIN, PUBLISHED_RATE, RATE, WIDE
from bench.study.ansatz.runs import Run, by_dataset, runs_of
from bench.study.ansatz.sections import dataset_section, metric_section, script_section
from bench.study.ansatz.training import ends_words, training_section
from bench.study.ansatz.verdicts import RULE, claims_of
from bench.study.cell import Outcome
from bench.study.claims import PAPER, claims_table
from bench.study.report import Findings

CODE = Link("their code", "https://github.com/aradha/deep_neural_feature_ansatz")
TITLES = {
    "digits": "Digits (scikit-learn's, 8 × 8)",
    "mnist": "MNIST (28 × 28)",
    "fashion-mnist": "Fashion-MNIST (28 × 28)",
    "cifar10": "CIFAR-10 (32 × 32, colour)",
    "star": "Star: airplanes and trucks of CIFAR-10 with a star in the corner",
    "cifar|mnist": "CIFAR|MNIST: two pictures side by side",
}


def find(outcomes: Sequence[Outcome]) -> Findings:
    """The report's content from the cells that have a result."""
    runs = runs_of(outcomes)
    claims = claims_of(runs)
    head: list[Block] = [
        text(
            "A layer's neural feature matrix (NFM) is W'W: it says which directions of its inputs the layer weighs. "
            "The average gradient outer product (AGOP) says on which directions the network's outputs depend. ",
            PAPER,
            " “posit the Deep Neural Feature Ansatz, which states that neural feature learning occurs by implementing "
            "the average gradient outer product”: the two matrices are proportional in every layer. Measured here:",
        ),
        claims_table(claims, RULE),
        *_warnings(runs),
    ]
    if not runs:
        return Findings(_QUESTION, _KICKER, claims, (Section("claims", "What holds", tuple(head)),))
    sections = [
        Section("claims", "What holds", tuple(head)),
        _setting(runs, outcomes),
        script_section(runs),
        metric_section(runs),
        *(dataset_section(data, TITLES[data], some) for data, some in by_dataset(runs).items()),
        training_section(runs, outcomes),
    ]
    return Findings(_QUESTION, _KICKER, claims, tuple(sections))


_QUESTION = "Do networks learn features by the average gradient outer product?"
_KICKER = "The neural feature ansatz, layer by layer"


def _warnings(runs: Sequence[Run]) -> list[Block]:
    """Networks that did not get to 100 %, or did not get anywhere, among those that claims are about."""
    chosen = [run for run in runs if run.variant == MAIN]
    found: list[Block] = []
    if lost := [run for run in chosen if run.diverged]:
        found.append(Notice((f"Diverged, and left out: {_names(lost)}.",), "warning"))
    if short := [run for run in chosen if not run.diverged and not run.values["interpolates"]]:
        least = min(run.end["train"] for run in short)
        found.append(
            Notice(
                (
                    f"{plural(len(short), 'network')} of {len(chosen)} did not reach a training accuracy of 100 % "
                    f"(lowest: {wording.number(100 * least, 1)} %): {_names(short)}.",
                )
            )
        )
    return found


def _names(runs: Sequence[Run]) -> str:
    return wording.listing([f"{run.data} ({run.start} start, seed {run.seed})" for run in runs])


def _setting(runs: Sequence[Run], outcomes: Sequence[Outcome]) -> Section:
    p = next((run for run in runs if run.variant == MAIN), runs[0]).parameters
    words = {ADAM: ADAM, RATE: f"the {RATE} of {PUBLISHED_RATE:g}", WIDE: f"the {WIDE}"}
    further = [words[variant] for variant in words if any(run.variant == variant for run in runs)]
    lines: list[tuple[str | Link, ...]] = [
        (
            f"Networks: {p['depth']} hidden layers of {p['width']:,} ReLU units, no biases; mean squared error on "
            f"one-hot targets, averaged over rows and outputs; gradient descent in batches of 128; {p['train']:,} "
            f"training rows with pixels from 0 to 1, {p['held_out']:,} held-out, {p['test']:,} test rows; "
            f"{p['epochs']:,} epochs, and up to {p['limit']:,} until the training accuracy is 100 %.",
        ),
        (
            "The authors have width 1,024, learning rate 0.1 and about 500 epochs on whole datasets, which is many "
            "times more steps. Here the rate is the one of 0.1, 0.3 and 1 with the least training loss; see ",
            Link("how the networks were trained", "#training"),
            ".",
        ),
        (
            "Starts: PyTorch's default (uniform, ±1/√inputs), and a third of it."
            + (f" Further networks, one seed each: {'; '.join(further)}." if further else ""),
        ),
        (
            "The rules of the claims were fixed before the full run, but after trial runs, mostly of seed 0, which "
            "is among those below: that A2 is about M after one update, as the authors have it, and that A3 asks for a "
            "difference of either sign, was settled after some of them. No learning rate above 1 was tried here. "
            f"{ends_words(outcomes)}",
        ),
        (
            "NFM: W'W, and of what was learned (W − W₀)'(W − W₀), which the published script takes. AGOP: mean over "
            "training rows of the gradients of all outputs with respect to the layer's input, times their transpose; "
            "centred: the gradients' mean is subtracted; √: its square root. Likeness: the cosine of two matrices' "
            "entries, and their Pearson correlation.",
        ),
        (
            "The published script (verify_deep_NFA.py in ",
            CODE,
            ") subtracts W₀ in memory that the network shares, so that the layer becomes W − W₀ before the AGOP is "
            "taken: that is the AGOP of another network. From the third layer on it takes the gradients at the "
            "layer's outputs instead of its inputs. As coded and as described are reported next to each other, never "
            "mixed.",
        ),
        (
            "Star: photos of airplanes and trucks; a star of 7 × 7 pixels is painted near the upper left corner, "
            "yellow on trucks and black on airplanes. The authors do so on STL-10 at 96 × 96. CIFAR|MNIST: a photo of "
            "class k next to a handwritten digit k, which a black margin brings to 32 × 32.",
        ),
    ]
    note = text("The paper's own cosines stand in its figures alone, so there are no numbers to compare these with.")
    return Section("setting", "Setting and sources", (Items(tuple(lines)), note))
