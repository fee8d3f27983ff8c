# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""One site: its state, its life and its servers, put together."""

from __future__ import annotations

import ssl
from pathlib import Path

from . import drivers, seed
from .clock import Clock
from .cloud import Cloud
from .config import Config, ConfigError
from .faults import Faults
from .flow.lcm import Lcm
from .flow.rest import FlowRest
from .gate import Gate
from .hostlife import HostLife
from .imagelife import ImageLife
from .netlife import NetLife
from .rpc import Rpc
from .seclife import SecurityGroupLife
from .server import ApiServer
from .store import Store
from .vmlife import VmLife


class Site:
    """A stand-in for one OpenNebula front-end."""

    def __init__(self, config: Config, driver: drivers.Driver | None = None) -> None:
        self.config = config
        path: Path | None = None
        if config.state_dir:
            directory = Path(config.state_dir)
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = directory / "state.sqlite"
            path.touch(mode=0o600)
        self.store = Store(path)
        self.cloud = Cloud(self.store, config)
        seed.apply(self.cloud)
        self.faults = Faults()
        self.clock = Clock()
        driver = driver or drivers.load(config.driver, config.driver_options)
        self.life = VmLife(self.cloud, driver, self.clock, self.faults)
        self.nets = NetLife(self.cloud, self.clock, self.faults)
        self.images = ImageLife(self.cloud, self.clock, self.faults, self.life.schedule)
        self.hosts = HostLife(self.cloud, self.clock, self.life.schedule)
        self.groups = SecurityGroupLife(self.cloud, self.clock, self.faults, self.life)
        self.rpc = Rpc(self.cloud, self.life, self.nets, self.images, self.groups, self.hosts, self.faults)
        self.lcm = Lcm(self.cloud, self.rpc, self.clock)
        self.flow = FlowRest(self.cloud, self.rpc, self.lcm, self.clock)
        self.gate = Gate(self.cloud, self.rpc, self.lcm, self.faults)
        self.cloud.on_change = self.lcm.wake
        self._servers: dict[str, ApiServer] = {}

    def start(self) -> None:
        """Opens the ports, takes up what was under way, begins to answer. Raises OSError, ConfigError."""
        tls: ssl.SSLContext | None = None
        if self.config.tls:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            try:
                tls.load_cert_chain(self.config.tls.certificate, self.config.tls.key)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"tls certificate {self.config.tls.certificate} with key {self.config.tls.key}: {error}"
                ) from error
        for api in ("xmlrpc", "oneflow", "onegate"):
            self._servers[api] = ApiServer(self, api, (self.config.bind, self.config.ports[api]), tls)
        self.cloud.gate_endpoint = self.gate_endpoint
        self.clock.start()
        self.life.reconcile()
        self.nets.reconcile()
        self.hosts.reconcile()
        self.images.reconcile()
        self.groups.reconcile()
        self.lcm.reconcile()
        for server in self._servers.values():
            server.start()

    def stop(self) -> None:
        """Closes everything; machines keep running."""
        self.faults.clear()
        self.life.close()
        self.clock.stop()
        for server in self._servers.values():
            server.stop()
        with self.cloud.lock:
            self.store.close()

    @property
    def endpoint(self) -> str:
        """The address of XML-RPC."""
        return f"{self._servers['xmlrpc'].endpoint}/RPC2"

    @property
    def flow_endpoint(self) -> str:
        """The address of OneFlow."""
        return self._servers["oneflow"].endpoint

    @property
    def gate_endpoint(self) -> str:
        """The address of OneGate."""
        return self._servers["onegate"].endpoint
