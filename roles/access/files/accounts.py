# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Says what the accounts of the role are and what there is to do about them.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON: ``group``, ``shell`` and ``home`` of
the accounts, ``keys`` (directory of their public keys), ``users`` (a list of ``name``, ``public_keys``, ``role``).

Prints JSON: ``refused`` (sentences about users that cannot be), ``group`` (whether it is there), ``users`` (name, role,
public_keys, ``uid``, ``address`` and ``known``, whether it is there; one that is not gets the uid that it will have),
``wrong`` (names of accounts that are missing or not as they should be), ``strangers`` (accounts of the group that
nobody asked for, name and uid) and ``stray`` (files in the directory of keys that belong to nobody). Changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import grp
import json
import os
import pwd
import re
import struct
import sys
from typing import Any

# The uid becomes two octets of an address; 0 would be root's.
_UIDS = range(1, 65536)
_RSA_BITS = 3072
# sshd(8), AUTHORIZED_KEYS FILE FORMAT, without DSA.
_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)


def key_fault(line: str) -> str:
    """Why a line is no public key that is accepted (RFC 4253, 6.6), or an empty string."""
    words = line.split(" ")
    if not line.isprintable() or len(words) < 2:
        return "is not one line with a type, a space and base64"
    if words[0] not in _KEY_TYPES:
        return f"begins with none of {', '.join(_KEY_TYPES)}; options are not taken"
    try:
        fields = _fields(base64.b64decode(words[1], validate=True))
    except (binascii.Error, ValueError, struct.error):
        return "is damaged, its base64 holds no public key"
    if fields[0] != words[0].encode():
        return f"is damaged, its base64 is of another type than {words[0]}"
    if words[0] == "ssh-rsa":
        bits = int.from_bytes(fields[2], "big").bit_length() if len(fields) == 3 else 0
        if bits < _RSA_BITS:
            return f"is an RSA key of {bits} bits, less than {_RSA_BITS}"
    return ""


def _fields(blob: bytes) -> list[bytes]:
    fields = []
    while blob:
        (length,) = struct.unpack_from(">I", blob)
        if len(blob) < 4 + length:
            raise ValueError("cut short")
        fields.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    if len(fields) < 2:
        raise ValueError("no key")
    return fields


def system_uids(path: str = "/etc/login.defs") -> range:
    """The uids that this host gives to system accounts, login.defs(5)."""
    found = {"SYS_UID_MIN": 100, "SYS_UID_MAX": 999}
    try:
        with open(path, encoding="utf-8") as stream:
            for name, value in re.findall(r"^(SYS_UID_(?:MIN|MAX))\s+(\d+)\s*$", stream.read(), re.MULTILINE):
                found[name] = int(value)
    except OSError:
        pass
    return range(found["SYS_UID_MIN"], found["SYS_UID_MAX"] + 1)


def unlocked(path: str = "/etc/shadow") -> set[str]:
    """Names whose password field is anything but ``*``: a password, or a lock that sshd without PAM would mind."""
    with open(path, encoding="utf-8") as stream:
        return {line.split(":")[0] for line in stream if line.split(":")[1:2] != ["*"]}


def member_faults(group: grp.struct_group | None) -> list[str]:
    """Sentences about accounts that were added to the group: what holds for it would break what else they do."""
    if group is None:
        return []
    return [
        f"{name} was added to the group {group.gr_name} by hand; take it out: gpasswd -d {name} {group.gr_name}"
        for name in group.gr_mem
    ]


def account_faults(name: str, entry: pwd.struct_passwd | None, group: grp.struct_group | None) -> list[str]:
    """Sentences about an account that is there and cannot be one of the role's."""
    if entry is None:
        return []
    faults = []
    if group is None or entry.pw_gid != group.gr_gid:
        faults.append(f"access_users: {name} is an account of this host already, take another name")
    if entry.pw_uid not in _UIDS:
        faults.append(f"access_users: the uid {entry.pw_uid} of {name} is not in 1 to 65535; remove that account")
    return faults


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request, see the module's docstring."""
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    group = next((entry for entry in grp.getgrall() if entry.gr_name == request["group"]), None)
    taken = {entry.pw_uid for entry in known.values()}
    free = [uid for uid in reversed(system_uids()) if uid not in taken and uid in _UIDS]
    with_password = unlocked()
    refused, users, wrong = member_faults(group), [], []
    for user in request["users"]:
        name = user["name"]
        entry = known.get(name)
        refused += account_faults(name, entry, group)
        for number, line in enumerate(user["public_keys"]):
            fault = key_fault(line)
            if fault:
                refused.append(f"access_users, user {name}: public_keys[{number}] {fault}")
        if entry is None and not free:
            refused.append(f"access_users, user {name}: this host has no free uid for a system account")
            continue
        uid = entry.pw_uid if entry else free.pop(0)
        as_wanted = entry and (entry.pw_shell, entry.pw_dir) == (request["shell"], request["home"])
        if not as_wanted or name in with_password:
            wrong.append(name)
        address = f"127.1.{uid // 256}.{uid % 256}"
        users.append(
            {**user, "role": user.get("role") or "submit", "uid": uid, "address": address, "known": entry is not None}
        )
    wanted = {user["name"] for user in request["users"]}
    files = os.listdir(request["keys"]) if os.path.isdir(request["keys"]) else []
    return {
        "refused": refused,
        "group": group is not None,
        "users": users,
        "wrong": wrong,
        "strangers": [
            {"name": entry.pw_name, "uid": entry.pw_uid}
            for entry in known.values()
            if group and entry.pw_gid == group.gr_gid and entry.pw_name not in wanted
        ],
        "stray": sorted(set(files) - wanted),
    }


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))
