# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The built image boots under QEMU, by BIOS and by UEFI, and its SuperLink answers: make test-appliance.

No part of the machine is a stand-in but OneGate; the context comes on a CD, as OpenNebula gives it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from appliance_machine import HOST, ApplianceMachine, OneGateStandIn, onegate

from fact8ra_image import build, recipe
from fact8ra_lab.hosts._system import wait_until

pytestmark = [pytest.mark.root, pytest.mark.slow]

# Translated code on a busy machine; a real one takes seconds.
PATIENCE = 1800
# What `make appliance` leaves by default.
OUTPUT = Path("~/.fact8ra/appliances").expanduser()
CACHE = Path("/var/cache/fact8ra-appliance")


@dataclass
class Booted:
    """A machine that said READY or gave up, after how many seconds, and what OneGate got of it."""

    machine: ApplianceMachine
    onegate: OneGateStandIn
    seconds: float


@pytest.fixture(scope="module")
def image() -> Path:
    """The SuperLink's image, built where it is not there of these inputs."""
    built = build.ensure(recipe.recipe("flower-superlink"), build.Options(OUTPUT, CACHE))
    print(f"\nflower-superlink: {built['build']['uncompressed_bytes'] / 1e6:.0f} MB uncompressed")
    return Path(built["directory"]) / "flower-superlink.qcow2"


@pytest.fixture(scope="module", params=["bios", "uefi"])
def booted(image: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A SuperLink with no more context than OpenNebula and OneFlow give every VM."""
    directory = tmp_path_factory.mktemp("machine")
    with onegate("superlink") as standin:
        variables = {
            "TOKEN": "YES",
            "NETWORK": "YES",
            "SET_HOSTNAME": "flower-superlink",
            "ONEGATE_ENDPOINT": f"http://{HOST}:{standin.port}",
            # OneFlow gives an answer that was not given as an empty one.
            "ONEAPP_FLOWER_FEDERATION_NAME": "",
            "ONEAPP_FLOWER_JOIN_TOKEN": "",
        }
        machine = ApplianceMachine(
            image=image,
            directory=directory,
            console_log=directory / "console.log",
            variables=variables,
            uefi=request.param == "uefi",
            memory_mb=2048,
            cpus=2,
        )
        with machine:
            started = time.monotonic()
            final = ("READY", "FAILED", "INVALID", "MISSING", "WRONG", "REFUSED", "FULL", "ONLY")
            wait_until(lambda: standin.attributes.get("FLOWER_STATE", "").endswith(final), PATIENCE, interval=0.5)
            yield Booted(machine, standin, time.monotonic() - started)


def test_it_is_ready(booted: Booted) -> None:
    found = booted.onegate.attributes
    assert found.get("FLOWER_STATE") == "READY", (found, booted.machine.console())
    booted.machine.wait_for_ssh(300)
    begin, end = booted.machine.seconds("fact8ra-appliance.service")
    print(
        f"\n{'UEFI' if booted.machine.uefi else 'BIOS'}: READY {booted.seconds:.0f} s after QEMU was started,"
        f" {end - begin:.0f} s of them our own work; CPU translated by QEMU"
    )
    assert found["READY"] == "YES"


def test_the_superlink_answers_over_tls(booted: Booted) -> None:
    printed = booted.machine.run(
        "echo | openssl s_client -connect 127.0.0.1:8443 -CAfile /etc/flower/trust.crt -verify_return_error 2>/dev/null"
        " | grep 'Verify return code'"
    )
    assert "0 (ok)" in printed


def test_the_machine_is_as_opennebula_wants_it(booted: Booted) -> None:
    run = booted.machine.run
    assert run("hostname") == "flower-superlink"
    # The root file system has grown to the disk.
    assert int(run("df --output=size -B1M / | tail -1")) > booted.machine.disk_gb * 900
    assert run("[ -d /sys/firmware/efi ] && echo uefi || echo bios") == ("uefi" if booted.machine.uefi else "bios")
    assert run("systemctl --failed --no-legend --plain") == ""
    # What identifies it was made here.
    assert len(run("cat /etc/machine-id")) == 32
    assert run("ls /etc/ssh/ssh_host_*_key | wc -l") != "0"
    assert run("getent passwd debian || true") == ""
