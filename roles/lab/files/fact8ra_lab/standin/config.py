# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The configuration of a stand-in, as its JSON file gives it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .personality import LATEST, VERSIONS


class ConfigError(ValueError):
    """A configuration that cannot be used; the text names the key, its value and what would be right."""


@dataclass
class Timers:
    """Seconds. The defaults make a service run in well under a second with driver none."""

    #: How long a VM waits for the scheduler.
    schedule: float = 0.01
    #: How long until the scheduler tries a VM again that no host could take (SCHED_RETRY_TIME, upstream 60 s).
    retry: float = 1.0
    #: How long a network stays in LOCK_CREATE and in LOCK_DELETE.
    network: float = 0.01
    #: How long an image stays LOCKED while it is copied, and in DELETE.
    image: float = 0.01
    #: How long it takes to monitor a host that was offline.
    host: float = 0.01
    #: How long it takes to bring new rules of a security group to one VM.
    secgroup: float = 0.01
    #: How long a VM stays in RUNNING after poweroff, and in POWEROFF after resume, before it changes.
    action: float = 0.01
    #: How long a VM stays in SHUTDOWN.
    shutdown: float = 0.02
    #: OneFlow looks at its services this often.
    poll: float = 0.01
    #: How often machines of a real driver are looked at; one that died makes its VM POWEROFF.
    monitor: float = 2.0
    #: Default of roles without one (upstream's default is 300).
    cooldown: int = 5
    #: Real seconds of a second of cooldown: unit tests make this small.
    cooldown_scale: float = 1.0


@dataclass
class Tls:
    """Files of the certificate (with chain) and of its key."""

    certificate: str
    key: str


@dataclass
class Config:
    """Everything that a stand-in is started with; see ``load`` for the file."""

    name: str = "standin"
    state_dir: str = ""  # empty: state in memory only
    bind: str = "127.0.0.1"
    ports: dict[str, int] = field(default_factory=lambda: {"xmlrpc": 0, "oneflow": 0, "onegate": 0})
    driver: str = "none"
    driver_options: dict[str, Any] = field(default_factory=dict)
    seed: dict[str, Any] = field(default_factory=dict)
    timers: Timers = field(default_factory=Timers)
    tls: Tls | None = None
    #: Whether tenants may not create networks with VNET_RESTRICTED_ATTR, VN_MAD among them, as with the oned.conf that
    #: comes with OpenNebula. A federation's tenants need a site where they may.
    restrict_networks: bool = False
    #: Which OpenNebula it is like, one of ``personality.VERSIONS``.
    version: str = LATEST.version
    log: str = ""  # empty: state_dir/standin.log
    workers: int = 8


def _section(name: str, kind: type[Any], value: Any) -> Any:
    if not isinstance(value, dict):
        raise ConfigError(f"{name} is {value!r}; it must be an object with some of {_keys(kind)}")
    unknown = set(value) - {item.name for item in fields(kind)}
    if unknown:
        raise ConfigError(f"{name} has the unknown keys {sorted(unknown)}; it knows {_keys(kind)}")
    try:
        return kind(**value)
    except TypeError as error:
        raise ConfigError(f"{name} is {value!r}: {error}") from error


def _keys(kind: type[Any]) -> str:
    return ", ".join(item.name for item in fields(kind))


def from_dict(data: dict[str, Any]) -> Config:
    """The configuration of a parsed file. Raises ConfigError."""
    config: Config = _section("the configuration", Config, data)
    if isinstance(config.timers, dict):
        config.timers = _section("timers", Timers, config.timers)
    if isinstance(config.tls, dict):
        config.tls = _section("tls", Tls, config.tls)
    if set(config.ports) != {"xmlrpc", "oneflow", "onegate"}:
        raise ConfigError(f"ports is {config.ports!r}; it must give xmlrpc, oneflow and onegate")
    if config.version not in VERSIONS:
        raise ConfigError(f"version is {config.version!r}; it must be one of {', '.join(VERSIONS)}")
    return config


def load(path: str) -> Config:
    """Reads the file. Raises ConfigError that names it."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"configuration {path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"configuration {path} must be a JSON object")
    return from_dict(data)
