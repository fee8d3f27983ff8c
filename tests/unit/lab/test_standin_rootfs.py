# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Which tree the VM of an image boots; the hosts themselves are stood in for here, as booting one needs root."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from fact8ra_lab.hosts import base
from fact8ra_lab.hosts.machines import Machines, Spec
from fact8ra_lab.standin.drivers import Machine, nspawn
from fact8ra_lab.standin.testing import StandIn, default_seed


@pytest.fixture
def booted(monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The tree of each host that was booted."""
    trees: dict[str, Path] = {}

    def boot(_self: Machines, spec: Spec, _context: Mapping[str, str], rootfs: Path) -> None:
        trees[spec.name] = rootfs

    monkeypatch.setattr(Machines, "boot", boot)
    monkeypatch.setattr(base, "current", lambda _paths: Path("/base"))
    return trees


def test_a_vm_of_an_offered_image_boots_its_tree_and_any_other_the_base(booted: dict[str, Path]) -> None:
    driver = nspawn.create({"site": "alpha", "state": "/s", "cache": "/c", "rootfs": ["/trees/superlink"]})
    for number, path in enumerate(("/trees/superlink", "/", "", "/trees/superlink/../../etc")):
        driver.boot(Machine(number, "vm", (), {}, path, 512, 1))
    assert booted == {
        "alpha-0": Path("/trees/superlink"),
        "alpha-1": Path("/base"),
        "alpha-2": Path("/base"),
        "alpha-3": Path("/base"),
    }


def test_a_driver_without_trees_boots_the_base(booted: dict[str, Path]) -> None:
    nspawn.create({"site": "alpha", "state": "/s", "cache": "/c"}).boot(Machine(1, "vm", (), {}, "/", 512, 1))
    assert booted == {"alpha-1": Path("/base")}


def test_images_may_be_given_to_a_site_that_has_run(tmp_path: Path) -> None:
    with StandIn(state_dir=str(tmp_path)):
        pass
    paths = {}
    for tree in ("/etc", "/usr"):
        seed = default_seed()
        seed["images"] = [*seed["images"], {"name": "flower-superlink", "path": tree, "mode": "644"}]
        with StandIn(state_dir=str(tmp_path), seed=seed) as again:
            pool = again.one("one.imagepool.info", -2, -1, -1, user=again.tenant)
            assert pool.count("<NAME>flower-superlink</NAME>") == 1
            paths[tree] = pool
    assert all(f"<![CDATA[{tree}]]>" in pool for tree, pool in paths.items())
