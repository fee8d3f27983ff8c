# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""In what the versions of OpenNebula differ that a stand-in can be: one switch a difference, no version elsewhere.

Each switch is shown by a test that cites where upstream has the difference: tests/unit/lab/test_personalities.py.
What is not named here answers as 7.4.0 does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Personality:
    """How one version answers; the defaults are 7.4.0's."""

    #: What ``one.system.version`` answers.
    version: str = "7.4.0"


LATEST: Final = Personality()
VERSIONS: Final = {
    "6.8.0": Personality(version="6.8.0"),
    "6.10.0": Personality(version="6.10.0"),
    "7.4.0": LATEST,
}
