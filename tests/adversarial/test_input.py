# SPDX-License-Identifier: Apache-2.0
"""Values that would escape into a unit file, a shell or a template, given to site.yml as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from adversary import World
from promises import Attempt, promise

pytestmark = [pytest.mark.lab, pytest.mark.root]

MARK = Path("/tmp/fact8ra-escaped")
ESCAPE = f"$(touch {MARK})"
VALUES = {
    "federation_name": f"poc\n[Service]\nExecStartPre=/usr/bin/touch {MARK}",
    "superlink_address": f"10.71.1.10;{ESCAPE}",
    "superlink_max_body_size": f"64m; }} location /v1/control/ {{ proxy_pass https://127.0.0.1:8000; }} # {ESCAPE}",
    "flower_environment": {f"PATH=/tmp:{ESCAPE}\nLD_PRELOAD": "/tmp/x.so"},
    "site_network_bridge": f"br-site`touch {MARK}`",
    "site_context": {"START_SCRIPT_BASE64": "x", f'A"\nSTART_SCRIPT="touch {MARK}': "y"},
    "supernode_node_config": {'a" b': f"'{ESCAPE}'\0"},
    "firewall_inbound": [
        {"protocol": "tcp", "ports": ["22"], "sources": ["any"], "reason": f'x" ; }} flush ruleset # {ESCAPE}'}
    ],
    "transport_port": f"51820\nPostUp = touch {MARK}",
}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@pytest.fixture(scope="module")
def passes(world: World) -> bool:
    """Whether preflight has nothing against the inventory as it is."""
    return world.ours.play("site", "--tags", "preflight").returncode == 0


@promise("No value of a variable escapes into what is made of it.", attempt="site.yml with a nasty {name}")
@pytest.mark.parametrize("name", VALUES)
def test_a_nasty_value_stops_everything(world: World, attempt: Attempt, passes: bool, name: str) -> None:
    ours = world.ours
    assert not MARK.exists()
    attempt.control(passes, "preflight passes without it")
    before = _objects(world)
    played = ours.play("site", "-e", json.dumps({name: VALUES[name]}))
    told = name in played.output and "Traceback (most recent call last)" not in played.output
    unchanged = _objects(world) == before
    escaped = MARK.exists() or any(host.run(f"test -e {MARK}", check=False).returncode == 0 for host in ours.supernodes)
    attempt.outcome(
        f"status {played.returncode}, {played.changed} changed, the variable {'is' if told else 'is not'} named, "
        f"sites {'unchanged' if unchanged else 'changed'}, {'escaped' if escaped else 'nothing escaped'}"
    )
    assert played.returncode != 0, played.tail()
    assert told, played.tail()
    assert played.changed == 0, played.tail()
    assert unchanged
    assert not escaped


def _objects(world: World) -> list[tuple[bool, str]]:
    calls = ("one.vnpool.info", "one.secgrouppool.info", "one.templatepool.info")
    return [world.ours.one(site, call, -3, -1, -1) for site in world.ours.sites for call in calls]
