# SPDX-License-Identifier: Apache-2.0
"""The lab with the appliances, once for all tests in here, and the services that tests share.

With FACT8RA_LAB=running the tests use the lab that runs and leave it running, which is for working on a test.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from appliance_lab import Service, Tenant
from appliance_world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Two sites with a tenant each, who has the appliances."""
    with World.started() as running:
        yield running


@pytest.fixture(scope="session")
def here(world: World) -> Tenant:
    """The tenant at the site of the SuperLink."""
    return world.here


@pytest.fixture(scope="session")
def there(world: World) -> Tenant:
    """The tenant at the other site."""
    return world.there


@pytest.fixture(scope="module")
def kept() -> Iterator[Callable[[Service], Service]]:
    """Keeps a service for the tests of a module and deletes it after them."""
    with contextlib.ExitStack() as stack:

        def keep(service: Service) -> Service:
            stack.callback(service.delete)
            return service

        yield keep


@pytest.fixture
def deleted() -> Iterator[Callable[[Service], Service]]:
    """Deletes a service after the test."""
    with contextlib.ExitStack() as stack:

        def keep(service: Service) -> Service:
            stack.callback(service.delete)
            return service

        yield keep


@pytest.fixture(autouse=True)
def without_faults(world: World) -> Iterator[None]:
    """The stand-ins behave again after each test."""
    yield
    for tenant in (world.here, world.there):
        tenant.fault()
