#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module that gives the peers of a tunnel their addresses."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tunnel_addresses
short_description: Give the peers of a tunnel addresses that stay
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Gives every peer a number that it keeps, in a file on the host that runs the module, and returns the addresses that
    follow from it, one in each network.
  - A peer is never moved, and a number is never given to another peer before it is released.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
options:
  path:
    description: File that holds the numbers. It is removed with the last peer.
    type: path
    required: true
  networks:
    description:
      - Networks of the tunnel with their prefix lengths, IPv4 or IPv6. A peer has the same place in all of them.
      - When a network is replaced, peers keep their places.
    type: list
    elements: str
    required: true
  reserved:
    description: How many addresses at the beginning of each network no peer gets.
    type: int
    default: 2
  peers:
    description: Names of peers that are to have addresses.
    type: list
    elements: str
    default: []
  release:
    description:
      - Names of peers that are gone, whose places others may have.
      - Peers that are in neither list keep theirs.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Give the SuperNodes behind a tunnel their addresses
  fact8ra.flower.tunnel_addresses:
    path: ~/.fact8ra/poc/tunnel-addresses.json
    networks: [10.199.0.0/24, "fd12:3456:789a::/64"]
    peers: [gamma-supernode-0, gamma-supernode-1]
  delegate_to: localhost
  run_once: true

- name: Free the place of one that is gone
  fact8ra.flower.tunnel_addresses:
    path: ~/.fact8ra/poc/tunnel-addresses.json
    networks: [10.199.0.0/24, "fd12:3456:789a::/64"]
    release: [gamma-supernode-1]
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
tunnel:
  description: What the file holds; in check mode what it would hold.
  type: dict
  returned: success
  contains:
    numbers:
      description: Number by name of the peer, of all peers.
      type: dict
    addresses:
      description: Addresses by name of the peer, in the order of O(networks), of the peers in O(peers).
      type: dict
  sample:
    numbers: {gamma-supernode-0: 3}
    addresses: {gamma-supernode-0: [10.199.0.3, "fd12:3456:789a::3"]}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import Resource, ensure, run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._tunnels import (
    Numbers,
    addresses,
    assign,
    capacity,
    check_peers,
    parse_networks,
)

SPEC = ArgumentSpec(
    argument_spec={
        "path": {"type": "path", "required": True},
        "networks": {"type": "list", "elements": "str", "required": True},
        "reserved": {"type": "int", "default": 2},
        "peers": {"type": "list", "elements": "str", "default": []},
        "release": {"type": "list", "elements": "str", "default": []},
    },
)


def assigned(module: AnsibleModule) -> Mapping[str, Any]:
    """Bring the file to what is asked for, under its lock unless in check mode."""
    numbers = Numbers(Path(module.params["path"]))
    if module.check_mode:
        return _assigned(module, numbers)
    with numbers.locked():
        return _assigned(module, numbers)


def _assigned(module: AnsibleModule, numbers: Numbers) -> dict[str, Any]:
    params = module.params
    peers, release = set(params["peers"]), set(params["release"])
    check_peers(peers, "peers")
    check_peers(release, "release")
    if peers & release:
        raise InvalidInput(f"peers and release both have {', '.join(sorted(peers & release))}.")
    networks = parse_networks(params["networks"])
    highest = capacity(networks)
    if not 0 <= params["reserved"] <= highest:
        raise InvalidInput(f"reserved is {params['reserved']}; it must be 0 to {highest} in these networks.")
    known = numbers.read()
    kept = {name: number for name, number in known.items() if name not in release}
    wanted = assign(kept, peers, params["reserved"], highest)

    def write(*_state: Any) -> None:
        numbers.write({**kept, **wanted})

    outcome = ensure(
        Resource(
            label=f"numbers of peers in {numbers.path}",
            current={"id": 0, "numbers": known},
            desired={"numbers": {**wanted, **dict.fromkeys(release)}},
            update=write,
            read=lambda _id: {"id": 0, "numbers": numbers.read()},
        ),
        check_mode=module.check_mode,
    )
    return outcome.result(
        "tunnel",
        lambda state: {
            "numbers": {name: number for name, number in state["numbers"].items() if number is not None},
            "addresses": {name: addresses(networks, wanted[name]) for name in sorted(wanted)},
        },
    )


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), assigned)


if __name__ == "__main__":
    main()
