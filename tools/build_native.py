"""Build the native chain next to its sources: ``python tools/build_native.py``; exit code 1 where that cannot be done.

The build of a wheel, and an editable installation, call :func:`build` (``hatch_build.py``). It takes setuptools for
what it knows of compilers, and a C compiler: the environment's ``CC``, or the one that Python was built with.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "rfm" / "native"
FLAGS = ["-O3", "-g0", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd"]
"""Square roots and comparisons that need not set ``errno`` or raise, so that loops of them become vector code; sums are
reordered only where the code says so. ``-fopenmp-simd`` reads those marks and needs no OpenMP library."""


def sources_hash() -> str:
    """sha256 of the C sources; ``rfm.native`` compares it with that of the module it finds."""
    names = sorted([*SOURCES.glob("*.c"), *SOURCES.glob("*.h")])
    return hashlib.sha256(b"".join(name.read_bytes() for name in names)).hexdigest()


def build(folder: Path = SOURCES) -> Path:
    """The compiled module, put into ``folder``; raises an exception of setuptools' where there is no compiler."""
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    flags = ["/O2"] if sys.platform == "win32" else FLAGS
    extension = Extension(
        "rfm.native._chain",
        [str(SOURCES / "module.c")],
        define_macros=[("SOURCES", f'"{sources_hash()}"')],
        extra_compile_args=flags,
        py_limited_api=True,
    )
    with tempfile.TemporaryDirectory() as scratch:
        command = build_ext(Distribution({"ext_modules": [extension]}))
        command.build_lib, command.build_temp = scratch, scratch
        command.ensure_finalized()
        command.run()
        built = Path(command.get_ext_fullpath(extension.name))
        target = folder / built.name
        new = target.with_name(f"{target.name}.new")
        shutil.copyfile(built, new)
        new.replace(target)  # a process that has the old one loaded keeps it
    return target


if __name__ == "__main__":
    try:
        print(f"built {build().name}")
    except Exception as error:  # whatever compilers and setuptools raise
        sys.exit(f"the native chain was not built ({error}); rfm computes in Python, more slowly")
