"""Makes the synthetic runs importable by name here; a browser, and figures that are not drawn."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from chromium import browser
from undrawn import drawn, undrawn

__all__ = ["browser", "drawn", "undrawn"]
