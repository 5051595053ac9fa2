"""Where to compute: the device of a name, the best one, and what it can do."""

from __future__ import annotations

import torch

from colorflow.errors import DeviceError


def device_of(name: str) -> torch.device:
    """The device of a name.

    Args:
        name: ``auto`` for the best device that is there, or one of PyTorch's by name, such as
            ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        DeviceError: if nothing can be computed there.
    """
    try:
        device = torch.device(best_device() if name == "auto" else name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: a build without CUDA
        missing = (
            "this machine has no such CUDA GPU that PyTorch can use"
            if name.startswith("cuda")
            else "PyTorch has no such device here"
        )
        raise DeviceError(f"{name}: {missing}; choose cpu, or auto for the best one") from error
    return device


def best_device() -> str:
    """A CUDA GPU if there is one, otherwise the CPU; Apple's GPUs lack the float64 of hints."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself.

    A CPU that does not imitates it, and a convolution takes twenty times as long as in float32.
    """
    if device.type != "cpu":
        return True
    found = torch.cpu.get_capabilities()
    return any(found.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))
