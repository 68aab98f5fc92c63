"""Where jobs compute: on the processor, or on a GPU through CUDA.

CUDA is initialised in a job's process alone: neither here, where jobs are planned, nor in the fork server, for a
process that was forked after that cannot use it.
"""

from __future__ import annotations

import contextlib
from typing import Any

from bench.errors import MethodError, UsageError, unknown_name
from bench.records.method import CPU, DEVICES, Method

HOST_BYTES = 8_000_000_000
"""Memory of the process, not of the device, that CUDA's libraries may take beyond what a job needs."""


def named_device(name: str) -> str:
    """``name``, if it is that of a device. Raises :class:`UsageError`."""
    if name not in DEVICES:
        raise unknown_name("device", name, DEVICES)
    return name


def refuse_missing(device: str) -> None:
    """Raise :class:`UsageError` if ``device`` cannot be used on this machine."""
    if device != CPU and not _cuda_is_there():
        raise UsageError(f"--device {device}: no CUDA device that PyTorch can use here; leave it out, or use {CPU}")


def device_of(method: Method, device: str) -> str:
    """Where ``method`` is computed in a run on ``device``: there, or on the processor if it knows no other."""
    return device if device in method.devices else CPU


def require(device: str) -> None:
    """Raise :class:`MethodError` if ``device`` is not there: libraries would quietly compute on the processor."""
    if device != CPU and not _cuda_is_there():
        raise MethodError(f"no CUDA device that PyTorch can use where this job runs ({device} was asked for)")


def described(device: str) -> dict[str, Any]:
    """What PyTorch says of the device, and of the memory that it took there, in a process that has computed on it."""
    if device == CPU:
        return {}
    import torch

    found: dict[str, Any] = {"device": device}
    with contextlib.suppress(Exception):  # what cannot be told is left out: the job is done
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        found |= {"gpu": properties.name, "gpu_memory_mb": round(properties.total_memory / 1e6)}
        found |= {"gpu_peak_mb": round(torch.cuda.max_memory_allocated() / 1e6, 1), "cuda": str(torch.version.cuda)}
        driver = int(torch._C._cuda_getDriverVersion())  # type: ignore[attr-defined]
        found["cuda_driver"] = f"{driver // 1000}.{driver % 1000 // 10}"
    return found


def _cuda_is_there() -> bool:
    import torch

    return bool(torch.cuda.is_available())
