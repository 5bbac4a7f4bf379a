"""Where XGBoost trains: on the CPU, or on a GPU of NVIDIA.

The installed build of XGBoost has no CUDA (docs/decisions/0021), and any build trains on the CPU, without an error, where it finds
no GPU. So both are looked at before anything runs. What was trained on a GPU is the same kind of bundle, and is scored by the CPU.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Literal

Device = Literal["cpu", "cuda"]
Asked = Literal["cpu", "cuda", "auto"]
_DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}


class NoDeviceError(RuntimeError):
    """The device that the settings ask for cannot be had; with the remedy."""


def device_of(asked: Asked) -> Device:
    """The device to train on; for ``auto`` a GPU where there is one.

    Raises ``NoDeviceError`` if ``cuda`` is asked for and the installed xgboost or this machine has none.
    """
    if asked == "cpu":
        return "cpu"
    missing = _missing()
    if missing is None:
        return "cuda"
    if asked == "auto":
        return "cpu"
    raise NoDeviceError(f"device: 'cuda' cannot be had: {missing}, or set device to cpu or auto")


def _missing() -> str | None:
    import xgboost

    if not xgboost.build_info().get("USE_CUDA"):
        python = f"{sys.executable} -m pip"
        return (
            f"the installed xgboost {xgboost.__version__} is the build without CUDA; install the full one "
            f"({python} uninstall -y xgboost-cpu, then {python} install --force-reinstall --no-deps "
            f"xgboost=={xgboost.__version__})"
        )
    found = gpus()
    return None if found else "no GPU of NVIDIA with a driver is visible to this process; give it one"


def gpus() -> int:
    """GPUs that NVIDIA's driver shows to this process; 0 without a driver."""
    name = _DRIVERS.get(sys.platform)
    try:
        driver = ctypes.CDLL(name) if name else None
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver is None or driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
