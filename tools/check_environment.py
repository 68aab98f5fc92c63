"""Whether `import bench` and `import rfm` are this checkout's everywhere in the environment; `make` asks that.

Inside the checkout they are, whatever is installed: Python looks there first. Elsewhere another package of one of these
names would be taken for them.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def foreign() -> list[str]:
    """A line on each package that is another's. To be run as a script, so that the current folder is not looked at."""
    lines = []
    for name in ("bench", "rfm"):
        found = importlib.util.find_spec(name)
        where = found and Path(found.origin or next(iter(found.submodule_search_locations or ()), "")).resolve()
        if where != ROOT / name / "__init__.py":
            lines.append(
                f"this environment has another package called {name} ({where}): uninstall it, or use a new one"
            )
    return lines


if __name__ == "__main__":
    sys.exit("\n".join(foreign()) or 0)
