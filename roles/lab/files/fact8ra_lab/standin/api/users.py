# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Users, groups and ACL rules."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from .. import quotas
from ..access import ADMIN, ALL, GROUP, INDIVIDUAL, MANAGE, TYPES, USE, Caller, Request, rule_text
from ..cloud import Cloud, password_hash
from ..errors import ACTION, AUTHORIZATION, INTERNAL, RPC_API, OneError
from ..model import Acl, Group, User
from ..xmlout import field, ids_xml, text_field
from .base import Handler, PoolApi


def allocate_group(cloud: Cloud, name: str, default_vdc: bool = True) -> Group:
    """A new group with the rules that every group gets in its zone, as a member of the default VDC."""
    cloud.check_name(Group, name, 0)
    group = cloud.insert(Group(cloud.new_id("GROUP", Group.first_id), name))
    for kind, right in (("HOST", MANAGE), ("NET", USE), ("DATASTORE", USE)) if default_vdc else ():
        add_rule(cloud, GROUP | group.id, TYPES[kind] | ALL, right, INDIVIDUAL)
    return group


def allocate_user(cloud: Cloud, name: str, password: str, groups: Sequence[int], driver: str = "core") -> User:
    """A new user; its first group is the main one, group 1 (users) where none is given."""
    cloud.check_name(User, name, 0)
    members = list(groups) or [1]
    user = User(cloud.new_id("USER"), name, password=password_hash(password), auth_driver=driver)
    user.uid, user.gid, user.groups = user.id, members[0], members
    user.template.put("TOKEN_PASSWORD", secrets.token_hex(32))
    return cloud.insert(user)


def add_rule(cloud: Cloud, user: int, resource: int, rights: int, zone: int) -> int:
    """Adds an ACL rule. Raises OneError where it is there already."""
    for rule in cloud.acls:
        if (rule.user, rule.resource, rule.rights, rule.zone) == (user, resource, rights, zone):
            raise OneError(INTERNAL, f"Rule {rule_text(rule)} already exists")
    rule = Acl(cloud.new_id("ACL"), user, resource, rights, zone)
    cloud.acls.append(rule)
    cloud.save_acls()
    return rule.id


class UserApi(PoolApi[User]):
    prefix, pool_prefix, kind = "one.user", "one.userpool", User

    def methods(self) -> dict[str, Handler]:
        known = super().methods()
        for name in ("chmod", "rename", "lock", "unlock"):
            del known[f"one.user.{name}"]
        return known | {
            "one.user.allocate": self.allocate,
            "one.user.passwd": self.passwd,
            "one.user.chgrp": self.chgrp,
            "one.user.addgroup": self.addgroup,
            "one.user.delgroup": self.delgroup,
            "one.user.enable": self.enable,
            "one.user.quota": self.quota,
        }

    def _head(self, user: User) -> str:
        return (
            field("ID", user.id)
            + field("GID", user.gid)
            + ids_xml("GROUPS", sorted(user.groups))
            + field("GNAME", self.cloud.group_name(user.gid))
            + field("NAME", user.name)
            + text_field("PASSWORD", user.password)
            + text_field("AUTH_DRIVER", user.auth_driver)
            + field("ENABLED", int(user.enabled))
        )

    def xml(self, item: User, caller: Caller) -> str:
        return (
            f"<USER>{self._head(item)}{item.template.xml()}{quotas.xml(self.cloud, item)}"
            f"<DEFAULT_USER_QUOTAS>{quotas.EMPTY}</DEFAULT_USER_QUOTAS></USER>"
        )

    def pool_xml(self, item: User) -> str:
        return f"<USER>{self._head(item)}{item.template.xml()}</USER>"

    def pool_info(self, caller: Caller, *_: Any) -> str:
        # Nobody is refused: a tenant finds itself, and whom rules let it use.
        users = self.cloud.visible(caller, User, -2)
        return (
            "<USER_POOL>"
            + "".join(self.pool_xml(user) for user in users)
            + f"<DEFAULT_USER_QUOTAS>{quotas.EMPTY}</DEFAULT_USER_QUOTAS></USER_POOL>"
        )

    def info(self, caller: Caller, number: int, decrypt: bool = False) -> str:
        return super().info(caller, caller.uid if number == -1 else number, decrypt)

    def allocate(self, caller: Caller, name: str, password: str, driver: str = "core", groups: Any = ()) -> int:
        self.cloud.authorize(caller, self.cloud.may_create(caller, "USER"))
        for gid in groups:
            self.cloud.find(Group, gid)
        return allocate_user(self.cloud, name, password, list(groups), driver or "core").id

    def delete(self, caller: Caller, number: int, *_: Any) -> int:
        user = self.cloud.allowed(caller, User, number, ADMIN)
        if number in (0, 1):
            raise OneError(ACTION, f"Cannot delete user. {user.name} is a system user.")
        self.cloud.remove(user)
        return number

    def passwd(self, caller: Caller, number: int, password: str) -> int:
        user = self.cloud.allowed(caller, User, number, MANAGE)
        if not password:
            raise OneError(ACTION, "Invalid password, it cannot be empty")
        user.password = password_hash(password)
        self.cloud.touch(user)
        return number

    def chgrp(self, caller: Caller, number: int, gid: int) -> int:
        group = self.cloud.find(Group, gid)
        user = self.cloud.find(User, number)
        self.cloud.authorize(caller, Request(MANAGE, "USER", user), Request(MANAGE, "GROUP", group))
        user.gid = gid
        if gid not in user.groups:
            user.groups.append(gid)
        self.cloud.touch(user)
        return number

    def chown(self, caller: Caller, number: int, uid: int, gid: int) -> int:
        return self.chgrp(caller, number, gid)

    def addgroup(self, caller: Caller, number: int, gid: int) -> int:
        group = self.cloud.find(Group, gid)
        user = self.cloud.find(User, number)
        self.cloud.authorize(caller, Request(MANAGE, "USER", user), Request(MANAGE, "GROUP", group))
        if gid in user.groups:
            raise OneError(ACTION, f"User {number} is already in group {gid}")
        user.groups.append(gid)
        self.cloud.touch(user)
        return number

    def delgroup(self, caller: Caller, number: int, gid: int) -> int:
        group = self.cloud.find(Group, gid)
        user = self.cloud.find(User, number)
        self.cloud.authorize(caller, Request(MANAGE, "USER", user), Request(MANAGE, "GROUP", group))
        if gid == user.gid:
            raise OneError(ACTION, "Cannot remove user from the primary group.")
        if gid not in user.groups:
            raise OneError(ACTION, f"User {number} is not part of group {gid}.")
        user.groups.remove(gid)
        self.cloud.touch(user)
        return number

    def enable(self, caller: Caller, number: int, enabled: bool) -> int:
        user = self.cloud.allowed(caller, User, number, ADMIN)
        if number == 0:
            raise OneError(ACTION, "Cannot enable/disable oneadmin user")
        user.enabled = enabled
        self.cloud.touch(user)
        return number

    def quota(self, caller: Caller, number: int, text: str) -> int:
        user = self.cloud.allowed(caller, User, number, ADMIN)
        if number == 0:
            raise OneError(ACTION, "Cannot set quotas for oneadmin user")
        quotas.update(user, self.cloud.parse(text, ACTION))
        self.cloud.touch(user)
        return number


class GroupApi(PoolApi[Group]):
    prefix, pool_prefix, kind = "one.group", "one.grouppool", Group

    def methods(self) -> dict[str, Handler]:
        known = super().methods()
        for name in ("chmod", "chown", "lock", "unlock"):
            del known[f"one.group.{name}"]
        return known | {"one.group.allocate": self.allocate, "one.group.quota": self.quota}

    def _body(self, group: Group) -> str:
        members = [user.id for user in self.cloud.pool(User).values() if group.id in user.groups]
        return (
            field("ID", group.id)
            + field("NAME", group.name)
            + group.template.xml()
            + ids_xml("USERS", sorted(members))
            + ids_xml("ADMINS", sorted(group.admins))
        )

    def xml(self, item: Group, caller: Caller) -> str:
        like = self.cloud.personality
        return (
            f"<GROUP>{self._body(item)}{quotas.xml(self.cloud, item)}"
            + (f"<VLAN_RULES>{text_field('ID', item.id)}</VLAN_RULES>" if like.group_vlan_rules else "")
            + f"<DEFAULT_GROUP_QUOTAS>{quotas.EMPTY}</DEFAULT_GROUP_QUOTAS></GROUP>"
        )

    def pool_info(self, caller: Caller, *_: Any) -> str:
        pool = self.cloud.pool(Group)
        seen = [
            pool[number]
            for number in sorted(pool, reverse=True)
            if caller.admin or self.cloud.permitted(caller, USE, pool[number])
        ]
        groups = "".join(f"<GROUP>{self._body(group)}</GROUP>" for group in seen)
        usage = "".join(
            f"<QUOTAS>{field('ID', group.id)}{quotas.xml(self.cloud, group)}</QUOTAS>" for group in seen if group.id
        )
        return f"<GROUP_POOL>{groups}{usage}<DEFAULT_GROUP_QUOTAS>{quotas.EMPTY}</DEFAULT_GROUP_QUOTAS></GROUP_POOL>"

    def info(self, caller: Caller, number: int, decrypt: bool = False) -> str:
        return super().info(caller, caller.gid if number == -1 else number, decrypt)

    def allocate(self, caller: Caller, name: str) -> int:
        self.cloud.authorize(caller, self.cloud.may_create(caller, "GROUP"))
        return allocate_group(self.cloud, name).id

    def delete(self, caller: Caller, number: int, *_: Any) -> int:
        group = self.cloud.allowed(caller, Group, number, ADMIN)
        if any(number in user.groups for user in self.cloud.pool(User).values()):
            raise OneError(ACTION, "Cannot delete group. Group is not empty.")
        self.cloud.remove(group)
        return number

    def quota(self, caller: Caller, number: int, text: str) -> int:
        if number == 0:
            raise OneError(ACTION, "Cannot set quotas for oneadmin group")
        group = self.cloud.allowed(caller, Group, number, ADMIN)
        quotas.update(group, self.cloud.parse(text, ACTION))
        self.cloud.touch(group)
        return number


class AclApi:
    """The rules; shown in the order of the users that they are for, as oned keeps them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def methods(self) -> dict[str, Handler]:
        """All methods by their full names."""
        return {"one.acl.info": self.info, "one.acl.addrule": self.addrule, "one.acl.delrule": self.delrule}

    def info(self, caller: Caller) -> str:
        rules = sorted(self.cloud.acls, key=lambda rule: rule.user)
        inner = "".join(
            f"<ACL><ID>{rule.id}</ID><USER>{rule.user:x}</USER><RESOURCE>{rule.resource:x}</RESOURCE>"
            f"<RIGHTS>{rule.rights:x}</RIGHTS><ZONE>{rule.zone:x}</ZONE><STRING>{rule_text(rule)}</STRING></ACL>"
            for rule in rules
        )
        return f"<ACL_POOL>{inner}</ACL_POOL>"

    def addrule(self, caller: Caller, user: str, resource: str, rights: str, zone: str = "400000000") -> int:
        self._require_admin(caller)
        try:
            fields = [int(text, 16) for text in (user, resource, rights, zone)]
        except ValueError as error:
            raise OneError(RPC_API, f"Wrong hexadecimal number in the rule: {error}") from error
        return add_rule(self.cloud, *fields)

    def delrule(self, caller: Caller, number: int) -> int:
        self._require_admin(caller)
        for rule in self.cloud.acls:
            if rule.id == number:
                self.cloud.acls.remove(rule)
                self.cloud.save_acls()
                return number
        raise OneError(INTERNAL, f"Rule {number} does not exist")

    @staticmethod
    def _require_admin(caller: Caller) -> None:
        if not caller.admin:
            raise OneError(AUTHORIZATION, f"User [{caller.uid}] : Not authorized to perform MANAGE ACL.")
