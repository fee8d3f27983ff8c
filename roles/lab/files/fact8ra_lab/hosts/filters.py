# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Packet filters in the sites' namespaces, as nftables tables of their own; what is loaded is read from the kernel.

A table is loaded whole or not at all, so its name says what is in force.
"""

from __future__ import annotations

import json
from typing import Final

from ._system import in_netns, netns_exists, run

NAT: Final = "f8-nat"

#: A site behind NAT: what leaves by the WAN carries the router's own address, and only answers come in.
_NAT_TABLE: Final = f"""
table inet {NAT} {{
  chain input {{
    type filter hook input priority filter
    iifname "wan" ct state established,related accept
    iifname "wan" drop
  }}
  chain forward {{
    type filter hook forward priority filter
    iifname "wan" ct state established,related accept
    iifname "wan" drop
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat
    oifname "wan" masquerade
  }}
}}
"""


def tables(netns: str) -> set[str]:
    """Return the names of the tables in a namespace; none where there is no such namespace."""
    if not netns_exists(netns):
        return set()
    listed = json.loads(run([*in_netns(netns), "nft", "--json", "list", "tables"]).stdout)["nftables"]
    return {entry["table"]["name"] for entry in listed if "table" in entry}


def load(netns: str, text: str) -> None:
    """Load commands or tables into a namespace, all of them or none. Raises LabError."""
    run([*in_netns(netns), "nft", "--file", "-"], stdin=text)


def set_nat(netns: str, wanted: bool, *, check: bool = False) -> bool:
    """Put a site behind NAT or take it from behind; returns whether that changes anything."""
    if (NAT in tables(netns)) == wanted:
        return False
    if not check:
        load(netns, _NAT_TABLE if wanted else f"delete table inet {NAT}\n")
    return True
