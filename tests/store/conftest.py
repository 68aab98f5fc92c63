"""What the store's tests share is in ``test_store``, runs made from a seed with the report's: importable by name."""

import sys
from pathlib import Path

for _folder in ("report", "store"):
    sys.path.insert(0, str(Path(__file__).parents[1] / _folder))
