"""Protocols: how hyperparameters are selected and what is tested, each one record, and the one way to carry them out.

Everything that touches rows and labels between a dataset and a result is in this package: filling of missing numbers,
standardising, stratified division and sampling, selection and test.
"""

from bench.protocols.record import Protocol
from bench.protocols.registry import PROTOCOLS, get_protocol, register, with_variants
from bench.protocols.selection import Predicted, carry_out, carry_out_together

__all__ = [
    "PROTOCOLS",
    "Predicted",
    "Protocol",
    "carry_out",
    "carry_out_together",
    "get_protocol",
    "register",
    "with_variants",
]
