"""What the study of linear RFM found: claims first, then a section a question."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.blocks import Link, Section, text
from bench.study.cell import Outcome
from bench.study.claims import COMPARISON_RULE, ENDED_RULE, claims_table
from bench.study.lin_rfm.sections.completing import completion_section, noise_section
from bench.study.lin_rfm.sections.completion_claims import completion_claims
from bench.study.lin_rfm.sections.methods import EXACT, HOPELESS
from bench.study.lin_rfm.sections.ratings import ratings_claims, ratings_section
from bench.study.lin_rfm.sections.regression import regression_claims, regression_section
from bench.study.lin_rfm.sections.speed import scale_section, speed_claims, timing_section
from bench.study.report import Findings

PAPER = Link("Radhakrishnan, Belkin and Drusvyatskiy (2025)", "https://arxiv.org/abs/2401.04553")


def find(outcomes: Sequence[Outcome]) -> Findings:
    """The report's content from the cells that have a result."""
    done = [o for o in outcomes if o.status == "ok"]
    claims = [*regression_claims(done), *completion_claims(done), *speed_claims(outcomes), *ratings_claims(done)]
    head = Section(
        "claims",
        "What holds",
        (
            text(
                "Linear RFM alternates ridge regression with a reweighting of the features by the average gradient "
                "outer product (AGOP) of the fit, to a power alpha. ",
                PAPER,
                " show that this generalises iteratively reweighted least squares (IRLS-p, p = 2 - 4 alpha; the tests "
                "check it step by step), and claim more. Each claim against measurements made here:",
            ),
            claims_table(
                claims,
                "In matrix completion every method chooses its hyperparameters and when to stop by the same held-out "
                "observed entries, and the entries on which errors are reported choose nothing, except in the timings: "
                "there each method has the decay of its ridge with which it is the first to reach the error at these "
                "entries. Set by hand, and not tuned: the factor by which lin-RFM's ridge shrinks in an iteration (0.9 "
                "for the alternating and the factored form; for columns 0.95, on the 500 x 500 matrices 0.96; on "
                "MovieLens 0.95 for all), and its iterations at most (500; for columns 800, on MovieLens 500). "
                f"Matrices that both sides recover (error below {EXACT:g}) are ties, and so are those on which both "
                f"have an error above {HOPELESS:g}, where 0 everywhere has about 1; the second part of this rule was "
                "added when the results were known. In sparse regression nothing is held out or chosen: alpha is 1/2, "
                "and of a network the start and the depth count that come closest to the truth. "
                f"{COMPARISON_RULE} {ENDED_RULE}",
            ),
        ),
    )
    sections = [
        section
        for section in (
            regression_section(done),
            completion_section(done),
            noise_section(done),
            timing_section(done),
            scale_section(done),
            ratings_section(done, outcomes),
        )
        if section is not None
    ]
    return Findings(
        "Does linear RFM do what its paper says?",
        "Linear Recursive Feature Machines: sparse regression and matrix completion",
        claims,
        (head, *sections),
    )
