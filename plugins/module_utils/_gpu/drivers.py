# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which driver a card needs: flavour of the kernel modules, branch, and one version for all packages.

Private to the collection. Sources: pci.ids for the ranges of device ids; NVIDIA Driver Installation Guide, "Kernel
Modules" (open modules from Turing on, needed from Blackwell on and for Grace Hopper, recommended from the branch 560
on); MIG User Guide, "Deployment Considerations", for the first branches of cards; the lists of ids in Debian's
nvidia-detect 535.261.03 and 550.163.01 for what these branches know and for the cards their open modules support.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

OPEN, PROPRIETARY = "open", "proprietary"
OPEN_FOR_ALL = 560
"""Branch from which the open modules support every card since Turing; before, cards of data centres alone."""

DISTRIBUTION = {"bookworm": 535, "trixie": 550}
"""Branches of Debian's own packages."""


@dataclass(frozen=True)
class Family:
    """Cards of one architecture: device ids from C(low) to C(high), and the branches that know them."""

    name: str
    low: int
    high: int
    first: int
    last: int = 9999
    flavours: tuple[str, ...] = (PROPRIETARY, OPEN)


_FAMILIES = (
    Family("Kepler or older", 0x0000, 0x133F, 0, 470, (PROPRIETARY,)),
    Family("Maxwell", 0x1340, 0x15EF, 340, 580, (PROPRIETARY,)),
    Family("Pascal", 0x15F0, 0x1D7F, 367, 580, (PROPRIETARY,)),
    Family("Volta", 0x1D80, 0x1DFF, 384, 580, (PROPRIETARY,)),
    Family("Turing", 0x1E00, 0x1FFF, 410),
    Family("Ampere", 0x2080, 0x20FF, 450),
    Family("Turing", 0x2180, 0x21FF, 410),
    Family("Ampere", 0x2200, 0x22FF, 455),
    Family("Hopper", 0x2300, 0x23FF, 525),
    Family("Ampere", 0x2400, 0x25FF, 455),
    Family("Ada", 0x2600, 0x28FF, 525),
    Family("Blackwell", 0x2900, 0x2FFF, 570, flavours=(OPEN,)),
    Family("Blackwell", 0x3100, 0x31FF, 580, flavours=(OPEN,)),
)
# Newer than their family.
_FIRST = {"2329": 535, "2335": 550, "233b": 565, "2342": 535}
_OPEN_ONLY = ("2342",)
# Cards for data centres, which the open modules support before OPEN_FOR_ALL.
_OPEN_BEFORE = frozenset(
    {
        *("1e37", "1eb4", "1eb8", "1eb9", "20b0", "20b1", "20b2", "20b3"),
        *("20b5", "20b6", "20b7", "20f0", "20f1", "20f2", "20f5", "20f6"),
        *("2235", "2236", "2237", "25b6", "26b5", "26b8", "27b8"),
    }
)
_OPEN_BEFORE_550 = frozenset(("2321", "2322", "2324", "2330", "2331", "2339", "233a"))


class NoDriver(Exception):
    """No driver fits; the message says which card is in the way and what would be right."""


def family(device: str) -> Family | None:
    """Return the family of a device id; None for one that is newer than this list."""
    number = int(device, 16)
    return next((one for one in _FAMILIES if one.low <= number <= one.high), None)


def branch(version: str) -> int:
    """Return the branch of a version such as 535.261.03-1."""
    match = re.match(r"\d{1,4}", upstream(version))
    return int(match[0]) if match else 0


def upstream(version: str) -> str:
    """Return the driver's version in a package's version, without epoch and revision."""
    return version.rpartition(":")[2].partition("-")[0].partition("+")[0].partition("~")[0]


def newest(versions: Iterable[str]) -> str:
    """Return the newest of driver versions, empty without any."""
    return max(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)], default="")


def flavours(device: str, of_branch: int) -> tuple[str, ...]:
    """Return the flavours that drive a card, the better one first.

    Raises:
        NoDriver: the branch does not know the card.
    """
    known = family(device)
    if known is None:
        # A card of tomorrow: open modules, of a branch newer than this list.
        known = Family("newer than this collection knows", 0, 0, 580, flavours=(OPEN,))
    first = _FIRST.get(device, known.first)
    if not first <= of_branch <= known.last:
        need = f"{first} or newer" if of_branch < first else f"{known.last} or older"
        raise NoDriver(
            f"the driver's branch {of_branch} does not know the card 10de:{device} ({known.name}), which needs branch"
            f" {need}"
        )
    if device in _OPEN_ONLY:
        return (OPEN,)
    if OPEN not in known.flavours or PROPRIETARY not in known.flavours:
        return known.flavours
    if of_branch >= OPEN_FOR_ALL:
        return (OPEN, PROPRIETARY)
    supported = device in _OPEN_BEFORE or (of_branch >= 550 and device in _OPEN_BEFORE_550)
    return (PROPRIETARY, OPEN) if supported else (PROPRIETARY,)


def flavour(devices: Sequence[str], of_branch: int, wanted: str) -> str:
    """Return the flavour for all cards of a node; C(wanted) is auto, open or proprietary.

    Raises:
        NoDriver: no flavour drives them all, or not the wanted one.
    """
    common: list[str] | None = None
    for device in devices:
        fits = flavours(device, of_branch)
        if wanted != "auto" and wanted not in fits:
            known = family(device)
            raise NoDriver(
                f"the {wanted} kernel modules of branch {of_branch} do not support the card 10de:{device}"
                f" ({known.name if known else 'unknown'}), {fits[0]} would be right"
            )
        common = list(fits) if common is None else [one for one in common if one in fits]
    if wanted != "auto":
        return wanted
    if common is None:
        return OPEN if of_branch >= OPEN_FOR_ALL else PROPRIETARY
    if not common:
        raise NoDriver(f"no flavour of branch {of_branch} supports all of the cards {', '.join(sorted(set(devices)))}")
    return common[0]


def common_version(packages: Sequence[str], available: Mapping[str, Sequence[str]], wanted: str, installed: str) -> str:
    """Return the one driver version that all packages have: the wanted one, the installed one, or the newest.

    Raises:
        NoDriver: a package is missing, or there is no such version.
    """
    missing = [name for name in packages if not available.get(name)]
    if missing:
        raise NoDriver(f"the package sources have no {', '.join(missing)}")
    sets = [{upstream(version) for version in available[name]} for name in packages]
    common = set.intersection(*sets)
    chosen = wanted or (installed if installed in common else newest(common))
    if chosen in common:
        return chosen
    told = "; ".join(f"{name} has {', '.join(sorted(versions))}" for name, versions in zip(packages, sets, strict=True))
    if wanted:
        raise NoDriver(f"not every package is there in version {wanted}: {told}")
    raise NoDriver(f"no version is common to kernel modules and libraries: {told}")
