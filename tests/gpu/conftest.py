# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The hypervisors of the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypervisor import Hypervisor, boot


@pytest.fixture(scope="module")
def intel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hypervisor]:
    """A hypervisor with an Intel IOMMU, the same for all tests of a module."""
    with boot(tmp_path_factory.mktemp("intel"), "intel") as running:
        yield running


@pytest.fixture(scope="module")
def amd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hypervisor]:
    """A hypervisor with an AMD IOMMU, the same for all tests of a module."""
    with boot(tmp_path_factory.mktemp("amd"), "amd", iommu="amd-iommu,intremap=on") as running:
        yield running
