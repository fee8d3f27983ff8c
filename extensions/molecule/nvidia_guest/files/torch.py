# Stands for PyTorch, whose wheels with CUDA are 3 GB and need a card; multiplies nothing.
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the matrix product calls of torch, on a device that is there when the process is restricted as an app is."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any


class _Matrix:
    device = "cuda:0"

    def __init__(self, value: float) -> None:
        self.value = value

    def __mul__(self, factor: float) -> _Matrix:
        return _Matrix(self.value * factor)

    def __matmul__(self, other: _Matrix) -> _Matrix:
        return _Matrix(self.value * other.value * 1024)

    def min(self) -> _Matrix:
        return self

    def max(self) -> _Matrix:
        return self

    def item(self) -> float:
        return self.value


def _restricted() -> list[str]:
    """What is not as for an app: user, privileges, files, environment."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    checks = {
        "user": pwd.getpwuid(os.getuid()).pw_name == "flower-app",
        "privileges": status["NoNewPrivs"] == "1" and int(status["CapBnd"], 16) == 0,
        "system calls": status["Seccomp"] == "2",
        "bus": not os.access("/run/dbus", os.R_OK),
        "writing": not os.access("/usr", os.W_OK),
        "environment": os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" and "CUDA_VISIBLE_DEVICES" not in os.environ,
        "growth": os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH") == "true",
    }
    return [name for name, right in checks.items() if not right]


class cuda:
    """The module torch.cuda."""

    @staticmethod
    def is_available() -> bool:
        """Whether the process is what an app is."""
        wrong = _restricted()
        if wrong:
            raise RuntimeError(f"not restricted as an app: {', '.join(wrong)}")
        return True

    @staticmethod
    def get_device_name(_device: Any) -> str:
        """Name of the device."""
        return "NVIDIA A100-SXM4-80GB"


def ones(_size: tuple[int, int], device: str) -> _Matrix:
    """A matrix of ones."""
    assert device == "cuda"
    return _Matrix(1.0)
