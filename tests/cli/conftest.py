"""Makes runs made from a seed, and the texts of plug-ins and faulty methods, importable by name here."""

from __future__ import annotations

import sys
from pathlib import Path

for _folder in ("report", "run"):
    sys.path.insert(0, str(Path(__file__).parents[1] / _folder))
