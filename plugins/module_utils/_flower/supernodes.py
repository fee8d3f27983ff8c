# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""SuperNodes as they are and as they should be. Private to this collection; it may change without notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import Resource, ensure
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Control, Node
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.keys import pem_fingerprint, ssh_to_pem

Wanted = dict[str, dict[str, Any]]
"""Fingerprint -> {name, location, pem} of a SuperNode that is asked for."""


def await_online(
    look: Callable[[], list[Node]],
    expected: list[str],
    seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[Node]:
    """Look until all expected SuperNodes are online or `seconds` have passed; return the last that was seen."""
    deadline = clock() + seconds
    while True:
        nodes = look()
        online = {node.name for node in nodes if node.status == "online"}
        if set(expected) <= online or clock() >= deadline:
            return nodes
        sleep(min(0.5, max(0.0, deadline - clock())))


def reconcile(
    control: Control,
    given: list[dict[str, Any]],
    present: bool,
    purge: bool,
    *,
    replace: bool = False,
    check_mode: bool,
) -> dict[str, Any]:
    """Register and unregister in one go.

    Args:
        control: The SuperLink.
        given: `name`, `public_key` (OpenSSH line or None) and `location` of each SuperNode.
        present: Whether they shall be registered or not.
        purge: Unregister every other key.
        replace: Unregister every other key of a name that is given, once the one that is given is online.
        check_mode: Change nothing.

    Returns:
        What the module flower_supernode returns, and `warnings`.

    Raises:
        FlowerFailure: naming the SuperNode, what is wrong with it and the remedy.
    """
    wanted = _wanted(given, present)
    for option, asked in (("purge", purge), ("replace", replace)):
        if asked and not present:
            raise FlowerFailure(
                option, f"{option} goes with state present only; state absent names those to unregister."
            )
    nodes = control.nodes()
    alive = {node.fingerprint: node for node in nodes if node.status != "unregistered"}
    if present:
        _refuse_burned(wanted, nodes)
        _refuse_renamed(wanted, alive)
        unwanted = set(alive) - set(wanted) if purge else _replaced(wanted, alive) if replace else set()
        desired: dict[str, Any] = {key: {"name": item["name"]} for key, item in wanted.items()}
    else:
        names = {item["name"] for item in given if not item.get("public_key")}
        unwanted = {key for key, node in alive.items() if key in wanted or node.name in names}
        desired = {}
    desired.update(dict.fromkeys(sorted(unwanted)))
    registered, unregistered = [], []

    def update(_current: dict[str, Any], changes: dict[str, Any]) -> None:
        # New keys come first, so that a rotated node is never without one.
        for key, item in changes["supernodes"].items():
            if item is not None:
                control.register(item["name"], wanted[key]["pem"], wanted[key]["location"])
        for key, item in changes["supernodes"].items():
            if item is None:
                control.unregister(alive[key])

    outcome = ensure(
        Resource(
            label=f"SuperNodes of SuperLink {control.address}",
            current=_state(nodes),
            desired={"supernodes": desired},
            update=update,
            read=lambda _id: _state(control.nodes()),
        ),
        check_mode=check_mode,
    )
    registered = sorted(item["name"] for key, item in wanted.items() if present and key not in alive)
    unregistered = sorted(alive[key].name or alive[key].node_id for key in unwanted)
    state = (outcome.state or {}).get("supernodes", {})
    return {
        **outcome.result("state"),
        "supernodes": _listed(state, alive if check_mode or not outcome.changed else _alive(control.nodes()), wanted),
        "registered": registered,
        "unregistered": unregistered,
        "warnings": _warnings(wanted, alive, unwanted) if present else [],
    }


def _replaced(wanted: Wanted, alive: dict[str, Node]) -> set[str]:
    """Other keys of the given names whose given key is online, so that nobody loses the only key that works."""
    online = {item["name"] for key, item in wanted.items() if key in alive and alive[key].status == "online"}
    return {key for key, node in alive.items() if node.name in online and key not in wanted}


def _alive(nodes: list[Node]) -> dict[str, Node]:
    return {node.fingerprint: node for node in nodes if node.status != "unregistered"}


def _state(nodes: list[Node]) -> dict[str, Any]:
    return {"id": 0, "supernodes": {key: {"name": node.name} for key, node in _alive(nodes).items()}}


def _listed(state: dict[str, Any], alive: dict[str, Node], wanted: Wanted) -> list[dict[str, Any]]:
    rows = []
    for key, item in state.items():
        if key in alive:
            rows.append(alive[key].public())
        else:
            location = wanted[key]["location"] or ""
            rows.append({"name": item["name"], "node_id": "", "status": "", "fingerprint": key, "location": location})
    return sorted(rows, key=lambda row: (row["name"], row["node_id"]))


def _wanted(given: list[dict[str, Any]], present: bool) -> Wanted:
    wanted: Wanted = {}
    for item in given:
        name = item["name"]
        if not item.get("public_key"):
            if present:
                raise FlowerFailure("key", f"supernodes: {name} has no public_key; state present needs one.")
            continue
        pem = ssh_to_pem(name, item["public_key"])
        key = pem_fingerprint(pem)
        if key in wanted:
            raise FlowerFailure(
                "key_twice",
                f"supernodes: {name} and {wanted[key]['name']} have the same public key {key}; each needs its own.",
            )
        wanted[key] = {"name": name, "location": _location(name, item.get("location")), "pem": pem}
    twice = sorted(name for name, count in Counter(item["name"] for item in given).items() if count > 1)
    if twice and present:
        raise FlowerFailure("name_twice", f"supernodes: {', '.join(twice)} listed more than once; names must differ.")
    return wanted


def _location(name: str, location: str | None) -> str | None:
    """Check what flwr.supercore.utils.validate_node_location checks."""
    if not location:
        return None
    try:
        latitude, longitude = (float(part) for part in location.split(","))
    except ValueError:
        latitude = longitude = 999.0
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise FlowerFailure(
            "location",
            f"supernodes: location of {name} is {location!r}; it must be latitude,longitude in degrees, such as "
            "40.4168,-3.7038.",
        )
    return location


def _new_pair(name: str) -> str:
    """Say how a SuperNode of this collection gets a new key pair."""
    return (
        f"To make a new key pair, delete {name}.key and {name}.pub in the folder supernodes of pki_directory (with "
        "pki_supernode_keys=node, /etc/flower/supernode.key on the node) and run playbook site.yml, which makes, "
        "installs and registers another."
    )


def _refuse_burned(wanted: Wanted, nodes: list[Node]) -> None:
    burned = {node.fingerprint: node for node in nodes if node.status == "unregistered"}
    for key, item in wanted.items():
        if key in burned:
            raise FlowerFailure(
                "key_burned",
                f"SuperNode {item['name']}: its key {key} was unregistered at {burned[key].unregistered_at}; Flower "
                f"never admits it again. {_new_pair(item['name'])}",
                {"name": item["name"], "fingerprint": key},
            )


def _refuse_renamed(wanted: Wanted, alive: dict[str, Node]) -> None:
    for key, item in wanted.items():
        node = alive.get(key)
        if node and node.name != item["name"]:
            raise FlowerFailure(
                "name_fixed",
                f"SuperNode {item['name']}: its key {key} is registered under the name {node.name!r}, which Flower "
                f"cannot change. Use that name, or make a new key pair for this SuperNode. {_new_pair(item['name'])}",
                {"name": item["name"], "registered_name": node.name, "fingerprint": key},
            )


def _warnings(wanted: Wanted, alive: dict[str, Node], unwanted: set[str]) -> list[str]:
    warnings = []
    for key, item in wanted.items():
        node = alive.get(key)
        if node and item["location"] and node.location != item["location"]:
            warnings.append(
                f"SuperNode {item['name']} is registered with location {node.location or 'none'}; Flower cannot change "
                f"it to {item['location']} without a new key. {_new_pair(item['name'])}"
            )
    names = {item["name"] for item in wanted.values()}
    for key, node in alive.items():
        if node.name in names and key not in wanted and key not in unwanted:
            warnings.append(
                f"SuperNode {node.name} has another key {key} registered as well (node {node.node_id}); option "
                "replace, which is superlink_replace_supernode_keys of role superlink, unregisters it once the "
                "SuperNode is online with its own, and option purge, which is superlink_purge_supernodes, at once."
            )
    return warnings
