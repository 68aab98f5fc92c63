"""What is odd about a table, for its user: findings, and how they name values and keys of a description."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from bench.errors import one_line

if TYPE_CHECKING:
    import pandas as pd

Severity: TypeAlias = Literal["warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One oddity: the ``check`` that found it, ``what`` was found, what it ``means`` for a kernel method.

    A ``warning`` should be looked into before results are believed; a ``note`` is good to know. ``columns`` are the
    names of the features it is about.
    """

    check: str
    severity: Severity
    what: str
    means: str
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return one_line(f"{self.check}: {self.what}; {self.means}", limit=600)


def first_of(strange: pd.Series) -> str:
    """The first of texts by their row."""
    return f"the first in row {strange.index[0] + 1} ({quoted(strange.iloc[0])})"


def as_key(key: str, *texts: str) -> str:
    """``key`` with a list of ``texts`` as a description says it; what YAML could read otherwise is in quotes."""
    plain = re.compile(r"(?!null\Z)[^\W\d][\w.-]*", re.IGNORECASE)
    written = [text if plain.fullmatch(text) else json.dumps(text, ensure_ascii=False) for text in texts]
    return f"`{key}: [{', '.join(written)}]`"


def quoted(value: object) -> str:
    """``value`` in quotes, cut where it is long."""
    return repr(one_line(value, limit=50))
