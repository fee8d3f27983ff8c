# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What has to hold between the variables of a context.

Variables are named without their prefix, in the messages with it. A value is None when the variable is given and wrong
by itself, which is told elsewhere: then nothing is said about it here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .table import FLAVOURS_WITH_DATA, PREFIX

Given = Mapping[str, Any]
_TLS = ("TLS_CERTIFICATE", "TLS_KEY", "TLS_TRUST")
_TAKEN = {22: "SSH", 8000: "Flower's own API on loopback"}


def _named(*names: str) -> str:
    return " and ".join(PREFIX + name for name in names)


def _tls(given: Given) -> Iterator[tuple[str, str]]:
    there = [name for name in _TLS if name in given]
    if there:
        for name in _TLS:
            if name not in given:
                why = f"since {_named(*there)} is given: all three or none"
                yield name, f"{PREFIX}{name} is empty; it must be there too, {why}"


def _port(given: Given) -> Iterator[tuple[str, str]]:
    port = given.get("FLEET_PORT")
    if port in _TAKEN:
        yield (
            "FLEET_PORT",
            f"{PREFIX}FLEET_PORT is {port}; it must be another port, since the VM has {_TAKEN[port]} there",
        )


def _trust(given: Given) -> Iterator[tuple[str, str]]:
    trust = given.get("TRUST", "auto")
    if trust in ("fingerprint", "token"):
        needed = "SUPERLINK_FINGERPRINT" if trust == "fingerprint" else "JOIN_TOKEN"
        if needed not in given:
            yield needed, f"{PREFIX}{needed} is empty; it must be given, since {PREFIX}TRUST is {trust}"
    elif "SUPERLINK_ADDRESS" in given and "SUPERLINK_FINGERPRINT" not in given and "JOIN_TOKEN" not in given:
        yield (
            "SUPERLINK_ADDRESS",
            f"{PREFIX}SUPERLINK_ADDRESS is given, and nothing says which SuperLink answers there; "
            f"{_named('SUPERLINK_FINGERPRINT')} or {_named('JOIN_TOKEN')} must be given with it",
        )


def _gpus(given: Given) -> Iterator[tuple[str, str]]:
    gpus, visible = given.get("GPUS"), given.get("GPU_VISIBLE_DEVICES")
    if gpus is None or visible is None:
        return
    beyond = [device for device in visible if device.isdigit() and int(device) >= gpus]
    if beyond:
        right = f"indices from 0 to {gpus - 1}" if gpus else "empty"
        yield (
            "GPU_VISIBLE_DEVICES",
            f"{PREFIX}GPU_VISIBLE_DEVICES has {', '.join(beyond)}, and {PREFIX}GPUS is {gpus}; it must be {right}",
        )


def _data(given: Given, flavour: str) -> Iterator[tuple[str, str]]:
    if given.get("DATA") == "poc" and flavour and flavour not in FLAVOURS_WITH_DATA:
        yield (
            "DATA",
            f"{PREFIX}DATA is poc, and this image ({flavour}) has no scikit-learn; "
            "it must be none, or the image one of "
            + ", ".join(f"flower-supernode-{name}" for name in FLAVOURS_WITH_DATA),
        )


def problems(given: Given, kind: str, flavour: str) -> list[tuple[str, str]]:
    """What is wrong, each with the variable to change (without its prefix)."""
    if kind == "superlink":
        return [*_tls(given), *_port(given)]
    return [*_trust(given), *_gpus(given), *_data(given, flavour)]


def notes(given: Given, kind: str) -> list[str]:
    """What is right, but may not be what was meant."""
    found = []
    if given.get("ADMIN_SOURCES") and "any" in given["ADMIN_SOURCES"]:
        found.append(f"{PREFIX}ADMIN_SOURCES admits SSH from every address")
    if kind == "supernode" and "SUPERLINK_ADDRESS" in given and "JOIN_TOKEN" not in given:
        found.append(
            f"{PREFIX}JOIN_TOKEN is not given; without it a SuperLink takes SuperNodes of its own OneFlow service alone"
        )
    return found
