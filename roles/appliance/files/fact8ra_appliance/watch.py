# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""``python -m fact8ra_appliance.watch``, twice a minute by fact8ra-appliance-watch.timer: is all as it was said to be?

A look asks systemd for the units and the SuperLink for one answer. OneGate is asked only when something is wrong, and
Ansible plays only when the boot step can mend it: a SuperLink that moved, an address that changed, a certificate that
ends. Nothing is said while the boot step itself is at work.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization

from . import checks, discovery, join, judgement, machine, trust
from . import context as contexts
from .flower import why_offline
from .judgement import FINE, Memory, Seen
from .onegate import OneGateError
from .report import Reporter, State
from .superlink_watch import certificate_ends, look_at_superlink
from .trouble import Trouble

BOOT: Final = "fact8ra-appliance.service"
#: Failures of the boot step that another attempt may end well, when others have put something right.
_TRIED_AGAIN: Final = frozenset(
    {
        State.CONFIGURE_FAILED,
        State.CONTEXT_MISSING,
        State.DISK_FULL,
        State.DISK_READ_ONLY,
        State.CLOCK_WRONG,
        State.TRUST_REFUSED,
        State.SUPERLINK_REPLACED,
        State.JOIN_REFUSED,
        State.NAME_TAKEN,
        State.TOKEN_MISSING,
        State.ONEGATE_REFUSED,
        State.ONEGATE_FOREIGN,
    }
)
#: States of a boot step that is at work; one that is found in them and is not was killed.
_UNDERWAY: Final = frozenset(
    {
        State.BOOTING,
        State.CONFIGURING,
        State.JOINING,
        State.WAITING_FOR_SUPERLINK,
        State.ONEGATE_UNREACHABLE,
    }
)
_ENDED: Final = "The boot step ended without a word; it is tried again"
_KEPT: Final = "run/fact8ra/context.json"
#: Days before the end of an authority's validity at which it is said: replacing it takes people.
_DAYS: Final = 60


@dataclass
class Systemd:
    """The units of this machine.

    Args:
        run: runs a command and gives its output; raises OSError, SubprocessError.
    """

    run: Callable[[list[str]], str] = field(default_factory=lambda: _run)

    def states(self, *units: str) -> dict[str, str]:
        """ActiveState of each unit, such as active, activating or failed."""
        said = self.run(["systemctl", "show", "--property=ActiveState", "--value", *units])
        return dict(zip(units, [line for line in said.splitlines() if line], strict=False))

    def down(self, *units: str) -> list[str]:
        """Those that are not active, as `unit is state`."""
        states = self.states(*units).items()
        return [f"{unit} is {state}" for unit, state in states if state not in ("active", "reloading")]

    def boot_again(self) -> None:
        """Play the boot step again, without waiting for it."""
        self.run(["systemctl", "restart", "--no-block", BOOT])


def look_at_supernode(
    context: Mapping[str, str], root: Path, systemd: Systemd, memory: Memory, seconds: float = 10.0
) -> Seen:
    """What a SuperNode that has joined is now."""
    pin = trust.Pins(root / "var/lib/fact8ra/pin.json").read()
    known = str(machine.Keep(root).applied().get("superlink", ""))
    # With `*` its firewall is open to any, as it has joined none.
    if pin is None or not known or known.startswith("*"):
        return Seen("", "")
    found = discovery.Found(*discovery.split(known))
    try:
        said = join.status(found, pin.ca, _public_key(root), seconds)
    except join.Busy:
        # A limit of nginx's, or the joiner begins anew: that says nothing of the SuperNode.
        return _units(systemd) or Seen("", "")
    except Trouble as trouble:
        gone = trouble.state == State.WAITING_FOR_SUPERLINK
        lost = Seen(State.OFFLINE if gone else str(trouble.state), _sentence(trouble))
        return _moved(context, found, pin) or lost
    if said == "online":
        if down := _units(systemd):
            return down
        alert = ""
        ends = certificate_ends(pin.ca.encode())
        if ends is not None and ends - time.time() < _DAYS * 86400:
            alert = (
                f". The SuperLink's authority ends on {_day(ends)}, and has to be replaced before at every SuperNode"
            )
        return Seen(State.ONLINE, (memory.fine or f"This SuperNode is online at the SuperLink {found.address}") + alert)
    if said == "unregistered":
        return Seen(
            State.JOIN_REFUSED,
            "The key of this SuperNode was unregistered at the SuperLink, and Flower never admits it again; remove "
            "/etc/flower/supernode.key for a new key, and reboot",
        )
    if said == "unknown":
        # A SuperLink that was set back to an earlier disk has forgotten it; joining is all it takes.
        forgotten = f"The SuperLink {found.address} does not know this SuperNode; it joins again"
        return Seen(State.OFFLINE, forgotten, "unknown")
    return _moved(context, found, pin) or Seen(
        State.OFFLINE, f"The SuperLink {found.address} says that this SuperNode is offline: {why_offline()}"
    )


def _units(systemd: Systemd) -> Seen | None:
    """What the units of this SuperNode are, None where all are active."""
    down = systemd.down("flower-supernode.service", "flower-superexec-client.service")
    if not down:
        return None
    text = f"{', '.join(down)}, so that no app trains here; journalctl -u of it says why"
    return Seen(State.OFFLINE, text, "units", 6)


def _moved(context: Mapping[str, str], found: discovery.Found, pin: trust.Pin) -> Seen | None:
    """What OneGate shows of a SuperLink that is not where it was; None for nothing new."""
    gate = machine.gate(context)
    if context.get(discovery.VARIABLE) or gate is None:
        return None
    try:
        offered = discovery.find("", gate.patient(), wanted=pin.fingerprint)
    except (Trouble, OneGateError):
        return None
    if offered.offer is not None and offered.offer.fingerprint != pin.fingerprint:
        return Seen(State.SUPERLINK_REPLACED, _sentence(trust.replaced(pin, offered.offer.fingerprint)))
    if offered.address == found.address:
        return None
    return Seen(
        State.OFFLINE,
        f"The SuperLink moved from {found.address} to {offered.address}, with the pinned authority; it is followed",
        f"moved {offered.address}",
    )


def look(root: Path, systemd: Systemd, memory: Memory) -> tuple[Seen, Memory]:
    """One look at this machine, and the memory with what it needs of it. Raises Trouble, ContextMissing."""
    state, message = memory.said
    if state == State.CONTEXT_INVALID or (state not in FINE and state != State.OFFLINE and not memory.mine):
        # What the boot said stands until the boot says something else.
        again = state if state in _TRIED_AGAIN else ""
        return Seen(state, message, f"after {again}" if again else "", patient=30), memory
    try:
        checks.glance(root)
    except Trouble as trouble:
        return Seen(str(trouble.state), str(trouble)), memory
    context = _context(root)
    image = machine.Image.read(root)
    if image.kind == "supernode":
        return look_at_supernode(context, root, systemd, memory), memory
    return look_at_superlink(image, context, root, systemd.down, memory)


def main(root: Path = Path("/"), systemd: Systemd | None = None, now: Callable[[], float] | None = None) -> int:
    """Look once, and do what follows."""
    systemd = systemd or Systemd()
    boot = systemd.states(BOOT).get(BOOT)
    if boot == "activating":
        return 0
    state = message = ""
    try:
        page = json.loads((root / "run/fact8ra/state.json").read_text(encoding="utf-8"))
        state, message = str(page["state"]), str(page["message"])
    except (OSError, ValueError, KeyError, TypeError):
        # Without a page and inactive, it has not begun.
        if boot != "failed":
            return 0
    path = root / judgement.MEMORY
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    memory = judgement.load(path).after(state, message)
    if boot in ("failed", "inactive") and (not state or state in _UNDERWAY or message == _ENDED):
        seen = Seen(State.CONFIGURE_FAILED, _ENDED, "ended")
    else:
        try:
            seen, memory = look(root, systemd, memory)
        except (Trouble, contexts.ContextMissing) as error:
            seen = Seen(str(getattr(error, "state", State.CONTEXT_MISSING)), str(error))
    memory, decision = judgement.decide(memory, seen, (now or _uptime)())
    if decision.say or memory.owed:
        reporter = Reporter(_gate(root), root)
        tell = reporter.failed if memory.said[1] == _ENDED else reporter.say
        tell(State(memory.said[0]), memory.said[1])
        memory = replace(memory, owed=bool(reporter.onegate_problem))
    judgement.save(path, memory)
    if decision.play:
        # A notice (sd-daemon(3)).
        print(f"<5>The boot step is played again: {decision.play}", flush=True)
        systemd.boot_again()
    return 0


def _gate(root: Path) -> Any:
    try:
        return machine.gate(_context(root))
    except contexts.ContextMissing:
        return None


def _context(root: Path) -> dict[str, str]:
    """The context; one that is on a device is mounted once, as it changes only with a boot. Raises ContextMissing."""
    path = root / _KEPT
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): str(value) for name, value in kept.items()}
    except (OSError, ValueError, AttributeError):
        pass
    found = contexts.read(root)
    if found.source == "device":
        trust.write(path, json.dumps(found.variables), 0o600)
    return found.variables


def _public_key(root: Path) -> str:
    """The public line of this SuperNode's key, without a comment. Raises Trouble."""
    path = root / "etc/flower/supernode.key"
    try:
        key: Any = serialization.load_ssh_private_key(path.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise Trouble("CONFIGURE_FAILED", f"the key of this SuperNode, {path}, cannot be read: {error}") from error
    line: bytes = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return line.decode()


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def _uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _run(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
