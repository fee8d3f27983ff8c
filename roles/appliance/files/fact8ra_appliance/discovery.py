# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the SuperLink is: the context says it, or OneGate, as the service of this VM shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from .offer import ATTRIBUTE, Offer, Unreadable, fingerprint_of, is_host
from .onegate import Node, NoService, Service
from .trouble import Trouble

ROLE = "superlink"
VARIABLE = "ONEAPP_FLOWER_SUPERLINK_ADDRESS"
DEFAULT_PORT = 8443
# Seconds between two looks: short at first, as both VMs of a service boot together.
_DELAYS = (1.0, 1.0, 2.0, 2.0, 3.0, 5.0, 10.0)
_LONGEST_DELAY = 15.0


class Gate(Protocol):
    """The part of onegate.OneGate that is needed here; its errors pass."""

    def service(self) -> Service:
        """The service that this VM is of."""

    def publish(self, attributes: Mapping[str, str]) -> None:
        """Write attributes of this VM."""


@dataclass(frozen=True)
class Found:
    """A SuperLink to dial. What was found is not trusted yet.

    Attributes:
        host: name or address, IPv6 without brackets.
        offer: what it says of itself in OneGate, None when the context has the address.
    """

    host: str
    port: int
    offer: Offer | None = None

    @property
    def address(self) -> str:
        """host:port as it is dialled, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def split(text: str, port: int = DEFAULT_PORT) -> tuple[str, int]:
    """Host and port of host, host:port, an IPv6 address or [IPv6]:port.

    Raises:
        Trouble: CONTEXT_INVALID; it is none of these.
    """
    host, number = text.strip(), str(port)
    if host.startswith("["):
        host, bracket, rest = host[1:].partition("]")
        number = rest[1:] if rest.startswith(":") else number if not rest else ""
        host = host if ":" in host and bracket else ""
    elif host.count(":") == 1:
        host, _colon, number = host.partition(":")
    if not is_host(host) or not (number.isascii() and number.isdigit() and 0 < int(number[:6]) < 65536):
        raise Trouble(
            "CONTEXT_INVALID",
            f"{VARIABLE} is {ascii(text)[:80]}; it must be a name or an address, with :PORT or without, and an IPv6"
            " address with a port in brackets",
            variable=VARIABLE,
        )
    return host, int(number)


def find(address: str, gate: Gate | None, *, port: int = DEFAULT_PORT, wanted: str = "") -> Found:
    """Look once.

    Args:
        address: what the context says, empty for nothing.
        gate: OneGate, None where the VM has none.
        port: port of an address without one.
        wanted: fingerprint that is given or pinned; of several SuperLinks of the service it picks the one.

    Raises:
        Trouble: there is none (yet), or more than one.
    """
    if address.strip():
        return Found(*split(address, port))
    try:
        service = gate.service() if gate else None
    except NoService:
        service = None
    if service is None:
        raise Trouble(
            "CONTEXT_INVALID",
            f"{VARIABLE} is empty and OneGate shows no service of this VM to look for a SuperLink in; give the address,"
            f" or deploy the VM in a OneFlow service with a role {ROLE}",
            variable=VARIABLE,
        )
    # Names of roles are OneFlow's own, which no VM can write, so none but the role of that name is heard.
    if ROLE not in service.roles:
        raise Trouble(
            "CONTEXT_INVALID",
            f"{VARIABLE} is empty and the service of this VM has no role {ROLE}, the only one in which a SuperLink is"
            " looked for; give the address, or the role that name",
            variable=VARIABLE,
        )
    offers, unreadable = _offers(service.roles[ROLE])
    wanted = fingerprint_of(wanted) if wanted else ""
    if wanted and any(offer.fingerprint == wanted for offer in offers):
        offers = [offer for offer in offers if offer.fingerprint == wanted]
    if len(offers) > 1:
        raise Trouble(
            "TRUST_REFUSED",
            f"the service has {len(offers)} SuperLinks that differ; a federation has one. Set the role {ROLE} to one"
            f" VM, or name the right one in {VARIABLE} and ONEAPP_FLOWER_SUPERLINK_FINGERPRINT",
            again=True,
        )
    if not offers:
        raise Trouble(
            "WAITING_FOR_SUPERLINK",
            f"the SuperLink has published something that cannot be used ({unreadable[0]})"
            if unreadable
            else f"no VM of the service's role {ROLE} has published its address yet; see FLOWER_STATE of that VM",
            again=True,
        )
    return Found(offers[0].address, offers[0].port, offers[0])


def _offers(nodes: Iterable[Node]) -> tuple[list[Offer], list[str]]:
    """What is offered, each once, and why the rest cannot be read."""
    offers: dict[Offer, None] = {}
    unreadable = []
    for node in nodes:
        text = node.attributes.get(ATTRIBUTE)
        if text:
            try:
                # An attribute that stands twice is a list.
                offers[Offer.decode(text if isinstance(text, str) else "")] = None
            except Unreadable as error:
                unreadable.append(f"VM {node.vm_id}: {error}")
    return list(offers), unreadable


def delays() -> Iterator[float]:
    """Seconds between attempts."""
    yield from _DELAYS
    while True:
        yield _LONGEST_DELAY
