# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""XML that most objects share."""

from __future__ import annotations

from collections.abc import Iterable

from .cloud import Cloud
from .model import PERMISSION_NAMES, Resource
from .template import cdata, escape


def header_xml(cloud: Cloud, item: Resource, permissions: bool = True) -> str:
    """ID, owner, name, lock and permissions, as most objects begin."""
    lock = ""
    if item.locked:
        lock = (
            f"<LOCK><LOCKED>{item.locked}</LOCKED><OWNER>{item.lock_owner}</OWNER>"
            f"<TIME>{item.lock_time}</TIME><REQ_ID>-1</REQ_ID></LOCK>"
        )
    return (
        f"<ID>{item.id}</ID><UID>{item.uid}</UID><GID>{item.gid}</GID>"
        f"<UNAME>{escape(cloud.user_name(item.uid))}</UNAME><GNAME>{escape(cloud.group_name(item.gid))}</GNAME>"
        f"<NAME>{escape(item.name)}</NAME>{lock}{permissions_xml(item) if permissions else ''}"
    )


def permissions_xml(item: Resource) -> str:
    """The PERMISSIONS element."""
    inner = "".join(f"<{name}>{bit}</{name}>" for name, bit in zip(PERMISSION_NAMES, item.perms, strict=True))
    return f"<PERMISSIONS>{inner}</PERMISSIONS>"


def ids_xml(root: str, numbers: Iterable[int]) -> str:
    """A list of ids."""
    return f"<{root}>{''.join(f'<ID>{number}</ID>' for number in numbers)}</{root}>"


def field(name: str, value: object) -> str:
    """An element with plain text."""
    return f"<{name}>{escape(str(value))}</{name}>"


def optional(name: str, value: object) -> str:
    """An element with CDATA, or an empty element."""
    return f"<{name}>{cdata(str(value))}</{name}>" if value not in ("", None) else f"<{name}/>"


def text_field(name: str, value: object) -> str:
    """An element with CDATA."""
    return f"<{name}>{cdata(str(value))}</{name}>"
