# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the layers of a federation with a GPU tell, for the tests of what judges them."""

from __future__ import annotations

import copy
from typing import Any

CARD = "NVIDIA L40S"
PCI = {"vendor": "10de", "device": "26b9", "class": "0302", "address": "0000:41:00.0"}
POOL = [{**PCI, "vm": 12}, {**PCI, "address": "0000:c1:00.0", "vm": None}, {**PCI, "class": "0403", "vm": None}]
TRAINING = {"framework": "torch", "places": ["cuda:0", "cuda:0"], "product_seconds": [0.0012]}


def whole() -> dict[str, Any]:
    """A federation of two SuperNodes, one of them with a GPU, in which all is well."""
    gpu = {**PCI, "name": CARD, "driver": "vfio-pci", "iommu_group": 12, "problems": []}
    guest = {
        "driver": "550.54.15",
        "cuda": "12.4",
        "gpus": [{"name": CARD}],
        "problems": [],
        "matrix": {"framework": "torch", "device": CARD, "seconds": 0.0012, "ok": True},
    }
    config = {"name": "a-0", "gpu-count": 1, "gpu-name": CARD}
    plain = {"guest": None, "config": {"name": "b-0"}, "devices": [], "status": "online"}
    data = {
        "hosts": {
            "node7": {
                "one_host": "node7",
                "facts": {"iommu": {"enabled": True, "cpu": "intel", "groups": 61}, "gpus": [gpu], "problems": []},
            }
        },
        "sites": {
            "a": {
                "gpus": 1,
                "vendor": "10de",
                "class": "03",
                "required": True,
                "supernodes": 1,
                "pool": [{"name": "node7", "state": "MONITORED", "pci_devices": POOL}],
            },
            "b": {"gpus": 0, "supernodes": 1},
        },
        "nodes": {
            "a-0": {
                "site": "a",
                "pci": [PCI],
                "guest": guest,
                "config": config,
                "devices": ["/dev/nvidia0 rw"],
                "status": "online",
            },
            "b-0": {"site": "b", "pci": [], **plain},
        },
        "round": {
            "run": {
                "rounds": [
                    {
                        "devices": {"a-0": CARD, "b-0": "cpu"},
                        "training": {"a-0": TRAINING, "b-0": {"framework": "numpy"}},
                    }
                ],
                "final": {"loss": 64.1, "initial_loss": 256.0},
                "reply_errors": [],
            }
        },
    }
    return copy.deepcopy(data)
