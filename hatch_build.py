"""Put the native chain of rfm into a wheel, or next to its sources in an editable installation, if it can be built.

Without a C compiler the installation succeeds without it: rfm then computes in Python, and ``rfm.engine()`` says so.
"""

from __future__ import annotations

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeChain(BuildHookInterface):
    """Hatchling's hook: called before every wheel, ``version`` says of which kind."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the module next to its sources, and name the wheel after the platform and the oldest Python for it."""
        root = Path(self.root)
        for old in (*(root / "rfm/native").glob("_chain*.so"), *(root / "rfm/native").glob("_chain*.pyd")):
            old.unlink()  # of another state of the sources, or another machine
        try:
            built: Path = runpy.run_path(str(root / "tools/build_native.py"))["build"]()
        except Exception as error:  # whatever compilers and setuptools raise
            self.app.display_warning(f"rfm: the native chain was not built ({error}); it computes in Python")
            return
        build_data["pure_python"] = False
        build_data["artifacts"].append(f"rfm/native/{built.name}")
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"
