"""What the store's tests share is in ``test_store``: importable by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
