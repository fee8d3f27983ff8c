# SPDX-License-Identifier: Apache-2.0
"""The lab of the appliances: brought up beside whatever lab this computer has, its images built, and taken down."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from appliance_lab import FEDERATION, SITE, Tenant
from playbooks import ROOT, play

from fact8ra_lab.hosts import base
from fact8ra_lab.hosts._system import Paths

STATE = Path("/var/lib/fact8ra-appliance-lab")
SITES = {"afive": 55, "asix": 56}
#: Where SuperNodes come from: the sites, and a network of the tenant's own.
NETWORKS = [*(f"10.71.{number}.0/24" for number in SITES.values()), "10.80.0.0/24"]
IMAGES = ("flower-superlink", "flower-supernode-sklearn")


class World:
    """Both sites, each with a tenant that has the images, the VM templates and the services."""

    def __init__(self) -> None:
        self.here, self.there = (Tenant(name, number, STATE) for name, number in SITES.items())

    @classmethod
    @contextlib.contextmanager
    def started(cls) -> Iterator[World]:
        """The lab with its images, from nothing and back to nothing.

        With FACT8RA_LAB=running what runs is used as it is and left; where nothing does it is made and left.
        """
        running = os.environ.get("FACT8RA_LAB") == "running"
        if not running:
            remove()
        try:
            world = cls()
            if not STATE.exists():
                world.up()
            yield world
        finally:
            if not running:
                remove()

    def up(self) -> None:
        """Start the sites, build the images on the lab's base, offer them, and upload the services."""
        lab_up()
        started = time.monotonic()
        built = build()
        print(f"\nimages for the lab: {time.monotonic() - started:.1f} s")
        lab_up(lab_images=[{"name": name, "rootfs": str(rootfs)} for name, rootfs in built.items()])
        both = (self.here, self.there)
        upload(both, FEDERATION, appliance_service_flavour="sklearn")
        one = {"appliance_service_supernodes": 1, "appliance_service_min_supernodes": 1}
        upload(both, SITE, appliance_service_kind="site", appliance_service_flavour="sklearn", **one)


def lab_up(**variables: Any) -> None:
    """Play the role lab with this lab's sites."""
    sites = [{"name": name, "number": number} for name, number in SITES.items()]
    given = {"lab_sites": sites, "lab_state_directory": str(STATE), **variables}
    play("lab", "-e", json.dumps(given)).succeeded()


def build() -> dict[str, Path]:
    """Build the images as directories on the lab's base, whose context agent they keep; name to root file system."""
    variables = {
        "appliance_images": list(IMAGES),
        "appliance_base": str(base.current(Paths())),
        "appliance_formats": ["directory"],
        "appliance_output": str(STATE / "images"),
    }
    play("appliance", "-e", json.dumps(variables)).succeeded()
    return {name: STATE / "images" / name / "rootfs" for name in IMAGES}


def upload(tenants: Sequence[Tenant], name: str, **variables: Any) -> None:
    """Give tenants a service, by the role as they play it themselves."""
    hosts = {
        tenant.site: {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "one_endpoint": f"http://{tenant.gateway}:2633/RPC2",
            "one_flow_endpoint": f"http://{tenant.gateway}:2474",
            "one_username": tenant.user,
            "one_password": tenant.password,
        }
        for tenant in tenants
    }
    inventory = STATE / "tenants.json"
    inventory.touch(mode=0o600)
    inventory.write_text(json.dumps({"all": {"children": {"sites": {"hosts": hosts}}}}), encoding="utf-8")
    given = {"appliance_service_name": name, "appliance_service_fleet_sources": NETWORKS, **variables}
    play("appliance_service", "-e", json.dumps(given), inventory=inventory).succeeded()


def remove() -> None:
    """Take down this lab and nothing else; one that was interrupted too."""
    if not STATE.exists():
        return
    site = [f"--site={name}" for name in SITES]
    for words in (["standin", "down"], ["machine", "down", "--all"], ["network", "down", *site]):
        subprocess.run(
            [sys.executable, "-m", "fact8ra_lab.hosts", f"--state={STATE}", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT / "roles/lab/files"), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    shutil.rmtree(STATE)
