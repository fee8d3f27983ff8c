# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which number each peer has in the networks of a tunnel, kept in a file.

Private to the collection: it may change without notice.

A peer keeps its number, not its addresses, so that it has the same place in every network, IPv4 or IPv6, and keeps it
when a network is replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import os
import re
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, OpenNebulaError

Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

PEER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}", re.ASCII)
_FORMAT = 1


def parse_networks(texts: Sequence[str]) -> list[Network]:
    """Networks of a tunnel.

    Raises:
        InvalidInput: one is none, has bits of a host, or overlaps another.
    """
    networks: list[Network] = []
    for text in texts:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise InvalidInput(
                f"networks has {text!r}; it must be a network such as 10.199.0.0/24 or fd12:3456:789a::/64: {error}."
            ) from None
        networks.append(network)
    if not networks:
        raise InvalidInput("networks is empty; a tunnel needs one network at least, such as 10.199.0.0/24.")
    for number, network in enumerate(networks):
        for other in networks[:number]:
            if network.version == other.version and network.overlaps(other):
                raise InvalidInput(f"networks has {other} and {network}, which overlap.")
    return networks


def check_peers(names: Collection[str], option: str) -> None:
    """Refuse names of peers that no inventory would have.

    Raises:
        InvalidInput: naming the option and the name.
    """
    for name in names:
        if not PEER.fullmatch(name):
            raise InvalidInput(
                f"{option} has {name[:60]!r}; the name of a peer has letters, digits, dots, hyphens and underscores,"
                " at most 253, and starts with a letter or digit."
            )


def capacity(networks: Sequence[Network]) -> int:
    """The highest number that a host may have in every one of the networks."""
    return min(
        network.num_addresses - (1 if network.version == 6 or network.prefixlen > 30 else 2) for network in networks
    )


def addresses(networks: Sequence[Network], number: int) -> list[str]:
    """The addresses of the host with a number, one of each network."""
    return [str(network[number]) for network in networks]


def assign(known: Mapping[str, int], peers: Collection[str], reserved: int, highest: int) -> dict[str, int]:
    """A number for every peer: the one that it has, else the lowest that is free.

    Raises:
        InvalidInput: a number is out of the networks, or none is left.
    """
    for name, number in sorted(known.items()):
        if name in peers and not reserved < number <= highest:
            raise InvalidInput(
                f"peer {name} has number {number}, which must be {reserved + 1} to {highest} in these networks. No peer"
                " is moved by itself: take a larger network, or release the peer and let it get another number."
            )
    taken = set(known.values())
    free = (number for number in range(reserved + 1, highest + 1) if number not in taken)
    wanted: dict[str, int] = {}
    for name in sorted(peers):
        number = known.get(name) or next(free, 0)
        if not number:
            raise InvalidInput(
                f"peer {name} cannot have an address: the networks have {highest} for hosts, {reserved} are reserved"
                f" and {len(known.keys() | wanted.keys())} are taken. Release peers that are gone, or take a larger"
                " network."
            )
        wanted[name] = number
    return wanted


class Numbers:
    """The file with the numbers of all peers.

    Every method raises OpenNebulaError with the path and the reason when the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, int]:
        """Number by name of the peer; empty where there is no file."""
        try:
            content: Any = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._wrong(f"cannot be read: {error}") from None
        numbers = content.get("numbers") if isinstance(content, dict) else None
        if (
            not isinstance(numbers, dict)
            or content.get("format") != _FORMAT
            or not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers.values())
        ):
            raise self._wrong("does not have what this module writes")
        if len(set(numbers.values())) < len(numbers):
            raise self._wrong("gives two peers the same number")
        return dict(numbers)

    def write(self, numbers: Mapping[str, int]) -> None:
        """Replace the file, whole or not at all; without peers it is removed."""
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        text = json.dumps({"format": _FORMAT, "numbers": dict(numbers)}, indent=2, sort_keys=True) + "\n"
        try:
            if not numbers:
                self.path.unlink()
                return
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
                with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                    stream.write(text)
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.replace(self.path)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    temporary.unlink()
        except OSError as error:
            raise self._wrong(f"cannot be written: {error}") from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file against another process that would write; its directory is made when missing."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise self._wrong(f"cannot be written: {error}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _wrong(self, what: str) -> OpenNebulaError:
        return OpenNebulaError(
            f"path {self.path} {what}. It holds which peer has which address of the tunnel; mend it, or remove it to"
            " give all peers new addresses.",
            code="invalid_file",
            details={"object": str(self.path)},
        )
