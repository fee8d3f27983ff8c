# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `supernode_causes`: why a SuperLink and its SuperNodes do not accept each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.identity import authorities, line_fingerprint

_SITE = "run playbooks/site.yml"
_NEW_PAIR = "give it a new key pair: playbooks/rotate.yml with -e rotate=supernodes"

Node = Mapping[str, Any]


def supernode_causes(
    nodes: Sequence[Node],
    hosts: Mapping[str, Mapping[str, Any]],
    trust: str = "",
    public_keys: Mapping[str, str] | None = None,
) -> dict[str, list[str]]:
    """Sentences by the name of each SuperNode of which something is wrong.

    Args:
        nodes: What Flower knows, unregistered keys included.
        hosts: What the host of each expected SuperNode sees, by its name; empty when it was not asked.
        trust: The controller's bundle of authorities in PEM, or empty.
        public_keys: The controller's public key lines by name.
    """
    ours = [authority.fingerprint_sha256 for authority in authorities(trust, time.time())]
    told = {}
    for name, seen in hosts.items():
        sentences = [*_tls(seen, ours), *_key(name, nodes, hosts, line_fingerprint((public_keys or {}).get(name, "")))]
        if sentences:
            told[name] = sentences
    return told


def _tls(seen: Mapping[str, Any], ours: list[str]) -> list[str]:
    """What stands between the host and the SuperLink's certificate."""
    code = seen.get("code", "")
    if not code.startswith("tls_"):
        return []
    if code != "tls_authority":
        return [f"it cannot trust the SuperLink: {seen['problem']}"]
    has = [authority["fingerprint_sha256"] for authority in seen.get("authorities", [])]
    names = ", ".join(f"{each['subject']} ({each['fingerprint_sha256'][:16]})" for each in seen.get("authorities", []))
    if ours and set(has) != set(ours):
        return [
            f"it trusts the wrong CA: its bundle holds {names or 'no authority'}, the controller's "
            f"{', '.join(each[:16] for each in ours)}; {_SITE}, which brings the controller's"
        ]
    return [f"it trusts {names or 'no authority'}, which did not issue the SuperLink's certificate; {_SITE}"]


def _key(name: str, nodes: Sequence[Node], hosts: Mapping[str, Mapping[str, Any]], ours: str) -> list[str]:
    """What is wrong with the key that is in use on the host."""
    seen = hosts[name]
    if "key_fingerprint" not in seen or not (seen["key_fingerprint"] or seen["key_problem"]):
        return _unseen(name, nodes)
    if seen["key_problem"]:
        return [f"its key cannot be used: {seen['key_problem']}"]
    mine = seen["key_fingerprint"]
    twins = sorted(other for other, sees in hosts.items() if other != name and sees.get("key_fingerprint") == mine)
    entry = next((node for node in nodes if node["fingerprint"] == mine), None)
    told = []
    if entry is None:
        told.append(f"its key {mine} is not registered with the SuperLink; {_SITE}, which registers it")
    elif entry["status"] == "unregistered":
        told.append(
            f"its key {mine} was revoked: it was unregistered at {entry['unregistered_at']}, and Flower never admits "
            f"it again; {_NEW_PAIR}"
        )
    elif entry["name"] != name:
        told.append(f"its key {mine} is the one of {entry['name']}, and each SuperNode needs its own; {_SITE}")
    elif entry["status"] == "online" and seen.get("connected") is False:
        told.append(
            f"Flower has its key {mine} online, but its own service is not connected: another host uses this key"
        )
    if twins:
        told.append(f"the same key is on {', '.join(twins)}, and Flower admits one of them; {_NEW_PAIR}")
    if ours and ours != mine and told:
        told.append(f"the controller has another key for it, {ours}")
    return told


def _unseen(name: str, nodes: Sequence[Node]) -> list[str]:
    """What Flower alone tells of a SuperNode whose host was not asked."""
    known = [node for node in nodes if node["name"] == name]
    if not known:
        return [f"it is not registered; {_SITE}, which registers it"]
    if all(node["status"] == "unregistered" for node in known):
        return [f"its key was revoked: it was unregistered at {known[-1]['unregistered_at']}; {_NEW_PAIR}"]
    return []


class FilterModule:
    """What Ansible looks for in a filter plugin file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"supernode_causes": supernode_causes}
