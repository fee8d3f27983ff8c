# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Security groups. Source: src/secgroup/SecurityGroup.cc and SecurityGroupAPI.cc of oned, release-7.4.0.

A group that networks name can be deleted; only VMs keep it.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from ..access import MANAGE, Caller
from ..errors import ACTION, INTERNAL, OneError
from ..model import SecurityGroup
from ..template import Template, Vector
from ..xmlout import header_xml, ids_xml
from .base import Handler, PoolApi

_PROTOCOLS = ("TCP", "UDP", "ICMP", "ICMPV6", "IPSEC", "ALL")


def _check_range(protocol: str, text: str) -> None:
    if protocol not in ("TCP", "UDP"):
        raise OneError(INTERNAL, "RANGE is only supported for TCP and UDP protocols.")
    if not re.fullmatch(r"\d+(:\d+)?(,\d+(:\d+)?)*", text):
        raise OneError(INTERNAL, "Invalid RANGE specification.")
    count = 0
    for part in text.split(","):
        ports = [int(port) for port in part.split(":")]
        if any(port > 65535 for port in ports):
            raise OneError(INTERNAL, "RANGE out of bounds 0-65536.")
        if ports[-1] < ports[0]:
            raise OneError(INTERNAL, "RANGE BEGIN value is greater than RANGE END value")
        count += len(ports)
    if count > 15:
        raise OneError(INTERNAL, "Not more than 15 ports can be specified in a RULE")


def check_rule(rule: Vector) -> None:
    """Raises OneError where the rule is not valid."""
    protocol = rule.get("PROTOCOL", "").upper()
    if protocol not in _PROTOCOLS:
        raise OneError(INTERNAL, f"Wrong PROTOCOL in rule. Valid options: {', '.join(_PROTOCOLS)}.")
    if rule.get("RANGE"):
        _check_range(protocol, rule["RANGE"])
    for key, owner in (("ICMP_TYPE", "ICMP"), ("ICMPV6_TYPE", "ICMPV6")):
        if rule.get(key):
            if protocol != owner:
                raise OneError(INTERNAL, f"{key} is supported only for {owner} protocol.")
            if not rule[key].isdigit():
                raise OneError(INTERNAL, f"Wrong {key}, it must be integer")
    if rule.get("RULE_TYPE", "").upper() not in ("INBOUND", "OUTBOUND"):
        raise OneError(INTERNAL, "Wrong RULE_TYPE in rule. Valid options: INBOUND, OUTBOUND.")
    if rule.get("IP"):
        if not rule.get("SIZE", "").isdigit():
            raise OneError(INTERNAL, "Wrong or empty SIZE.")
        try:
            ipaddress.ip_address(rule["IP"])
        except ValueError as error:
            raise OneError(INTERNAL, "Wrong format for IP value.") from error
    elif "NETWORK_ID" in rule and not rule["NETWORK_ID"].isdigit():
        raise OneError(INTERNAL, "Wrong NETWORK_ID.")


def _without_doubles(template: Template) -> None:
    seen: list[Vector] = []
    for rule in template.vectors("RULE"):
        check_rule(rule)
        if rule not in seen:
            seen.append(rule)
    if seen:
        template["RULE"] = list(seen)


class SecurityGroupApi(PoolApi[SecurityGroup]):
    prefix, pool_prefix, kind = "one.secgroup", "one.secgrouppool", SecurityGroup

    def methods(self) -> dict[str, Handler]:
        known = super().methods()
        del known["one.secgroup.lock"], known["one.secgroup.unlock"]
        return known | {
            "one.secgroup.allocate": self.allocate,
            "one.secgroup.commit": self.commit,
            "one.secgroup.clone": self.clone,
        }

    def pool_xml(self, item: SecurityGroup) -> str:
        return (
            f"<SECURITY_GROUP>{header_xml(self.cloud, item)}{ids_xml('UPDATED_VMS', sorted(item.vms))}"
            f"{ids_xml('OUTDATED_VMS', sorted(item.outdated))}{ids_xml('UPDATING_VMS', sorted(item.updating))}"
            f"{ids_xml('ERROR_VMS', sorted(item.error))}"
            f"{item.template.xml()}</SECURITY_GROUP>"
        )

    def allocate(self, caller: Caller, text: str) -> int:
        template = self.cloud.parse(text)
        self.cloud.authorize(caller, self.cloud.may_create(caller, "SECGROUP"))
        return self._create(caller, template)

    def _create(self, caller: Caller, template: Template) -> int:
        name = template.text("NAME")
        template.pop("NAME", None)
        if not name:
            raise OneError(INTERNAL, "No NAME in template for Security Group.")
        self.cloud.check_name(SecurityGroup, name, caller.uid)
        _without_doubles(template)
        number = self.cloud.new_id("SECGROUP", SecurityGroup.first_id)
        self.cloud.insert(SecurityGroup(number, name, caller.uid, caller.gid, template=template))
        return number

    def check_update(self, caller: Caller, item: SecurityGroup, new: Template) -> None:
        try:
            _without_doubles(new)
        except OneError as error:
            raise OneError(error.code, f"Cannot update template. {error.text}") from error

    def updated(self, item: SecurityGroup) -> None:
        item.commit(recover=False)

    def commit(self, caller: Caller, number: int, recover: bool = False) -> int:
        group = self.cloud.allowed(caller, SecurityGroup, number, MANAGE)
        group.commit(recover)
        self.cloud.touch(group)
        return number

    def clone(self, caller: Caller, number: int, name: str) -> int:
        item = self.cloud.find(SecurityGroup, number)
        self._authorize_clone(caller, item)
        template = item.template.clone()
        template.put("NAME", name)
        return self._copy(item, lambda: self._create(caller, template))

    def delete(self, caller: Caller, number: int, *_: Any) -> int:
        item = self.cloud.allowed(caller, SecurityGroup, number, MANAGE)
        if number == 0:
            raise OneError(ACTION, "Cannot delete security group. The default security group (ID 0) cannot be deleted.")
        if item.all_vms():
            raise OneError(ACTION, "Cannot delete security group. The security group has VMs using it")
        self.cloud.remove(item)
        return number
