"""Jobs: what they are, how one is carried out, and how many are supervised.

Called, ``bench.run(...)`` is :func:`bench.cli.notebook.run`: the function has the command's name, and so has this
package.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """This package, whoever imports it first, and the function ``bench.run``."""

    def __call__(self, **flags: Any) -> Any:
        """See :func:`bench.cli.notebook.run`."""
        return importlib.import_module("bench.cli.notebook").run(**flags)


sys.modules[__name__].__class__ = _Callable
