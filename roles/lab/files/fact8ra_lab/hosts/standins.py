# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The stand-in OpenNebula of every site as a background process: its secrets, configuration, start and stop."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import secrets
import string
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import processes
from ._system import LabError, Paths, in_netns, require, run, write_file
from .network import Site
from .segments import ONEGATE_PORT

PORTS = {"xmlrpc": 2633, "oneflow": 2474, "onegate": ONEGATE_PORT}
START_SECONDS = 30
PASSWORD_LENGTH = 32
_PACKAGE = Path(__file__).resolve().parents[1]
_DEVICE = re.compile(
    r"([a-z][a-z0-9]*)=([0-9a-f]{4}):([0-9a-f]{4}):([0-9a-f]{4})@([0-9a-f]{2})/([0-9]{1,2})", re.IGNORECASE
)
_TENANT = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_VERSION_CALL = (
    "<?xml version='1.0'?><methodCall><methodName>one.system.version</methodName><params>"
    "<param><value><string>none:none</string></value></param></params></methodCall>"
)


@dataclass(frozen=True)
class Device:
    """A PCI device of a site's one OpenNebula host, in the books only: the lab's VMs see no device.

    Ids are hexadecimal; `bus` is that of the address BUS:00.0, `node` the NUMA node.
    """

    site: str
    vendor: str
    device: str
    class_: str
    bus: str
    node: str

    @classmethod
    def parse(cls, text: str) -> Device:
        """Return the device of `SITE=VENDOR:DEVICE:CLASS@BUS/NODE`, for example `alpha=10de:20b5:0302@41/0`."""
        match = _DEVICE.fullmatch(text)
        if not match:
            raise LabError(
                f"device `{text}` is not SITE=VENDOR:DEVICE:CLASS@BUS/NODE, such as alpha=10de:20b5:0302@41/0"
            )
        return cls(*match.groups())

    def seed(self) -> dict[str, str]:
        """Return the device as the stand-in's configuration has it."""
        ids = {"vendor": self.vendor, "device": self.device, "class": self.class_}
        return {**ids, "bus": self.bus, "numa_node": self.node}


@dataclass(frozen=True)
class Image:
    """A further image: its VMs boot the tree `rootfs`, a root file system with the lab's context, not the base."""

    name: str
    rootfs: Path

    @classmethod
    def parse(cls, text: str) -> Image:
        """Return the image of `NAME=DIRECTORY`. Raises LabError when it is none, or the tree is not there."""
        name, sign, rootfs = text.partition("=")
        if not sign or not name or not rootfs.startswith("/"):
            raise LabError(f"image `{text}` is not NAME=DIRECTORY with an absolute path")
        if re.search(r"[,:\\\s]", rootfs):
            raise LabError(f"image {name}: {rootfs} has a comma, colon, backslash or space, which no overlay takes")
        if not (Path(rootfs) / "usr/local/sbin/one-context").is_file():
            raise LabError(
                f"image {name}: {rootfs} is no root file system with the lab's context; build it on the lab's base"
            )
        return cls(name, Path(rootfs))


@dataclass(frozen=True)
class Cloud:
    """What every stand-in offers: tenants, images, and the size of its one host.

    A tenant is a user in a group of the same name, with the rights that a federation needs (docs/tenants.md).
    """

    tenant: str = "flower"
    image: str = "flower-debian-12"
    image_mb: int = 2048
    cpus: int = 16
    memory_mb: int = 32768
    more_tenants: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    more_images: tuple[Image, ...] = ()

    def __post_init__(self) -> None:
        for name in self.tenants:
            if not _TENANT.fullmatch(name) or name in ("oneadmin", "serveradmin", "users"):
                raise LabError(
                    f"tenant `{name}`: 1 to 32 of a-z, 0-9, - and _, a letter first, and no name of OpenNebula's own"
                )
        if len(set(self.tenants)) < len(self.tenants):
            raise LabError(f"tenants {', '.join(self.tenants)}: names must differ from each other")
        images = [self.image, *(image.name for image in self.more_images)]
        if len(set(images)) < len(images):
            raise LabError(f"images {', '.join(images)}: names must differ from each other")

    @property
    def tenants(self) -> tuple[str, ...]:
        """Every tenant's name."""
        return self.tenant, *self.more_tenants


class StandIns:
    """The stand-ins of one lab."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def up(self, sites: Sequence[Site], cloud: Cloud, *, check: bool = False) -> dict[str, Any]:
        """Write keys, passwords and configurations, start what does not run, wait until all answer.

        A stand-in whose configuration or code changed is started again; its state is on disk. Returns `changed` and
        what is where, without secrets. Raises LabError with the end of the log of one that does not answer.
        """
        if check:
            changed = not self._key.exists() or any(not self._runs_current(site) for site in sites)
            return {"changed": changed, **self.describe(sites, cloud)}
        require("nsenter", "ssh-keygen")
        changed = self._ensure_key()
        for site in sites:
            changed |= self._configure(site, cloud)
        for site in sites:
            changed |= self._start(site)
        with ThreadPoolExecutor(max_workers=len(sites)) as pool:
            list(pool.map(self._wait, sites))
        return {"changed": changed, **self.describe(sites, cloud)}

    def down(self, *, check: bool = False) -> bool:
        """Stop every stand-in of this lab; returns whether one ran."""
        files = sorted(self._paths.state.glob("sites/*/standin.pid"))
        if check:
            return any(processes.running(file) is not None for file in files)
        with ThreadPoolExecutor(max_workers=8) as pool:
            return any(list(pool.map(processes.stop, files)))

    def describe(self, sites: Sequence[Site], cloud: Cloud) -> dict[str, Any]:
        """Return where everything is, for people and playbooks."""
        return {
            "ssh_key": str(self._key),
            "tenant": cloud.tenant,
            "tenants": cloud.tenants,
            "image": cloud.image,
            "images": {image.name: str(image.rootfs) for image in cloud.more_images},
            "sites": {
                site.name: {
                    "endpoint": f"http://{site.gateway}:{PORTS['xmlrpc']}/RPC2",
                    "flow_endpoint": f"http://{site.gateway}:{PORTS['oneflow']}",
                    "gate_endpoint": f"http://{site.gateway}:{PORTS['onegate']}",
                    "password_files": [str(self._directory(site) / f"{user}.password") for user in self._users(cloud)],
                    "log": str(self._directory(site) / "standin.log"),
                    "running": processes.running(self._pid_file(site)) is not None,
                }
                for site in sites
            },
        }

    @property
    def _key(self) -> Path:
        return self._paths.state / "ssh/id_ed25519"

    def _directory(self, site: Site) -> Path:
        return self._paths.state / "sites" / site.name

    def _pid_file(self, site: Site) -> Path:
        return self._directory(site) / "standin.pid"

    def _config_file(self, site: Site) -> Path:
        return self._directory(site) / "standin.json"

    @staticmethod
    def _users(cloud: Cloud) -> tuple[str, ...]:
        return "oneadmin", *cloud.tenants

    def _ensure_key(self) -> bool:
        self._key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._key.exists() and self._key.with_suffix(".pub").exists():
            return False
        self._key.unlink(missing_ok=True)  # half a pair, of an interrupted start
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "fact8ra-lab", "-f", str(self._key)])
        return True

    def _password(self, site: Site, user: str) -> str:
        path = self._directory(site) / f"{user}.password"
        if not path.exists():
            letters = string.ascii_letters + string.digits
            write_file(path, "".join(secrets.choice(letters) for _unused in range(PASSWORD_LENGTH)), 0o600)
        return path.read_text()

    def _configure(self, site: Site, cloud: Cloud) -> bool:
        devices = [device.seed() for device in cloud.devices if device.site == site.name]
        host = {"name": f"{site.name}-host-0", "cpu": cloud.cpus * 100, "mem_mb": cloud.memory_mb, "pci": devices}
        passwords = {user: self._password(site, user) for user in self._users(cloud)}
        config: Mapping[str, Any] = {
            "name": site.name,
            "state_dir": str(self._directory(site) / "standin"),
            "bind": str(site.gateway),
            "ports": PORTS,
            "driver": "nspawn",
            "driver_options": {
                "site": site.name,
                "state": str(self._paths.state),
                "cache": str(self._paths.cache),
                "rootfs": [str(image.rootfs) for image in cloud.more_images],
            },
            "seed": {
                "oneadmin_password": passwords["oneadmin"],
                "groups": list(cloud.tenants),
                "default_vdc": False,
                "users": [{"name": name, "password": passwords[name], "group": name} for name in cloud.tenants],
                "acls": [rule for name in cloud.tenants for rule in _rights(name, bool(devices))],
                "images": [
                    {"name": cloud.image, "size_mb": cloud.image_mb, "mode": "644"},
                    *(
                        {"name": image.name, "path": str(image.rootfs), "size_mb": cloud.image_mb, "mode": "644"}
                        for image in cloud.more_images
                    ),
                ],
                "hosts": [host],
            },
        }
        return write_file(self._config_file(site), json.dumps(config, indent=2) + "\n", 0o600)

    def _version(self, site: Site) -> str:
        """Return a digest of everything that the running process read: its configuration and the package."""
        digest = hashlib.sha256()
        for path in [self._config_file(site), *sorted(_PACKAGE.rglob("*.py"))]:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def _runs_current(self, site: Site) -> bool:
        version = self._directory(site) / "standin.version"
        return (
            processes.running(self._pid_file(site)) is not None
            and self._config_file(site).exists()
            and version.exists()
            and version.read_text() == self._version(site)
        )

    def _start(self, site: Site) -> bool:
        if self._runs_current(site):
            return False
        processes.stop(self._pid_file(site))
        command = [*in_netns(site.netns), sys.executable, "-m", "fact8ra_lab.standin"]
        processes.start(
            self._pid_file(site),
            self._directory(site) / "standin.log",
            [*command, "--config", str(self._config_file(site))],
            {"PYTHONPATH": str(_PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        write_file(self._directory(site) / "standin.version", self._version(site))
        return True

    def _wait(self, site: Site) -> None:
        end = time.monotonic() + START_SECONDS
        while not _answers(str(site.gateway), PORTS["xmlrpc"]):
            stopped = processes.running(self._pid_file(site)) is None
            if stopped or time.monotonic() > end:
                log = self._directory(site) / "standin.log"
                what = "ended" if stopped else f"does not answer within {START_SECONDS} s"
                raise LabError(f"the stand-in of site {site.name} {what}; the end of {log}:\n{processes.tail(log)}")
            time.sleep(0.05)


def _rights(tenant: str, gpus: bool) -> list[str]:
    """Return the rules of a tenant that makes its own networks, and may see the host's GPUs; see docs/tenants.md."""
    return [
        f"@{tenant} VM+NET+TEMPLATE+DOCUMENT+SECGROUP/* CREATE *",
        f"@{tenant} CLUSTER/#0 ADMIN *",
        f"@{tenant} HOST/* {'USE+MANAGE' if gpus else 'MANAGE'} *",
        f"@{tenant} DATASTORE/* USE *",
    ]


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("POST", "/RPC2", _VERSION_CALL, {"Content-Type": "text/xml"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
