# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The PCI filter of a host, of module host_pci_filter.

Private to the collection: it may change without notice.

What a host reports is decided by pci.conf on the front-end. Since 7.0 (F #6991) oned narrows that by PCI_FILTER and
PCI_SHORT_ADDRESS of the host, or else of its cluster: commas between entries C(vendor:device:class), an empty field or
C(*) is any, all compared as text (src/host/Host.cc get_hostcluster_attr, HostSharePCI.cc set_monitorization). A host
without them takes all that is reported, so that writing a filter where there is none would take devices away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import Outcome, Resource, State, ensure
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, Refused, about
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_dict, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.host import (
    checked_addresses,
    devices_of,
    find,
    force_monitoring,
    missing_devices,
    not_found,
    refuse_offline,
    state_of,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    CLUSTER,
    HOST,
    Objects,
    Raw,
    label,
    named,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import render

FILTER, ADDRESS = "PCI_FILTER", "PCI_SHORT_ADDRESS"
READ_SINCE = 7
"""The first version of OpenNebula that reads these attributes."""

_ENTRY = re.compile(r"(\*|[0-9a-f]{4})?(:(\*|[0-9a-f]{4})?){0,2}\Z")


def split(text: str) -> list[str]:
    """Return the entries of an attribute; a comma at its end makes none."""
    return text.removesuffix(",").split(",") if text else []


def canonical(entry: str) -> str:
    """Return an entry with its three fields, as oned reads it: C(10de:*) is C(10de:*:*)."""
    fields = [field.strip() or "*" for field in entry.split(":")][:3]
    return ":".join([*fields, "*", "*"][:3])


def checked_filters(given: Sequence[str]) -> list[str]:
    """Return entries in their canonical form, each once.

    Raises:
        InvalidInput: an entry has not the form C(vendor:device:class), or takes every device.
    """
    found: dict[str, None] = {}
    for text in given:
        entry = str(text).strip().lower()
        if not _ENTRY.match(entry):
            raise InvalidInput(
                f"filters has {text!r}; an entry is vendor:device:class, each four hexadecimal digits or *, such as "
                "'10de:*:0302'. OpenNebula compares whole classes, so a part of one does not do.",
                details={"option": "filters"},
            )
        if canonical(entry) == "*:*:*":
            raise InvalidInput(
                f"filters has {text!r}, which takes every device of the host; name a vendor, a device or a class.",
                details={"option": "filters"},
            )
        found[canonical(entry)] = None
    return list(found)


def takes(entry: str, other: str) -> bool:
    """Whether an entry lets all devices through that another one does."""
    pairs = zip(canonical(entry).split(":"), canonical(other).split(":"), strict=True)
    return all(one in ("*", two) for one, two in pairs)


def merged(have: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the entries as they are, and behind them the wanted ones that they do not let through."""
    return [*have, *(each for each in wanted if not any(takes(entry, each) for entry in have))]


@dataclass(frozen=True)
class Force:
    """The attributes that are in force: the host's own text of each, else the cluster's."""

    own: dict[str, str]
    cluster: dict[str, str]

    def text(self, name: str) -> str:
        """The text that oned reads."""
        return self.own[name] or self.cluster[name]


class HostPciFilter:
    """The filter of one host.

    Args:
        client: the endpoint.
        params: the module's parameters.
    """

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        self.client = client
        self.params = params
        self.objects = Objects(client)
        self._filters = checked_filters(params["filters"])
        self._devices = checked_addresses(params["devices"], "devices")

    def run(self, *, check_mode: bool) -> dict[str, Any]:
        """Do the module's work and return its result.

        Raises:
            NotFound: there is no such host; none is needed for state absent.
            Refused: the server is too old for O(restrict), the host is OFFLINE, or it did not come back from that.
            OpenNebulaError: see C(ensure).
        """
        with about(HOST.word, self.params) as subject:
            absent = self.params["state"] == "absent"
            raw = find(self.objects, self.params)
            if raw is None:
                if absent:
                    return Outcome(False, {}, {}, None).result("host")
                raise not_found(self.objects, self.params)
            subject.name, subject.id = raw["NAME"], int(raw["ID"])
            force = self._force(raw)
            desired: State = {**(self._without(force) if absent else self._with(force, raw))}
            late = self._devices_to_monitor(raw)
            # a host that is offline has nothing to take back
            monitor = self.params["monitor"] and not (absent and state_of(raw) == "OFFLINE")
            if late and monitor:
                desired["monitored"] = True
            if desired and monitor:
                refuse_offline(self.client, raw)
            outcome = ensure(
                Resource(
                    label=label(self.client, HOST, raw["NAME"], subject.id),
                    current=self._state(raw, late),
                    desired=desired,
                    update=lambda state, changes: self._update(raw, changes, monitor),
                    read=self._read,
                    # what the forced monitoring reports is there only later
                    verify=frozenset((FILTER, ADDRESS)),
                ),
                check_mode=check_mode,
            )
            return outcome.result("host", self._facts)

    def _force(self, raw: Raw) -> Force:
        template = as_dict(raw, "TEMPLATE")
        own = {name: str(template.get(name) or "") for name in (FILTER, ADDRESS)}
        cluster, number = dict.fromkeys(own, ""), as_int(raw.get("CLUSTER_ID"))
        # the cluster counts where the host says nothing; to take entries away only where there are some
        asks = any(own.values()) if self.params["state"] == "absent" else not all(own.values())
        if asks and number is not None and number >= 0:
            found = as_dict(self.objects.by_id(CLUSTER, number), "TEMPLATE")
            cluster = {name: str(found.get(name) or "") for name in own}
        return Force(own, cluster)

    def _with(self, force: Force, raw: Raw) -> dict[str, str]:
        """Return the attributes that differ from what is in force, with the wanted entries."""
        have = split(force.text(FILTER))
        if not have and self.params["restrict"]:
            # what is in the pool now would leave it otherwise
            shown = (f"{each['vendor']}:{each['device']}:{each['class']}" for each in devices_of(raw))
            have = [each for each in dict.fromkeys(shown) if not any(takes(entry, each) for entry in self._filters)]
            wanted = {FILTER: ",".join([*have, *self._filters])}
        else:
            wanted = {FILTER: ",".join(merged(have, self._filters)) if have else ""}
        addresses = split(force.text(ADDRESS))
        short = [self._short(address) for address in self._devices]
        wanted[ADDRESS] = ",".join(dict.fromkeys([*addresses, *short])) if addresses else ""
        changed = {name: text for name, text in wanted.items() if text and split(text) != split(force.text(name))}
        return changed if not changed or self._reads() else {}

    def _reads(self) -> bool:
        """Whether the server reads the attributes; asked only when one is to be written."""
        if int(self.client.version.partition(".")[0]) >= READ_SINCE:
            return True
        if self.params["restrict"]:
            raise Refused(
                f"{self.client.endpoint} is OpenNebula {self.client.version}, which does not read {FILTER} of a host "
                f"(since {READ_SINCE}.0). Write the filters into pci.conf on the front-end and leave restrict out.",
                code="unsupported",
                details={"endpoint": self.client.endpoint, "option": "restrict", "version": self.client.version},
            )
        return False

    def _without(self, force: Force) -> dict[str, str]:
        """Return the host's own attributes that had the entries, without them; "" is as if there were none."""
        short = {self._short(address) for address in self._devices}
        left = {
            FILTER: [each for each in split(force.own[FILTER]) if canonical(each) not in self._filters],
            ADDRESS: [each for each in split(force.own[ADDRESS]) if each not in short],
        }
        return {
            # what is left is the cluster's own filter where it was copied from there
            name: "" if entries == split(force.cluster[name]) else ",".join(entries)
            for name, entries in left.items()
            if entries != split(force.own[name])
        }

    @staticmethod
    def _short(address: str) -> str:
        domain, _colon, rest = address.partition(":")
        return rest if domain == "0000" else address

    def _devices_to_monitor(self, raw: Raw) -> list[str]:
        """Return the devices that are not in the pool and should be, or are and should not."""
        missing = missing_devices(raw, self._devices)
        if self.params["state"] == "present":
            return missing
        return [address for address in self._devices if address not in missing]

    def _state(self, raw: Raw, late: Sequence[str]) -> State:
        template = as_dict(raw, "TEMPLATE")
        texts = {name: str(template.get(name) or "") for name in (FILTER, ADDRESS)}
        return {"id": int(raw["ID"]), **texts, "monitored": not late, "raw": raw}

    def _update(self, raw: Raw, changes: Mapping[str, Any], monitor: bool) -> None:
        attributes = {name: text for name, text in changes.items() if name != "monitored"}
        if attributes:
            self.client.call(
                "host.update",
                int(raw["ID"]),
                render(attributes),
                1,
                what=f"update {', '.join(sorted(attributes))} of {named(HOST, raw)}",
            )
        if monitor:
            force_monitoring(self.client, raw)

    def _read(self, number: int) -> State | None:
        raw = self.objects.by_id(HOST, number)
        return None if raw is None else self._state(raw, [])

    def _facts(self, state: State) -> dict[str, Any]:
        raw = state["raw"]
        return {
            "id": state["id"],
            "name": raw["NAME"],
            "pci_filter": [canonical(each) for each in split(state[FILTER])],
            "pci_short_address": split(state[ADDRESS]),
            "missing": missing_devices(raw, self._devices),
        }
