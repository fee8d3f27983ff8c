# SPDX-License-Identifier: Apache-2.0
"""The lab, brought up empty once for all end-to-end tests and taken down after them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import Lab
from playbooks import play


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    play("lab", "-e", "lab_state=absent").succeeded()
    play("lab").succeeded()
    yield Lab()
    play("lab", "-e", "lab_state=absent").succeeded()
