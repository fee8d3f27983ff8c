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
EDGE: Final = "f8-edge"
GATE: Final = "f8-gate"

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

#: At a site, for a further bridge: a wire between its own ports, with connections of its own, and no way to the site.
_WIRE_TABLE: Final = """
table inet f8-{bridge} {{
  chain zone {{
    type filter hook prerouting priority raw
    iifname "{bridge}" ct zone set {zone}
  }}
  chain input {{
    type filter hook input priority filter
    iifname "{bridge}" drop
  }}
  chain forward {{
    type filter hook forward priority filter
    iifname "{bridge}" oifname != "{bridge}" drop
    iifname != "{bridge}" oifname "{bridge}" drop
  }}
}}
"""
#: At a site, for what comes from the routers of its further networks: OneGate and the WAN, nothing else.
_EDGE_TABLE: Final = """
table inet f8-edge {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    iifname "up-*" ip daddr {routers} tcp dport {port} dnat ip to {gateway}
  }}
  chain input {{
    type filter hook input priority filter
    iifname "up-*" ct state established,related accept
    iifname "up-*" ip daddr {gateway} tcp dport {port} accept
    iifname "up-*" drop
  }}
  chain forward {{
    type filter hook forward priority filter
    iifname "up-*" oifname != "wan" drop
    oifname "up-*" ct state new drop
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat
    ip saddr {routers} oifname "wan" masquerade
  }}
}}
"""
#: At the router of a further network: OneGate is where the site has it, even if the network uses that address itself.
_GATE_TABLE: Final = """
table inet f8-gate {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    iifname "lan" ip daddr {gateway} tcp dport {port} dnat ip to {site}
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


def load_wire(netns: str, bridge: str, zone: int) -> None:
    """Make a bridge a wire of its own; `zone` tells its connections from those of other bridges."""
    load(netns, _WIRE_TABLE.format(bridge=bridge, zone=zone))


def load_edge(netns: str, gateway: str, routers: str, port: int) -> None:
    """Admit the routers of a site's further networks to its OneGate and to the WAN, unless they are."""
    if EDGE not in tables(netns):
        load(netns, _EDGE_TABLE.format(gateway=gateway, routers=routers, port=port))


def load_gate(netns: str, gateway: str, site: str, port: int) -> None:
    """Send what a router's network asks of the site's OneGate (`gateway`) to the site's end of the router's link."""
    load(netns, _GATE_TABLE.format(gateway=gateway, site=site, port=port))
