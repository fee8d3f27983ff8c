# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Apps of marketplaces, and the image template that one brings along.

Private to the collection: it may change without notice.

An image comes from an app when its template has FROM_APP: oned takes path, size, format and checksum from the app
(src/market/MarketPlaceApp.cc). What else the app says of its image is in APPTEMPLATE64, which the caller has to put
into the template (src/oca/ruby/opennebula/marketplaceapp_ext.rb). That holds for 6.8, 6.10 and 7.x.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import Ambiguous, InvalidInput, NotFound, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    Kind,
    Objects,
    Raw,
    is_id,
    named,
    thing,
)

MARKETPLACE_APP = Kind("marketplace app", "marketapp", "marketapppool", "MARKETPLACEAPP")

# include/MarketPlaceApp.h
READY = 1
STATES = ("INIT", "READY", "LOCKED", "ERROR", "DISABLED")
IMAGE_APP = 1
TYPES = ("UNKNOWN", "IMAGE", "VMTEMPLATE", "SERVICE_TEMPLATE")

SERVERS = frozenset({"NAME", "SIZE", "PATH", "FORMAT", "DRIVER", "SOURCE", "FROM_APP", "FROM_APP_NAME", "FROM_APP_MD5"})
"""Attributes of an app's template that oned sets by itself, or that its datastore decides about."""

_QUOTED = r'"(?:\\.|[^"\\])*"'
_PAIR = re.compile(rf'([A-Za-z_]\w*)\s*=\s*(\[(?:{_QUOTED}|[^\]"])*\]|{_QUOTED}|[^\n,\]]*)')


def find_app(objects: Objects, reference: str, marketplace: str | None) -> Raw:
    """Return the app that an image is to be made of.

    Args:
        reference: name or id.
        marketplace: name or id of its marketplace, None for any.

    Raises:
        NotFound: there is none; the message has similar names.
        Ambiguous: several apps of that name, in several marketplaces or versions.
        InvalidInput: the app holds no image.
        Refused: it is not ready.
    """
    if is_id(reference):
        raw = objects.by_id(MARKETPLACE_APP, int(reference))
        found = [] if raw is None else [raw]
    else:
        found = [raw for raw in objects.pool(MARKETPLACE_APP) if raw["NAME"] == reference]
    found = [raw for raw in found if marketplace is None or marketplace in (raw["MARKETPLACE_ID"], raw["MARKETPLACE"])]
    if not found:
        raise _no_app(objects, reference, marketplace)
    if len(found) > 1:
        raise _several(objects, reference, found)
    app = found[0]
    endpoint, details = objects.client.endpoint, {"option": "app", "id": int(app["ID"])}
    kind = as_int(app.get("TYPE")) or 0
    if kind != IMAGE_APP:
        raise InvalidInput(
            f"{endpoint}: app is the {named(MARKETPLACE_APP, app)}, which is of type {_word(TYPES, kind)}; "
            "only one of type IMAGE can become an image.",
            details=details,
        )
    state = as_int(app.get("STATE")) or 0
    if state != READY:
        raise Refused(
            f"{endpoint}: the {named(MARKETPLACE_APP, app)} is in state {_word(STATES, state)}; it has to be READY.",
            code="failed_state",
            details={**details, "last_state": _word(STATES, state)},
        )
    return app


def app_template(app: Raw) -> dict[str, Any]:
    """Return what an app says of its image, without what oned sets by itself; nothing when it cannot be read."""
    try:
        text = base64.b64decode(str(app.get("APPTEMPLATE64") or "")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {name: value for name, value in _parsed(text).items() if name not in SERVERS}


def _parsed(text: str) -> dict[str, Any]:
    """Return a template as OpenNebula writes it: names to text, to dicts, or to lists of these where one repeats."""
    result: dict[str, Any] = {}
    without_comments = re.sub(r"(?m)^\s*#.*$", "", text)
    for name, value in _PAIR.findall(without_comments):
        item = _parsed(value[1:-1]) if value.startswith("[") else _unquoted(value)
        key = name.upper()
        if key not in result:
            result[key] = item
        else:
            before = result[key]
            result[key] = [*(before if isinstance(before, list) else [before]), item]
    return result


def _unquoted(value: str) -> str:
    return value[1:-1].replace('\\"', '"') if value.startswith('"') else value.strip()


def _no_app(objects: Objects, reference: str, marketplace: str | None) -> NotFound:
    where = "" if marketplace is None else f" in the marketplace {marketplace!r}"
    names: list[str] = []
    if not is_id(reference):
        names = difflib.get_close_matches(reference, {raw["NAME"] for raw in objects.pool(MARKETPLACE_APP)}, 5)
    similar = f" Similar names: {', '.join(names)}." if names else ""
    return NotFound(
        f"{objects.client.endpoint}: app names the marketplace app {reference!r}, but user "
        f"{objects.client.target.username!r} may use none of that name or id{where}.{similar}",
        details={
            "endpoint": objects.client.endpoint,
            "object": thing(MARKETPLACE_APP, reference, None),
            "option": "app",
            "names": names,
        },
    )


def _several(objects: Objects, reference: str, found: list[Raw]) -> Ambiguous:
    listed = ", ".join(
        f"id {raw['ID']} in {raw['MARKETPLACE']!r} (version {raw.get('VERSION') or '-'})" for raw in found
    )
    return Ambiguous(
        f"{objects.client.endpoint}: app names the marketplace app {reference!r}, which fits several: {listed}. "
        "Give marketplace, or the id of the one that is meant.",
        details={
            "endpoint": objects.client.endpoint,
            "object": thing(MARKETPLACE_APP, reference, None),
            "option": "app",
            "candidates": [
                {
                    "id": int(raw["ID"]),
                    "name": raw["NAME"],
                    "owner": raw.get("UNAME"),
                    "group": raw.get("GNAME"),
                    "marketplace": raw["MARKETPLACE"],
                }
                for raw in found
            ],
        },
    )


def _word(words: tuple[str, ...], number: int) -> str:
    return words[number] if number < len(words) else f"UNKNOWN({number})"
