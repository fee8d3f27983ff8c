# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The XML-RPC methods as one table: called by clients over HTTP and by OneFlow within the process."""

from __future__ import annotations

import inspect
from typing import Any, Final, TypeVar

from .access import Caller
from .api.base import Handler
from .api.documents import DocumentApi
from .api.images import ImageApi
from .api.infra import ClusterApi, DatastoreApi, HostApi, SystemApi, ZoneApi
from .api.markets import MarketAppApi, MarketplaceApi
from .api.secgroups import SecurityGroupApi
from .api.users import AclApi, GroupApi, UserApi
from .api.vms import VmApi
from .api.vmtemplates import VMTemplateApi
from .api.vnets import VNetApi
from .api.vntemplates import VNTemplateApi
from .cloud import Cloud
from .errors import AUTHENTICATION, INTERNAL, RPC_API, CallError, OneError
from .faults import Faults
from .hostlife import HostLife
from .imagelife import ImageLife
from .model import VM, Host, Image, Resource, SecurityGroup, VNet
from .netlife import NetLife
from .seclife import SecurityGroupLife
from .vmlife import VmLife

R = TypeVar("R", bound=Resource)
_UNAUTHENTICATED: Final = OneError(AUTHENTICATION, "User couldn't be authenticated, aborting call.")


class Rpc:
    """All methods by name."""

    def __init__(
        self,
        cloud: Cloud,
        life: VmLife,
        nets: NetLife,
        images: ImageLife,
        groups: SecurityGroupLife,
        hosts: HostLife,
        faults: Faults,
    ) -> None:
        self.cloud = cloud
        self.life = life
        self.nets = nets
        self.images = images
        self.groups = groups
        self.hosts = hosts
        self.faults = faults
        self.methods: dict[str, Handler] = {}
        image_api = ImageApi(cloud)
        for api in (
            SystemApi(cloud), UserApi(cloud), GroupApi(cloud), AclApi(cloud), VNetApi(cloud), VNTemplateApi(cloud),
            SecurityGroupApi(cloud), image_api, VMTemplateApi(cloud, image_api), VmApi(cloud, life), HostApi(cloud),
            ClusterApi(cloud), DatastoreApi(cloud), ZoneApi(cloud), DocumentApi(cloud), MarketplaceApi(cloud),
            MarketAppApi(cloud),
        ):  # fmt: skip
            self.methods.update(api.methods())
        self._signatures = {name: inspect.signature(handler) for name, handler in self.methods.items()}

    def login(self, method: str, session: str) -> Caller:
        """The caller of a session. Raises CallError."""
        with self.cloud.lock:
            caller = self.cloud.login(session)
        if caller is None:
            raise CallError(method, _UNAUTHENTICATED)
        return caller

    def _refuse(self, method: str) -> None:
        fault = self.faults.active("refuse", method)
        if fault:
            text = str(fault.options.get("text", "refused on request"))
            raise CallError(method, OneError(int(fault.options.get("code", INTERNAL)), text))

    def read(self, caller: Caller, method: str, kind: type[R], number: int) -> R:
        """The object that an ``info`` method would show, without its XML. Raises CallError."""
        self._refuse(method)
        try:
            with self.cloud.lock:
                return self.cloud.shown(caller, kind, number)
        except OneError as error:
            raise CallError(method, error) from error

    def call(self, caller: Caller, method: str, *params: Any) -> Any:
        """Calls a method. Raises CallError with the answer's code and text."""
        self._refuse(method)
        try:
            try:
                self._signatures[method].bind(caller, *params)
            except TypeError as error:
                raise OneError(RPC_API, f"Wrong parameters: {error}") from error
            with self.cloud.change():
                result = self.methods[method](caller, *params)
                self._follow(method, result)
        except OneError as error:
            raise CallError(method, error) from error
        return result

    def _follow(self, method: str, result: Any) -> None:
        """Starts what goes on by itself after a call."""
        if method in ("one.template.instantiate", "one.vm.allocate"):
            if self.cloud.find(VM, result).state == 1:
                self.life.schedule()
        elif method in ("one.vn.allocate", "one.vn.reserve", "one.vntemplate.instantiate", "one.vn.delete"):
            self.nets.watch(self.cloud.find(VNet, result))
        elif method in ("one.image.allocate", "one.image.clone", "one.image.delete"):
            image = self.cloud.pool(Image).get(result)
            if image:
                self.images.watch(image)
        elif method in ("one.template.clone", "one.template.delete"):
            for image in self.cloud.pool(Image).values():
                self.images.watch(image)
        elif method in ("one.secgroup.update", "one.secgroup.commit"):
            self.groups.watch(self.cloud.find(SecurityGroup, result))
        elif method == "one.host.status":
            self.hosts.watch(self.cloud.find(Host, result))
            self.life.schedule()
