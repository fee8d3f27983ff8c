# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Virtual networks. Source: src/rm/api/VirtualNetworkAPI.cc, src/vnm/VirtualNetwork.cc of oned, release-7.4.0."""

from __future__ import annotations

from typing import Any

from .. import addresses, quotas
from ..access import ADMIN, MANAGE, USE, Caller, Request
from ..errors import ACTION, AUTHORIZATION, INTERNAL, OneError
from ..model import VM, Cluster, VNet
from ..template import Template
from ..vncreate import bridge_type, create, write_own
from ..vnstates import (
    DONE,
    ERROR,
    INIT,
    LOCK_CREATE,
    LOCK_DELETE,
    READY,
    STATE_NAMES,
    UPDATE_FAILURE,
)
from ..xmlout import field, header_xml, ids_xml, optional
from .base import Handler
from .vnranges import RangeCalls
from .vnreserve import ReserveCalls


class VNetApi(RangeCalls, ReserveCalls):
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

        like = self.cloud.personality
        ranges = "".join(addresses.range_xml(ar, extended, shown, like) for ar in net.ars)
        return (
            f"<VNET>{header_xml(self.cloud, net)}{ids_xml('CLUSTERS', net.cluster_ids)}"
            + optional("BRIDGE", net.bridge)
            + optional("BRIDGE_TYPE", net.bridge_type)
            + optional("STATE", net.state)
            + optional("PREV_STATE", net.prev_state)
            + ("<PARENT_NETWORK_ID/>" if net.parent == -1 else field("PARENT_NETWORK_ID", net.parent))
            + (self._origin(net) if like.net_template_id else "")
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

    @staticmethod
    def _origin(net: VNet) -> str:
        return "<TEMPLATE_ID/>" if net.template_id == -1 else field("TEMPLATE_ID", net.template_id)

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
        if self.cloud.config.restrict_networks and not caller.admin:
            for name in self.restricted():
                if name in template:
                    text = f"User [{caller.uid}] : VNET Template includes a restricted attribute {name}."
                    raise OneError(AUTHORIZATION, text)
        return create(self.cloud, caller, template, number).id

    def restricted(self) -> tuple[str, ...]:
        return self.cloud.personality.restricted_net

    def check_update(self, caller: Caller, item: VNet, new: Template) -> None:
        lead = "Cannot update template. "
        like = self.cloud.personality
        if not new.text("VN_MAD") and like.net_update_needs_driver:
            raise OneError(INTERNAL, f"{lead}No VN_MAD in template for Virtual Network.")
        new.pop("AR", None)
        if like.net_template_id:
            new.pop("TEMPLATE_ID", None)
        try:
            bridge_type(new.text("VN_MAD"), self._wanted_type(item, new), like.any_bridge_type)
        except OneError as error:
            raise OneError(INTERNAL, lead + error.text) from error

    def _wanted_type(self, item: VNet, new: Template) -> str:
        """The bridge type as given; the old one is forgotten where the driver becomes another."""
        given = new.text("BRIDGE_TYPE")
        return "" if new.text("VN_MAD") != item.vn_mad and given == item.bridge_type else given

    def updated(self, item: VNet) -> None:
        template = item.template
        like = self.cloud.personality
        if like.any_bridge_type:
            item.bridge_type = template.text("BRIDGE_TYPE") or item.bridge_type
        else:
            item.bridge_type = bridge_type(template.text("VN_MAD"), self._wanted_type(item, template))
        item.vn_mad = template.text("VN_MAD")
        item.phydev = template.text("PHYDEV")
        if not item.vlan_auto:
            item.vlan_id = template.text("VLAN_ID")
        if not item.outer_auto:
            item.outer_vlan_id = template.text("OUTER_VLAN_ID")
        item.bridge = template.text("BRIDGE") or item.bridge
        write_own(item)

    def check_owner(self, caller: Caller, item: VNet, uid: int, gid: int) -> None:
        if item.parent != -1:
            demand = {str(item.parent): {"LEASES": float(sum(ar.size for ar in item.ars))}}
            quotas.check(self.cloud, uid, gid, "NETWORK", demand, caller)

    def delete(self, caller: Caller, number: int, *_: Any) -> int:
        net = self.cloud.allowed(caller, VNet, number, MANAGE)
        lead = "Cannot delete virtual network. "
        if net.used:
            raise OneError(ACTION, f"{lead}Can not remove a virtual network with leases in use")
        if net.state in (LOCK_CREATE, LOCK_DELETE, DONE):
            raise OneError(ACTION, f"{lead}Can not remove a Virtual Network, wrong state {STATE_NAMES[net.state]}")
        parent = self.cloud.pool(VNet).get(net.parent)
        if parent:
            addresses.release(parent, "NET", net.id)
            self.cloud.touch(parent)
        net.ars = []
        net.state = LOCK_DELETE
        self.cloud.touch(net)
        return number

    def recover(self, caller: Caller, number: int, operation: int) -> int:
        if operation not in (0, 1, 2, 3):
            raise OneError(ACTION, "Wrong recovery operation code")
        net = self.cloud.allowed(caller, VNet, number, MANAGE)
        allowed = {
            0: (INIT, LOCK_CREATE, LOCK_DELETE),
            1: (INIT, LOCK_CREATE, ERROR, LOCK_DELETE, UPDATE_FAILURE),
            2: (INIT, LOCK_CREATE, LOCK_DELETE, ERROR),
            3: (UPDATE_FAILURE,),
        }[operation]
        if net.state not in allowed:
            word = ("failure", "success", "delete", "retry")[operation]
            raise OneError(
                INTERNAL, f"Could not perform 'recover {word}' on VN {number}, wrong state {STATE_NAMES[net.state]}."
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
