# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Everything that would make provisioning fail at a site, but for what GPUs need.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.offer import (
    Needs,
    Offer,
    present,
    still_needed,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._quotas import Demand, Holder, exceeded
from ansible_collections.fact8ra.flower.plugins.module_utils._rights import Rights, lacking
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_int, as_list

IMAGE_USABLE = frozenset({1, 2})
"""Image states READY and USED, of which VMs can be made (one.image.info)."""
HOST_MONITORED = 2
OPEN_DRIVERS = ("bridge", "dummy", "ovswitch", "ovswitch_vxlan")
"""Values of VN_MAD with which no security group is in force (src/vnm_mad/remotes/*/update_sg of OpenNebula)."""


def problems(offer: Offer, needs: Needs) -> list[str]:
    """Return a sentence for everything but GPUs that would make provisioning fail; empty when nothing would."""
    found: list[str] = []
    for check in (_version, _names, _shrink, _image, _network, _rights, _quotas, _capacity):
        found += check(offer, needs)
    return found


def _version(offer: Offer, needs: Needs) -> list[str]:
    have, least = (
        tuple(int(n) for n in re.findall(r"\d+", text)[:3]) for text in (offer.version, needs.minimum_version)
    )
    if have >= least:
        return []
    return [f"OpenNebula is {offer.version}; {needs.minimum_version} or later is needed"]


def _names(offer: Offer, needs: Needs) -> list[str]:
    roles = [f"{needs.service}-{role}" for role in ("superlink", "supernode")]
    found = _foreign(offer, "security group", offer.security_groups, roles)
    found += _foreign(offer, "VM template", offer.vm_templates, roles)
    if needs.network_mode == "managed":
        found += _foreign(offer, "virtual network", offer.networks, [needs.network])
    for kind, documents in (("service template", offer.service_templates), ("service", offer.services)):
        owned = [document for document in documents if document.name == needs.service]
        if owned and all(document.uid != offer.uid for document in owned):
            found.append(_taken(kind, needs.service, owned[0].id, owned[0].uname))
        elif len(owned) > 1:
            ids = ", ".join(str(document.id) for document in owned)
            found.append(f"{len(owned)} {kind}s are called {needs.service} (ids {ids}); remove or rename all but one")
    return found


def _foreign(offer: Offer, kind: str, pool_: Iterable[Mapping[str, Any]], names: Iterable[str]) -> list[str]:
    found = []
    for name in names:
        called = [element for element in pool_ if element.get("NAME") == name]
        if called and all(int(element["UID"]) != offer.uid for element in called):
            found.append(_taken(kind, name, int(called[0]["ID"]), str(called[0].get("UNAME", "?"))))
    return found


def _taken(kind: str, name: str, number: int, owner: str) -> str:
    return (
        f"{kind} {name} (id {number}) belongs to user {owner}; choose another federation_name or site_service_name, "
        "or ask for its ownership"
    )


def _shrink(offer: Offer, needs: Needs) -> list[str]:
    have = present(offer, needs)
    if have <= needs.vms or needs.allow_shrink:
        return []
    return [
        f"service {needs.service} has {have} VMs and is to have {needs.vms}; OpenNebula removes the oldest first, with "
        "the data on them. Set site_allow_shrink if that is meant"
    ]


def _image(offer: Offer, needs: Needs) -> list[str]:
    called = [image for image in offer.images if image.get("NAME") == needs.image]
    if not called:
        seen = ", ".join(sorted(str(image.get("NAME")) for image in offer.images)) or "none"
        return [f"no image is called {needs.image} (site_image); the user sees: {seen}"]
    if len(called) > 1:
        ids = ", ".join(str(image["ID"]) for image in called)
        return [f"{len(called)} images are called {needs.image} (ids {ids}); site_image has to name one"]
    if int(called[0]["STATE"]) not in IMAGE_USABLE:
        return [f"image {needs.image} (id {called[0]['ID']}) is in state {called[0]['STATE']}, not READY"]
    return []


def _network(offer: Offer, needs: Needs) -> list[str]:
    if needs.network_mode == "managed":
        return []
    variable = "site_network_parent" if needs.network_mode == "reservation" else "site_network_name"
    called = [network for network in offer.networks if network.get("NAME") == needs.network]
    if not called:
        seen = ", ".join(sorted(str(network.get("NAME")) for network in offer.networks)) or "none"
        return [f"no virtual network is called {needs.network} ({variable}); the user sees: {seen}"]
    if len(called) > 1:
        ids = ", ".join(str(network["ID"]) for network in called)
        return [f"{len(called)} virtual networks are called {needs.network} (ids {ids}); {variable} has to name one"]
    ranges = as_list(called[0], "AR_POOL", "AR")
    free = sum(as_int(each.get("SIZE")) or 0 for each in ranges) - (as_int(called[0].get("USED_LEASES")) or 0)
    wanted = still_needed(offer, needs).addresses or 0
    label = f"virtual network {needs.network} (id {called[0]['ID']})"
    found = [f"{label} has {free} free addresses; {wanted} are needed"] if free < wanted else []
    if not needs.allow_open_network:
        driver = str(called[0].get("VN_MAD") or "")
        if driver in OPEN_DRIVERS:
            found.append(
                f"{label} has the driver {driver}, with which OpenNebula holds no security group in force. Ask for a "
                "network with fw, 802.1Q or vxlan, or set site_allow_open_network"
            )
        found += [
            f"{label} carries security group {number}, which admits everything; OpenNebula adds it to those of the "
            "VMs, so that no other restricts anything. Take it off the network, or set site_allow_open_network"
            for number in _open_groups(offer, called[0])
        ]
    return found


def _open_groups(offer: Offer, network: Mapping[str, Any]) -> list[int]:
    """Return the ids of the security groups of a network that admit every protocol from everywhere."""
    carriers = [as_dict(network, "TEMPLATE"), *as_list(network, "AR_POOL", "AR")]
    listed = ",".join(str(carrier.get("SECURITY_GROUPS") or "") for carrier in carriers).split(",")
    numbers = sorted({int(number) for number in listed if number.strip().isdigit()})
    known = {int(group["ID"]): group for group in offer.security_groups}
    return [number for number in numbers if _admits_all(known.get(number, {"ID": number}))]


def _admits_all(group: Mapping[str, Any]) -> bool:
    rules = as_list(group, "TEMPLATE", "RULE")
    if int(group["ID"]) == 0 and not rules:
        return True  # OpenNebula makes the default group open; the user need not see its rules
    return any(
        str(rule.get("PROTOCOL")).upper() == "ALL"
        and str(rule.get("RULE_TYPE")).lower() == "inbound"
        and not (rule.get("IP") or rule.get("NETWORK_ID") or rule.get("SIZE"))
        for rule in rules
    )


def _rights(offer: Offer, needs: Needs) -> list[str]:
    rights = Rights(offer.uid, offer.gids, offer.acls)
    return lacking(rights, str(offer.user["NAME"]), managed=needs.network_mode == "managed")


def _quotas(offer: Offer, whole: Needs) -> list[str]:
    needs = still_needed(offer, whole)
    if needs.vms == 0:
        return []
    demands = [
        Demand("VM", f"{prefix}{name}", amount)
        for prefix in ("", "RUNNING_")
        for name, amount in (("VMS", needs.vms), ("CPU", needs.cpu), ("MEMORY", needs.memory))
    ]
    return over_quota(offer, [*demands, *_disk_demands(offer, needs), *_lease_demands(offer, needs)])


def over_quota(offer: Offer, demands: Iterable[Demand]) -> list[str]:
    """Return a sentence for every quota of the user or its main group that does not suffice."""
    if offer.uid == 0:
        return []
    main = [group for group in offer.groups if str(group["ID"]) == str(offer.user.get("GID"))]
    return exceeded([Holder("user", offer.user), *(Holder("group", group) for group in main)], demands)


def _disk_demands(offer: Offer, needs: Needs) -> list[Demand]:
    """Return what the VMs' disks take: of the image, and of the datastore that holds them."""
    image = next((image for image in offer.images if image.get("NAME") == needs.image), None)
    if image is None:
        return []
    size = needs.vms * (needs.disk_size or as_int(image.get("SIZE")) or 0)
    number, store = str(image["ID"]), str(image.get("DATASTORE_ID", ""))
    within = {str(each["ID"]) for each in offer.datastores if as_dict(each, "TEMPLATE").get("CLONE_TARGET") == "SELF"}
    disks = (
        Demand("DATASTORE", "SIZE", size, store, f"datastore {image.get('DATASTORE')} (id {store})")
        if store in within
        else Demand("VM", "SYSTEM_DISK_SIZE", size)
    )
    return [disks, Demand("IMAGE", "RVMS", needs.vms, number, f"image {needs.image} (id {number})")]


def _lease_demands(offer: Offer, needs: Needs) -> list[Demand]:
    """Return what a network that is there gives: a reservation's addresses are counted once, when they are reserved."""
    network = next((network for network in offer.networks if network.get("NAME") == needs.network), None)
    if needs.network_mode == "managed" or network is None or network.get("PARENT_NETWORK_ID"):
        return []
    number = str(network["ID"])
    what = f"virtual network {needs.network} (id {number})"
    return [Demand("NETWORK", "LEASES", needs.addresses or 0, number, what)]


def _capacity(offer: Offer, whole: Needs) -> list[str]:
    needs = still_needed(offer, whole)
    if not offer.hosts or needs.vms == 0:
        return []
    shares = [as_dict(host, "HOST_SHARE") for host in offer.hosts if int(host["STATE"]) == HOST_MONITORED]

    def free(most: str, used: str) -> int:
        return sum((as_int(share.get(most)) or 0) - (as_int(share.get(used)) or 0) for share in shares)

    # oned counts CPU in hundredths and memory in KB
    checks: list[tuple[str, float, float, Callable[[float], str]]] = [
        ("CPUs", free("MAX_CPU", "CPU_USAGE") / 100, needs.cpu, "{:g}".format),
        ("MB of memory", free("MAX_MEM", "MEM_USAGE") / 1024, float(needs.memory), "{:.0f}".format),
    ]
    return [
        f"the hosts have {show(have)} free {what}; the federation needs {show(wanted)}"
        for what, have, wanted, show in checks
        if have < wanted
    ]


def summary(offer: Offer, needs: Needs) -> dict[str, Any]:
    """Return the facts that the module gives back, see its RETURN."""
    return {
        "version": offer.version,
        "user": str(offer.user["NAME"]),
        "uid": offer.uid,
        "groups": [str(group["NAME"]) for group in offer.groups],
        "vms": present(offer, needs),
        "image_id": next((int(image["ID"]) for image in offer.images if image.get("NAME") == needs.image), None),
        "hosts_visible": bool(offer.hosts),
        "networks_open_to": Rights(offer.uid, offer.gids, offer.acls).users_of_networks(),
    }
