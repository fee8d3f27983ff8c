# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Wheels of machine learning frameworks with CUDA; private to the collection."""

from __future__ import annotations

import re
from collections.abc import Sequence

REQUIREMENTS = {
    "torch": "torch==2.10.0",
    "tensorflow": "tensorflow[and-cuda]==2.20.0",
    "jax": "jax[cuda12]==0.8.2",
}
"""The newest releases that fit together and whose wheels on PyPI are for CUDA 12.

The branches 525 and newer of the driver run CUDA 12 by its minor version compatibility
(docs.nvidia.com/deploy/cuda-compatibility); CUDA 13 needs the branch 580, which Debian lacks.
"""


def requirements(frameworks: Sequence[str], packages: Sequence[str]) -> list[str]:
    """Return the requirements of frameworks, without those that C(packages) has already, in whatever version."""
    given = {_name(package) for package in packages}
    return [REQUIREMENTS[framework] for framework in frameworks if framework not in given]


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""
