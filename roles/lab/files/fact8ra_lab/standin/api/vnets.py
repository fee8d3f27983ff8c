# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Virtual networks and their templates. Source: src/rm/api/VirtualNetworkAPI.cc, src/vnm/VirtualNetwork.cc."""

from __future__ import annotations

from typing import Any, Final

from .. import addresses, quotas
from ..access import ADMIN, MANAGE, USE, Caller, Request
from ..cloud import Cloud, now
from ..errors import ACTION, INTERNAL, RPC_API, OneError
from ..model import VM, AddressRange, Cluster, VNet, VNTemplate
from ..template import Template, Vector
from ..xmlout import field, header_xml, ids_xml, optional
from .base import Handler, PoolApi

INIT, READY, LOCK_CREATE, LOCK_DELETE, DONE, ERROR, UPDATE_FAILURE = range(7)
_RESTRICTED: Final = (
    "VN_MAD", "PHYDEV", "QINQ_TYPE", "BRIDGE", "CONF", "BRIDGE_CONF", "OVS_BRIDGE_CONF", "IP_LINK_CONF", "FILTER",
    "FILTER_IP_SPOOFING", "FILTER_MAC_SPOOFING", "CLUSTER_IDS", "EXTERNAL",
)  # fmt: skip
_NEEDS_PHYDEV: Final = ("vxlan", "802.1Q", "802.1q")


def _truth(text: str) -> bool:
    return text.upper() in ("YES", "TRUE", "1")


def _bridge_type(vn_mad: str, given: str) -> str:
    if given:
        return given
    return "openvswitch" if vn_mad.startswith("ovswitch") else "linux"


def _check_driver(net: VNet) -> None:
    vlan = net.vlan_id or net.vlan_auto
    if net.vn_mad in _NEEDS_PHYDEV and not net.phydev:
        raise OneError(INTERNAL, f"PHYDEV is mandatory for driver {net.vn_mad}")
    if net.vn_mad == "dummy" and not net.bridge:
        raise OneError(INTERNAL, f"BRIDGE is mandatory for driver {net.vn_mad}")
    if net.vn_mad in _NEEDS_PHYDEV and not vlan:
        raise OneError(INTERNAL, f"VLAN_ID (or AUTOMATIC_VLAN_ID) is mandatory for driver {net.vn_mad}")
    if net.vn_mad == "ovswitch_vxlan" and not (net.outer_vlan_id or net.outer_auto):
        raise OneError(INTERNAL, f"OUTER_VLAN_ID (or AUTOMATIC) is mandatory for driver {net.vn_mad}")


def _write_own(net: VNet) -> None:
    net.template.put("VN_MAD", net.vn_mad)
    net.template.put("BRIDGE", net.bridge)
    net.template.put("BRIDGE_TYPE", net.bridge_type)
    net.template.put("PHYDEV", net.phydev)
    for name, value, automatic in (
        ("VLAN_ID", net.vlan_id, net.vlan_auto),
        ("OUTER_VLAN_ID", net.outer_vlan_id, net.outer_auto),
    ):
        net.template.pop(f"AUTOMATIC_{name}", None)
        if automatic:
            net.template.pop(name, None)
        else:
            net.template.put(name, value)


def create(cloud: Cloud, caller: Caller, template: Template, cluster: int, parent: int = -1, origin: int = -1) -> VNet:
    """A new network of the caller. Raises OneError with oned's text."""
    template = template.clone()
    template.pop("TEMPLATE_ID", None)
    name = template.text("NAME")
    prefix = template.text("TEMPLATE_NAME")
    template.pop("NAME", None)
    template.pop("TEMPLATE_NAME", None)
    if not name and not prefix:
        raise OneError(INTERNAL, "No NAME in template for Virtual Network.")
    number = cloud.last_ids.get("NET", -1) + 1
    name = name or f"{prefix}-{number}"
    cloud.check_name(VNet, name, caller.uid)
    net = VNet(number, name, caller.uid, caller.gid, parent=parent, template_id=origin, cluster_ids=[cluster])
    net.vn_mad = template.text("VN_MAD")
    if not net.vn_mad:
        raise OneError(INTERNAL, "No VN_MAD in template for Virtual Network.")
    net.phydev, net.bridge = template.text("PHYDEV"), template.text("BRIDGE")
    net.vlan_id, net.outer_vlan_id = template.text("VLAN_ID"), template.text("OUTER_VLAN_ID")
    net.vlan_auto = not net.vlan_id and _truth(template.text("AUTOMATIC_VLAN_ID"))
    net.outer_auto = not net.outer_vlan_id and _truth(template.text("AUTOMATIC_OUTER_VLAN_ID"))
    _check_driver(net)
    net.bridge_type = _bridge_type(net.vn_mad, template.text("BRIDGE_TYPE"))
    if net.vlan_auto:  # the pool of automatic VLANs starts at 2
        net.vlan_id = str(number + 2)
    if net.outer_auto:
        net.outer_vlan_id = str(number + 2)
    net.bridge = net.bridge or ("onebr." + net.vlan_id if net.vlan_id else f"onebr{number}")
    ranges = template.vectors("AR")
    template.pop("AR", None)
    groups = {part.strip() for part in template.text("SECURITY_GROUPS").split(",") if part.strip()} | {"0"}
    template.put("SECURITY_GROUPS", ",".join(sorted(groups, key=int)))
    net.template = template
    _write_own(net)
    for given in ranges:
        net.ars.append(addresses.new_range(len(net.ars), given))
    cloud.new_id("NET")
    return cloud.insert(net)


class VNetApi(PoolApi[VNet]):
    prefix, pool_prefix, kind = "one.vn", "one.vnpool", VNet

    def methods(self) -> dict[str, Handler]:
        return super().methods() | {
            "one.vn.allocate": self.allocate,
            "one.vn.add_ar": self.add_ar,
            "one.vn.update_ar": self.update_ar,
            "one.vn.rm_ar": self.rm_ar,
            "one.vn.free_ar": self.free_ar,
            "one.vn.reserve": self.reserve,
            "one.vn.hold": self.hold,
            "one.vn.release": self.release,
            "one.vn.recover": self.recover,
        }

    # XML.

    def _render(self, net: VNet, extended: bool, caller: Caller | None) -> str:
        everything = caller is None or self.cloud.permitted(caller, MANAGE, net)

        def shown(kind: str, owner: int) -> bool:
            if everything or caller is None:
                return True
            holder = (self.cloud.pool(VM) if kind == "VM" else self.cloud.pool(VNet)).get(owner)
            return holder is not None and self.cloud.permitted(caller, USE, holder)

        ranges = "".join(addresses.range_xml(ar, extended, shown) for ar in net.ars)
        return (
            f"<VNET>{header_xml(self.cloud, net)}{ids_xml('CLUSTERS', net.cluster_ids)}"
            + optional("BRIDGE", net.bridge)
            + optional("BRIDGE_TYPE", net.bridge_type)
            + optional("STATE", net.state)
            + optional("PREV_STATE", net.prev_state)
            + ("<PARENT_NETWORK_ID/>" if net.parent == -1 else field("PARENT_NETWORK_ID", net.parent))
            + ("<TEMPLATE_ID/>" if net.template_id == -1 else field("TEMPLATE_ID", net.template_id))
            + optional("VN_MAD", net.vn_mad)
            + optional("PHYDEV", net.phydev)
            + optional("VLAN_ID", net.vlan_id)
            + optional("OUTER_VLAN_ID", net.outer_vlan_id)
            + field("VLAN_ID_AUTOMATIC", int(net.vlan_auto))
            + field("OUTER_VLAN_ID_AUTOMATIC", int(net.outer_auto))
            + field("USED_LEASES", net.used)
            + "<VROUTERS></VROUTERS>"
            + ids_xml("UPDATED_VMS", net.vms)
            + "<OUTDATED_VMS></OUTDATED_VMS><UPDATING_VMS></UPDATING_VMS><ERROR_VMS></ERROR_VMS>"
            + net.template.xml()
            + f"<AR_POOL>{ranges}</AR_POOL></VNET>"
        )

    def xml(self, item: VNet, caller: Caller) -> str:
        return self._render(item, True, caller)

    def pool_xml(self, item: VNet) -> str:
        return self._render(item, False, None)

    # Calls.

    def allocate(self, caller: Caller, text: str, cluster: int = -1) -> int:
        template = self.cloud.parse(text)
        number = 0 if cluster == -1 else cluster
        target = self.cloud.find(Cluster, number)
        self.cloud.authorize(caller, self.cloud.may_create(caller, "NET"), Request(ADMIN, "CLUSTER", target))
        return create(self.cloud, caller, template, number).id

    def check_update(self, caller: Caller, item: VNet, new: Template) -> None:
        lead = "Cannot update template. "
        if not caller.admin:
            for name in _RESTRICTED:
                if name in new and new[name] != item.template.get(name):
                    raise OneError(INTERNAL, f"{lead}Tried to change restricted attribute: {name}")
        if not new.text("VN_MAD"):
            raise OneError(INTERNAL, f"{lead}No VN_MAD in template for Virtual Network.")
        for name in ("AR", "TEMPLATE_ID"):
            new.pop(name, None)

    def updated(self, item: VNet) -> None:
        template = item.template
        kind = template.text("BRIDGE_TYPE")
        if template.text("VN_MAD") != item.vn_mad and kind == item.bridge_type:
            kind = ""
        item.vn_mad = template.text("VN_MAD")
        item.bridge_type = _bridge_type(item.vn_mad, kind)
        item.phydev = template.text("PHYDEV")
        if not item.vlan_auto:
            item.vlan_id = template.text("VLAN_ID")
        if not item.outer_auto:
            item.outer_vlan_id = template.text("OUTER_VLAN_ID")
        item.bridge = template.text("BRIDGE") or item.bridge
        _write_own(item)

    def delete(self, caller: Caller, number: int, *_: Any) -> int:
        net = self.cloud.allowed(caller, VNet, number, MANAGE)
        lead = "Cannot delete virtual network. "
        if net.used:
            raise OneError(ACTION, f"{lead}Can not remove a virtual network with leases in use")
        if net.state in (LOCK_CREATE, LOCK_DELETE, DONE):
            names = {LOCK_CREATE: "LOCK_CREATE", LOCK_DELETE: "LOCK_DELETE", DONE: "DONE"}
            raise OneError(ACTION, f"{lead}Can not remove a Virtual Network, wrong state {names[net.state]}")
        parent = self.cloud.pool(VNet).get(net.parent)
        if parent:
            addresses.release(parent, "NET", net.id)
            self.cloud.touch(parent)
        net.ars = []
        net.state = LOCK_DELETE
        self.cloud.touch(net)
        return number

    def _range(self, net: VNet, number: int) -> AddressRange | None:
        return next((ar for ar in net.ars if ar.id == number), None)

    def _ranges_of(self, text: str) -> list[Vector]:
        vectors = self.cloud.parse(text).vectors("AR")
        if not vectors:
            raise OneError(INTERNAL, "Wrong AR definition. AR vector attribute is missing.")
        return vectors

    def add_ar(self, caller: Caller, number: int, text: str) -> int:
        net = self.cloud.find(VNet, number)
        right = ADMIN if net.template_id == -1 else MANAGE
        self.cloud.authorize(caller, Request(right, "NET", net))
        if net.parent != -1:
            raise OneError(INTERNAL, "Cannot add address ranges to a reservation")
        for given in self._ranges_of(text):
            top = max((ar.id for ar in net.ars), default=-1)
            net.ars.append(addresses.new_range(top + 1, given))
        self.cloud.touch(net)
        return number

    def update_ar(self, caller: Caller, number: int, text: str) -> int:
        net = self.cloud.allowed(caller, VNet, number, MANAGE)
        for given in self._ranges_of(text):
            if not given.get("AR_ID", "").isdigit():
                raise OneError(INTERNAL, "AR/AR_ID attribute is missing.")
            ar = self._range(net, int(given["AR_ID"]))
            if ar is None:
                raise OneError(INTERNAL, f"Address Range with ID {given['AR_ID']} was not found.")
            addresses.update_range(ar, given)
        self.cloud.touch(net)
        return number

    def rm_ar(self, caller: Caller, number: int, ar_id: int, force: bool = False) -> int:
        net = self.cloud.find(VNet, number)
        right = ADMIN if net.template_id == -1 else MANAGE
        self.cloud.authorize(caller, Request(right, "NET", net))
        return self._remove_range(net, ar_id, force)

    def free_ar(self, caller: Caller, number: int, ar_id: int) -> int:
        return self._remove_range(self.cloud.allowed(caller, VNet, number, MANAGE), ar_id, False)

    def _remove_range(self, net: VNet, ar_id: int, force: bool) -> int:
        ar = self._range(net, ar_id)
        if ar is None:
            raise OneError(INTERNAL, "Address Range does not exist")
        if ar.leases and not force:
            raise OneError(INTERNAL, "Address Range has leases in use")
        parent = self.cloud.pool(VNet).get(net.parent)
        if parent and ar.parent_ar != -1:
            for index in range(ar.size):
                for above in parent.ars:
                    if above.id == ar.parent_ar:
                        place = addresses.index_of(above, "MAC", addresses.address(ar, index)["MAC"])
                        if place is not None:
                            above.leases.pop(place, None)
            self.cloud.touch(parent)
        net.ars.remove(ar)
        self.cloud.touch(net)
        return net.id

    def reserve(self, caller: Caller, number: int, text: str) -> int:
        template = self.cloud.parse(text, ACTION)
        size = template.integer("SIZE") or 0
        if size <= 0:
            raise OneError(ACTION, "Reservation SIZE must be a greater than 0")
        parent = self.cloud.find(VNet, number)
        target: VNet | None = None
        into = template.integer("NETWORK_ID")
        if into is not None:
            if into == number:
                raise OneError(ACTION, "Cannot add a reservation from the same network")
            target = self.cloud.find(VNet, into)
            if target.parent == -1:
                raise OneError(ACTION, "Cannot add reservations to a non-reservation VNET")
            if target.parent != number:
                raise OneError(
                    ACTION, f"New reservations for virtual network {into} have to be from network {target.parent}"
                )
        name = template.text("NAME")
        if not name and target is None:
            raise OneError(ACTION, "NAME for reservation has to be set")
        ar_id = template.integer("AR_ID")
        place = {key: template.text(key) for key in ("IP", "MAC") if template.text(key)}
        if ar_id is None and place:
            raise OneError(ACTION, "AR_ID must be specified for IP/MAC based reservations")
        if parent.parent != -1:
            raise OneError(ACTION, "Cannot reserve addresses from a reserved VNET")
        requests = [Request(USE, "NET", parent)]
        if target:
            requests.append(Request(MANAGE, "NET", target))
        self.cloud.authorize(caller, *requests)
        uid, gid = (target.uid, target.gid) if target else (caller.uid, caller.gid)
        quotas.check(self.cloud, uid, gid, "NETWORK", {str(number): {"LEASES": float(size)}}, caller)
        above, start = self._take_block(parent, size, ar_id, place)
        if target is None:
            own = parent.template.clone()
            own.put("NAME", name)
            target = create(self.cloud, caller, own, parent.cluster_ids[0], parent=number)
            target.cluster_ids = list(parent.cluster_ids)
        first = addresses.address(above, start)
        given = {key: value for key, value in above.attributes.items() if key != "IP6"} | first | {"SIZE": str(size)}
        new = addresses.new_range(max((ar.id for ar in target.ars), default=-1) + 1, given)
        new.parent_ar = above.id
        target.ars.append(new)
        for index in range(start, start + size):
            above.leases[index] = ["NET", target.id]
        self.cloud.touch(parent)
        self.cloud.touch(target)
        return target.id

    def _take_block(self, net: VNet, size: int, ar_id: int | None, place: Vector) -> tuple[AddressRange, int]:
        for ar in net.ars:
            if ar_id is not None and ar.id != ar_id:
                continue
            if not place:
                start = addresses.take_block(ar, size)
            else:
                key, value = next(iter(place.items()))
                start = addresses.index_of(ar, key, value)
                if start is not None and (
                    start + size > ar.size or any(index in ar.leases for index in range(start, start + size))
                ):
                    start = None
            if start is not None:
                return ar, start
        raise OneError(ACTION, "Not enough free addresses in an address range")

    def _leases_of(self, text: str) -> Vector:
        vectors = self.cloud.parse(text).vectors("LEASES")
        if not vectors:
            raise OneError(INTERNAL, "Empty lease description.")
        given = {key: vectors[0][key] for key in ("IP", "MAC", "IP6") if vectors[0].get(key)}
        if not given:
            raise OneError(INTERNAL, "Missing MAC, IP or IP6.")
        if len(given) > 1:
            raise OneError(INTERNAL, "Only one attribute MAC, IP or IP6 can be set.")
        return given

    def hold(self, caller: Caller, number: int, text: str) -> int:
        net = self.cloud.allowed(caller, VNet, number, MANAGE)
        if addresses.lease(net, "VM", -1, self._leases_of(text)) is None:
            raise OneError(INTERNAL, "Address is not part of the address range or in use.")
        self.cloud.touch(net)
        return number

    def release(self, caller: Caller, number: int, text: str) -> int:
        net = self.cloud.allowed(caller, VNet, number, MANAGE)
        key, value = next(iter(self._leases_of(text).items()))
        for ar in net.ars:
            index = addresses.index_of(ar, key, value)
            if index is not None and ar.leases.get(index) == ["VM", -1]:
                del ar.leases[index]
        self.cloud.touch(net)
        return number

    def recover(self, caller: Caller, number: int, operation: int) -> int:
        if operation not in (0, 1, 2, 3):
            raise OneError(ACTION, "Wrong recovery operation code")
        net = self.cloud.allowed(caller, VNet, number, MANAGE)
        names = ("INIT", "READY", "LOCK_CREATE", "LOCK_DELETE", "DONE", "ERROR", "UPDATE_FAILURE")
        allowed = {
            0: (INIT, LOCK_CREATE, LOCK_DELETE),
            1: (INIT, LOCK_CREATE, ERROR, LOCK_DELETE, UPDATE_FAILURE),
            2: (INIT, LOCK_CREATE, LOCK_DELETE, ERROR),
            3: (UPDATE_FAILURE,),
        }[operation]
        if net.state not in allowed:
            word = ("failure", "success", "delete", "retry")[operation]
            raise OneError(
                INTERNAL, f"Could not perform 'recover {word}' on VN {number}, wrong state {names[net.state]}."
            )
        if operation == 2 or (operation == 1 and net.state == LOCK_DELETE):
            self.cloud.remove(net)
            return number
        net.state = ERROR if operation == 0 else READY
        if operation == 0:
            net.template.put("ERROR", "Failure forced by user")
        else:
            net.template.pop("ERROR", None)
        self.cloud.touch(net)
        return number


class VNTemplateApi(PoolApi[VNTemplate]):
    prefix, pool_prefix, kind = "one.vntemplate", "one.vntemplatepool", VNTemplate

    def methods(self) -> dict[str, Handler]:
        return super().methods() | {
            "one.vntemplate.allocate": self.allocate,
            "one.vntemplate.instantiate": self.instantiate,
        }

    def pool_xml(self, item: VNTemplate) -> str:
        return (
            f"<VNTEMPLATE>{header_xml(self.cloud, item)}{field('REGTIME', item.regtime)}"
            f"{item.template.xml()}</VNTEMPLATE>"
        )

    def allocate(self, caller: Caller, text: str) -> int:
        template = self.cloud.parse(text)
        self.cloud.authorize(caller, self.cloud.may_create(caller, "VNTEMPLATE"))
        name = template.text("NAME")
        if not name:
            raise OneError(INTERNAL, "No NAME in template for Virtual Network Template.")
        self.cloud.check_name(VNTemplate, name, caller.uid)
        template.pop("NAME", None)
        item = VNTemplate(
            self.cloud.new_id("VNTEMPLATE"), name, caller.uid, caller.gid, template=template, regtime=now()
        )
        return self.cloud.insert(item).id

    def instantiate(self, caller: Caller, number: int, name: str, extra: str = "") -> int:
        item = self.cloud.allowed(caller, VNTemplate, number, USE)
        template = item.template.clone()
        added = self.cloud.parse(extra)
        if not caller.admin:
            for key in _RESTRICTED:
                if key in added:
                    raise OneError(INTERNAL, f"Extra Template includes a restricted attribute {key}")
        template.merge(added)
        template.put("TEMPLATE_NAME", item.name)
        if name:
            template.put("NAME", name)
        cluster = (template.text("CLUSTER_IDS") or "0").split(",")[0].strip()
        template.pop("CLUSTER_IDS", None)
        if not cluster.isdigit():
            raise OneError(RPC_API, f"CLUSTER_IDS is {cluster!r}; it must be a list of numbers")
        self.cloud.find(Cluster, int(cluster))
        return create(self.cloud, caller, template, int(cluster), origin=number).id
