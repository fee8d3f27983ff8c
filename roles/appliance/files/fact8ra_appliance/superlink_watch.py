# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a SuperLink is now, for watch.py: its units, its answer over TLS, its address and its certificate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography import x509

from . import machine, publish, values
from .discovery import DEFAULT_PORT
from .judgement import Memory, Seen
from .report import State
from .trouble import Trouble

UNITS: Final = ("flower-superlink.service", "flower-superexec-server.service", "nginx.service", "fact8ra-join.service")
#: Looks after which the boot step tries what systemd's own restarts did not mend.
_PATIENT: Final = 6
#: Days before the end of a certificate at which role pki issues another (pki_renew_before_days).
RENEWED: Final = 30


def certificate_ends(pem: bytes) -> float | None:
    """When a certificate ends, in seconds of the epoch; None for one that cannot be read."""
    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
    except ValueError:
        return None


def look_at_superlink(
    image: machine.Image,
    context: Mapping[str, str],
    root: Path,
    down: Callable[..., list[str]],
    memory: Memory,
    now: Callable[[], float] = time.time,
) -> tuple[Seen, Memory]:
    """What this SuperLink is now. Raises Trouble."""
    judged = values.validate(dict(context), image.kind, image.flavour).variables
    here = machine.addresses(context)
    roles = machine.variables(image, context, judged, here, machine.Keep(root))
    address = machine.dialled(roles, here)
    memory = memory if memory.address else replace(memory, address=address)
    if address != memory.address:
        moved = f"The SuperLink's address changed from {memory.address} to {address}; certificate and OneGate follow"
        return Seen(State.OFFLINE, moved, f"address {address}"), memory
    stopped = down(*UNITS)
    if stopped:
        return Seen(State.OFFLINE, f"{', '.join(stopped)}; journalctl -u of it says why", "units", _PATIENT), memory
    etc = root / "etc/flower"
    join = "token" if judged.get("appliance_join_token") else "onegate"
    port = int(roles.get("superlink_fleet_port", DEFAULT_PORT))
    try:
        publish.answers(publish.offer(address, port, etc / "trust.crt", etc / "superlink.crt", join))
    except Trouble as trouble:
        return Seen(State.OFFLINE, str(trouble), "answers", _PATIENT), memory
    fine = memory.fine or f"The SuperLink answers over TLS at {address}, port {port}"
    ends = certificate_ends((etc / "superlink.crt").read_bytes())
    if ends is None or ends - now() > RENEWED * 86400:
        return Seen(State.READY, fine), memory
    day = time.strftime("%Y-%m-%d", time.gmtime(ends))
    if roles.get("pki_superlink_source") == "provided":
        cure = "give another one in ONEAPP_FLOWER_TLS_CERTIFICATE and reboot, before SuperNodes refuse it"
        return Seen(State.READY, f"{fine}. Its certificate ends on {day}: {cure}"), memory
    return Seen(State.READY, f"{fine}. Its certificate ends on {day} and is renewed", "renewal"), memory
