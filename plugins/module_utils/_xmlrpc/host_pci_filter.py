# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The PCI filter of a host, of module host_pci_filter.

Private to the collection: it may change without notice.

What a host reports is decided by pci.conf on the front-end. Since 7.0 (F #6991) oned narrows that by PCI_FILTER and
PCI_SHORT_ADDRESS of the host, or else of its cluster: commas between entries C(vendor:device:class), an empty field or
C(*) is any, all compared as text (src/host/Host.cc get_hostcluster_attr, HostSharePCI.cc set_monitorization). A host
without them takes all that is reported, so that writing a filter where there is none would take devices away, and
emptying one that an operator wrote would let all through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import Outcome, Resource, State, ensure
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, Refused, about
from ansible_collections.fact8ra.flower.plugins.module_utils._pci_filters import canonical, takes
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
RECORDS = {name: f"FACT8RA_{name}" for name in (FILTER, ADDRESS)}
"""Attributes of the host that say what this module added to each; OpenNebula does not read them."""
NOTHING = "0:0"
"""An entry that no device fits, as in OpenNebula's own pci.conf; oned compares it as text."""

_CURES = {
    "restrict": "Write the filters into pci.conf on the front-end and leave restrict out.",
    "only_devices": "Lend all devices of a kind that the host has, or bring OpenNebula to 7.0: a filter of the "
    "front-end takes all of a kind, also those that the host keeps.",
}
_ENTRY = re.compile(r"(\*|[0-9a-f]{4})?(:(\*|[0-9a-f]{4})?){0,2}\Z")


def split(text: str) -> list[str]:
    """Return the entries of an attribute; a comma at its end makes none."""
    return text.removesuffix(",").split(",") if text else []


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


def merged(have: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the entries as they are, and behind them the wanted ones that they do not let through."""
    return [*have, *(each for each in wanted if not any(takes(entry, each) for entry in have))]


@dataclass(frozen=True)
class Record:
    """What this module added to an attribute.

    Attributes:
        asked: the entries that it was asked for.
        kept: those beside them where the host had no such attribute; None where one stood before.
    """

    asked: list[str]
    kept: list[str] | None

    @classmethod
    def parse(cls, text: str) -> Record:
        """Read C(asked), or C(asked;kept)."""
        asked, new, kept = text.partition(";")
        return cls(split(asked), split(kept) if new else None)

    def __str__(self) -> str:
        return ",".join(self.asked) + ("" if self.kept is None else f";{','.join(self.kept)}")


@dataclass(frozen=True)
class Force:
    """The attributes that are in force: the host's own text of each, else the cluster's; and what was added."""

    own: dict[str, str]
    cluster: dict[str, str]
    added: dict[str, Record]

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
            Refused: the server is too old for O(restrict) or O(only_devices), the host is OFFLINE, or it did not come
                back from that.
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
                    verify=frozenset((FILTER, ADDRESS, *RECORDS.values())),
                ),
                check_mode=check_mode,
            )
            return outcome.result("host", self._facts)

    def _force(self, raw: Raw) -> Force:
        template = as_dict(raw, "TEMPLATE")
        own = {name: str(template.get(name) or "") for name in (FILTER, ADDRESS)}
        added = {name: Record.parse(str(template.get(record) or "")) for name, record in RECORDS.items()}
        cluster, number = dict.fromkeys(own, ""), as_int(raw.get("CLUSTER_ID"))
        # the cluster counts where the host says nothing
        if self.params["state"] == "present" and not all(own.values()) and number is not None and number >= 0:
            found = as_dict(self.objects.by_id(CLUSTER, number), "TEMPLATE")
            cluster = {name: str(found.get(name) or "") for name in own}
        return Force(own, cluster, added)

    def _with(self, force: Force, raw: Raw) -> dict[str, str]:
        """Return the attributes that differ from what is in force, with the wanted entries."""
        wanted = {FILTER: self._filters, ADDRESS: [self._short(address) for address in self._devices]}
        whole = {FILTER: self._whole_filter(force, raw), ADDRESS: self._whole_addresses(force, raw, wanted[ADDRESS])}
        changed: dict[str, str] = {}
        for name, entries in whole.items():
            have = split(force.text(name))
            if not entries or entries == have:
                continue
            changed[name] = ",".join(entries)
            changed[RECORDS[name]] = str(self._record(force, name, entries, wanted[name]))
        return changed if self._reads(bool(changed)) else {}

    def _whole_filter(self, force: Force, raw: Raw) -> list[str]:
        """Return the filter that is to be in force; none where it is not to narrow."""
        have = split(force.text(FILTER))
        if have or not self.params["restrict"]:
            return merged(have, self._filters) if have else []
        # what is in the pool now would leave it otherwise
        shown = dict.fromkeys(f"{each['vendor']}:{each['device']}:{each['class']}" for each in devices_of(raw))
        return [*(each for each in shown if not any(takes(entry, each) for entry in self._filters)), *self._filters]

    def _whole_addresses(self, force: Force, raw: Raw, wanted: Sequence[str]) -> list[str]:
        """Return the addresses that are to be in force; none where they are not to narrow."""
        have = split(force.text(ADDRESS))
        others = {self._short(each["address"]) for each in self._others(raw)}
        if not have and self.params["only_devices"]:
            have = [self._short(str(each["address"])) for each in devices_of(raw)]
        elif have:
            # what was lent before and is not any more; the operator's entries stay
            others &= set(force.added[ADDRESS].asked)
        else:
            return []
        return list(dict.fromkeys([*(each for each in have if each not in others), *wanted]))

    def _others(self, raw: Raw) -> list[dict[str, Any]]:
        """Return devices in the pool that the filters let through and that are not meant."""
        if not self.params["only_devices"]:
            return []
        return [
            each
            for each in devices_of(raw)
            if each["address"] not in self._devices
            and any(takes(entry, f"{each['vendor']}:{each['device']}:{each['class']}") for entry in self._filters)
        ]

    @staticmethod
    def _record(force: Force, name: str, entries: Sequence[str], wanted: Sequence[str]) -> Record:
        """Return what is ours of the entries that are to be written."""
        before, own = force.added[name], split(force.own[name])
        if not own:
            had = split(force.cluster[name])
            asked = [each for each in entries if each in wanted and each not in had]
            return Record(asked, [each for each in entries if each not in asked])
        return Record([each for each in entries if each in before.asked or each not in own], before.kept)

    def _reads(self, writes: bool) -> bool:
        """Whether the server reads the attributes; asked only when one is to be written, or has to be."""
        option = next((name for name in ("only_devices", "restrict") if self.params[name]), None)
        # an address that an older server does not read keeps nothing out
        if not writes and option != "only_devices":
            return False
        if int(self.client.version.partition(".")[0]) >= READ_SINCE:
            return True
        if option:
            raise Refused(
                f"{self.client.endpoint} is OpenNebula {self.client.version}, which does not read {FILTER} and "
                f"{ADDRESS} of a host (since {READ_SINCE}.0). {_CURES[option]}",
                code="unsupported",
                details={"endpoint": self.client.endpoint, "option": option, "version": self.client.version},
            )
        return False

    def _without(self, force: Force) -> dict[str, str]:
        """Return the host's own attributes without those of the entries that this module added."""
        given = {FILTER: set(self._filters), ADDRESS: {self._short(address) for address in self._devices}}
        changed: dict[str, str] = {}
        for name, record in force.added.items():
            gone = given[name] & set(record.asked)
            if not gone:
                continue
            left = Record([each for each in record.asked if each not in gone], record.kept)
            own = split(force.own[name])
            entries = [each for each in own if (canonical(each) if name == FILTER else each) not in gone]
            changed[RECORDS[name]] = str(left) if left.asked else ""
            if own and not left.asked and left.kept is not None and set(entries) <= set(left.kept):
                # the host had none, and what else is there was only kept: "" is as if there were none
                changed[name] = ""
            elif entries != own:
                changed[name] = ",".join(entries) or NOTHING
        return changed

    @staticmethod
    def _short(address: str) -> str:
        domain, _colon, rest = address.partition(":")
        return rest if domain == "0000" else address

    def _devices_to_monitor(self, raw: Raw) -> list[str]:
        """Return the devices that are not in the pool and should be, or are and should not."""
        missing = missing_devices(raw, self._devices)
        if self.params["state"] == "present":
            # one that a VM holds stays as long as it does
            return missing + [each["address"] for each in self._others(raw) if each["vm"] is None]
        return [address for address in self._devices if address not in missing]

    def _state(self, raw: Raw, late: Sequence[str]) -> State:
        template = as_dict(raw, "TEMPLATE")
        texts = {name: str(template.get(name) or "") for name in (FILTER, ADDRESS, *RECORDS.values())}
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
