"""What the study of the four phenomena found: claims first, then a section a phenomenon."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.blocks import Link, Section, text
from bench.study.cell import Outcome
from bench.study.claims import COMPARISON_RULE, PAPER, claims_table
from bench.study.phenomena.claims.faces import faces_claims
from bench.study.phenomena.claims.grokking import grokking_claims
from bench.study.phenomena.claims.simplicity import simplicity_claims
from bench.study.phenomena.claims.spurious import spurious_claims
from bench.study.phenomena.claims.tickets import tickets_claims
from bench.study.phenomena.reading import CODE
from bench.study.phenomena.sections.faces import faces_section
from bench.study.phenomena.sections.grokking import grokking_section
from bench.study.phenomena.sections.simplicity import simplicity_section
from bench.study.phenomena.sections.spurious import spurious_section
from bench.study.phenomena.sections.tickets import tickets_section
from bench.study.report import Findings

PREPRINT = Link("preprint", "https://arxiv.org/abs/2212.13881v2")


def find(outcomes: Sequence[Outcome]) -> Findings:
    """The report's content from the cells that have a result."""
    done = [o for o in outcomes if o.status == "ok"]
    claims = [
        *grokking_claims(done),
        *tickets_claims(done),
        *simplicity_claims(done),
        *spurious_claims(done),
        *faces_claims(done, outcomes),
    ]
    head = Section(
        "claims",
        "What holds",
        (
            text(
                PAPER,
                " say that learning features by the average gradient outer product (AGOP) explains phenomena of deep "
                "networks: how spurious features and simplicity biases emerge, and how pruning can increase "
                "performance (lottery tickets); their ",
                PREPRINT,
                " adds grokking. In ",
                CODE,
                " each is an experiment on images. There is no published run, and no published number at hand: figures "
                "there are pictures. Repeated here, with controls that the rules name. The rules were fixed before the "
                "full run, but after trial runs of single seeds, which are among those below; after them the claim on "
                "the network's first layer was made one on what training adds to it. All draws of CIFAR-10 have the "
                "same test images, so intervals and tests leave out what other test images would change:",
            ),
            claims_table(
                claims,
                "The rule of each claim stands at the top of its section. Everywhere: Laplace kernel of bandwidth 10, "
                f"ridge 0.001, as published. {COMPARISON_RULE}",
            ),
        ),
    )
    sections = [
        section
        for section in (
            grokking_section(done),
            tickets_section(done),
            simplicity_section(done),
            spurious_section(done),
            faces_section(done, outcomes),
        )
        if section is not None
    ]
    return Findings(
        "Does RFM show what deep networks show?",
        "Grokking, lottery tickets, simplicity bias and spurious features in RFM and in networks",
        claims,
        (head, *sections),
    )
