# SPDX-License-Identifier: Apache-2.0
"""The lab, brought up empty once for all end-to-end tests and taken down after them.

With FACT8RA_LAB=running the tests use the lab that runs and leave it running, which is for working on a test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from lab import Lab
from playbooks import play


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    if os.environ.get("FACT8RA_LAB") == "running":
        yield Lab()
        return
    play("lab", "-e", "lab_state=absent").succeeded()
    play("lab").succeeded()
    yield Lab()
    play("lab", "-e", "lab_state=absent").succeeded()
