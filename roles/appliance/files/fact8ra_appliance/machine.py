# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""This VM: what its image is, its addresses, what it keeps on disk, and the variables of the roles that follow from it.

What is kept in /var/lib/fact8ra is made once and never again, since others pinned it: the CA and its passphrase, the
SuperNode's key, the authority that it believes. The passphrase lies beside the CA: it protects a copy of the directory
without it, and not this VM.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from .onegate import OneGate
from .trouble import Trouble

APPLIANCE: Final = "etc/fact8ra/appliance.json"
STATE: Final = "var/lib/fact8ra"
#: Where node exporter of Debian reads text files.
METRICS: Final = "/var/lib/prometheus/node-exporter"
_PREFIX: Final = "ONEAPP_FLOWER_"


@dataclass(frozen=True)
class Image:
    """What /etc/fact8ra/appliance.json says.

    Attributes:
        kind: superlink or supernode.
        flavour: of a SuperNode's image.
        flower_version: of the environment in the image.
        flower_packages, flower_constraints: of the role flower, as the environment was made; others would be installed.
    """

    kind: str
    flavour: str
    version: str
    flower_version: str
    flower_packages: tuple[str, ...] = ()
    flower_constraints: tuple[str, ...] = ()

    @classmethod
    def read(cls, root: Path = Path("/")) -> Image:
        """The image of this VM. Raises Trouble when it is none of ours."""
        path = root / APPLIANCE
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            image = cls(
                str(said["kind"]),
                str(said.get("flavour", "")),
                str(said.get("version", "")),
                str(said["flower_version"]),
                tuple(said.get("flower_packages", ())),
                tuple(said.get("flower_constraints", ())),
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise Trouble("CONFIGURE_FAILED", f"{path}, which the image brings, cannot be read: {error}") from error
        if image.kind not in ("superlink", "supernode"):
            raise Trouble("CONFIGURE_FAILED", f"{path} says kind {image.kind!r}; it must be superlink or supernode")
        return image


@dataclass(frozen=True)
class Addresses:
    """Global addresses of this VM's interfaces, the main one first, and the networks that they are in."""

    own: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    @property
    def main(self) -> str:
        """The address that the context gave the first interface, or the first there is. Raises Trouble for none."""
        if not self.own:
            raise Trouble("CONFIGURE_FAILED", "this VM has no address; is there a NIC in its template?", again=True)
        return self.own[0]


def addresses(context: Mapping[str, str], listed: Callable[[], str] | None = None) -> Addresses:
    """The addresses that this VM has now, as `ip -json address` lists them.

    Args:
        context: its ETH0_IP, if this VM has it, is the main one.
        listed: gives the listing.
    """
    found: list[ipaddress.IPv4Interface | ipaddress.IPv6Interface] = []
    for link in json.loads((listed or _listed)() or "[]"):
        # Of the federation's own tunnel nobody dials this VM by itself.
        if link.get("ifname") in ("lo", "fact8ra0"):
            continue
        for one in link.get("addr_info", []):
            if one.get("scope") == "global" and not one.get("temporary") and not one.get("deprecated"):
                found.append(ipaddress.ip_interface(f"{one['local']}/{one['prefixlen']}"))
    found.sort(key=lambda one: (str(one.ip) != context.get("ETH0_IP", ""), one.version))
    return Addresses(
        tuple(dict.fromkeys(str(one.ip) for one in found)), tuple(dict.fromkeys(str(one.network) for one in found))
    )


def gate(context: Mapping[str, str]) -> OneGate | None:
    """OneGate, where the context has all that it takes (TOKEN=YES in the VM template)."""
    endpoint, token, vm_id = (context.get(name, "") for name in ("ONEGATE_ENDPOINT", "TOKENTXT", "VMID"))
    return OneGate(endpoint, token, int(vm_id)) if endpoint and token and vm_id.isdigit() else None


def digest(context: Mapping[str, str]) -> str:
    """SHA-256 of what of a context is ours to follow."""
    ours = {name: value for name, value in context.items() if value and name.startswith((_PREFIX, "ETH", "ONEGATE"))}
    return hashlib.sha256(json.dumps(ours, sort_keys=True).encode()).hexdigest()


@dataclass
class Keep:
    """What this VM keeps in /var/lib/fact8ra, for root alone."""

    root: Path = Path("/")
    directory: Path = field(init=False)

    def __post_init__(self) -> None:
        self.directory = self.root / STATE

    def prepare(self) -> None:
        """Make the directory."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)

    @property
    def pki(self) -> Path:
        """pki_directory of the roles."""
        return self.directory / "pki"

    def passphrase(self) -> str:
        """The passphrase of the CA's key, made once. Raises Trouble when the CA is there and it is not."""
        path = self.directory / "ca.passphrase"
        with contextlib.suppress(FileNotFoundError):
            found = path.read_text(encoding="ascii").strip()
            if len(found) >= 8:
                return found
        if (self.pki / "ca.key").exists():
            raise Trouble(
                "CONFIGURE_FAILED",
                f"{path} is gone, without which {self.pki / 'ca.key'} cannot be used; restore it from a copy of the"
                " disk. Without one the federation needs a new CA: remove both, and pin.json on every SuperNode",
            )
        made = secrets.token_urlsafe(32)
        self.write("ca.passphrase", made + "\n")
        return made

    def tls(self, certificate: str, key: str, trust: str) -> dict[str, str]:
        """Write a certificate that the context brought; returns the variables of role pki that name the files."""
        variables = {"pki_superlink_source": "provided"}
        for name, text in (("certificate", certificate), ("key", key), ("trust", trust)):
            variables[f"pki_superlink_{name}"] = str(self.write(f"given-{name}.pem", text))
        return variables

    def applied(self) -> dict[str, Any]:
        """What the last boot applied; empty for none."""
        try:
            found = json.loads((self.directory / "applied.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def remember(self, **facts: str) -> None:
        """Add to what was applied."""
        self.write("applied.json", json.dumps(self.applied() | facts, indent=1, sort_keys=True) + "\n")

    def write(self, name: str, text: str) -> Path:
        """Write a file whole or not at all, unless it has that text; returns its path."""
        path = self.directory / name
        with contextlib.suppress(OSError):
            if path.read_text(encoding="utf-8") == text and path.stat().st_mode & 0o777 == 0o600:
                return path
        draft = path.with_name(f".{name}.new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
        return path


def variables(
    image: Image, context: Mapping[str, str], judged: Mapping[str, Any], here: Addresses, keep: Keep
) -> dict[str, Any]:
    """The variables of the roles: what the context gave, over what follows from the image and the VM."""
    made: dict[str, Any] = {
        "flower_version": image.flower_version,
        "flower_packages": list(image.flower_packages),
        "flower_constraints": list(image.flower_constraints),
        "firewall_admin_sources": list(here.networks),
        "firewall_onegate_endpoint": context.get("ONEGATE_ENDPOINT", ""),
    }
    if judged.get("appliance_log_level", "INFO") != "INFO":
        made["flower_environment"] = {"FLWR_LOG_LEVEL": judged["appliance_log_level"]}
    made |= _superlink(judged, context, here, keep) if image.kind == "superlink" else {"supernode_keys": "node"}
    # Those of the appliance itself are for this program, secrets among them, and mean nothing to the roles.
    return made | {name: value for name, value in judged.items() if not name.startswith("appliance_")}


def _superlink(judged: Mapping[str, Any], context: Mapping[str, str], here: Addresses, keep: Keep) -> dict[str, Any]:
    further = list(judged.get("appliance_superlink_names") or [])
    certificate = judged.get("appliance_tls_certificate")
    # A certificate that was brought has the names that it has.
    dialled = further if certificate else list(dict.fromkeys([*here.own, *further]))
    made: dict[str, Any] = {
        "pki_directory": str(keep.pki),
        "superlink_pki_directory": str(keep.pki),
        "pki_superlink_names": [name for name in dialled if not _is_address(name)],
        "pki_superlink_addresses": [name for name in dialled if _is_address(name)],
        "pki_supernodes": [],
        "firewall_fleet_sources": list(here.networks),
        **_join(str(judged.get("appliance_join_token") or ""), context),
        "superlink_metrics_directory": METRICS if judged.get("appliance_metrics") else "",
    }
    if certificate:
        return made | keep.tls(
            str(certificate), str(judged.get("appliance_tls_key") or ""), str(judged.get("appliance_tls_trust") or "")
        )
    return made | {"pki_ca_passphrase": keep.passphrase()}


def _join(token: str, context: Mapping[str, str]) -> dict[str, Any]:
    """How SuperNodes join: by the token, or as OneGate shows them. Raises Trouble where neither is there."""
    if token:
        return {"superlink_join": True, "superlink_join_token": token}
    if gate(context) is None:
        raise Trouble(
            "TOKEN_MISSING",
            "ONEAPP_FLOWER_JOIN_TOKEN is empty and this VM has no OneGate (TOKEN=YES in its context), so that no"
            " SuperNode could join",
            variable="ONEAPP_FLOWER_JOIN_TOKEN",
        )
    return {
        "superlink_join": True,
        "superlink_join_onegate_endpoint": context["ONEGATE_ENDPOINT"],
        "superlink_join_onegate_token": context["TOKENTXT"],
        "superlink_join_vm_id": int(context["VMID"]),
    }


def dialled(variables_: Mapping[str, Any], here: Addresses) -> str:
    """What SuperNodes of the service dial: the VM's own address, or what a certificate that was brought is for."""
    if variables_.get("pki_superlink_source") == "provided":
        names: Sequence[str] = [*variables_["pki_superlink_names"], *variables_["pki_superlink_addresses"]]
        if names:
            return names[0]
    return here.main


def reopen(run: Callable[..., Any] = subprocess.run) -> None:
    """Remove the table that lets nobody in (closed.nft), as the role firewall has made its own; no error without.

    Raises:
        Trouble: CONFIGURE_FAILED; nobody gets in as long as it is there.
    """
    # Declared first, since there is none but in a first boot.
    rules = "add table inet fact8ra_closed; delete table inet fact8ra_closed"
    try:
        run(["/usr/sbin/nft", rules], check=True, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise Trouble("CONFIGURE_FAILED", f"the firewall of the first boot cannot be removed: {said}") from error


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _listed() -> str:
    command = ["ip", "-json", "address", "show", "up"]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
