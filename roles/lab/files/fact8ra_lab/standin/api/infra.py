# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Hosts, clusters, datastores, zones and the system's own calls: mostly read."""

from __future__ import annotations

from typing import Any, Final

from ..access import ADMIN, Caller, Request
from ..cloud import Cloud
from ..errors import AUTHORIZATION, INTERNAL, OneError
from ..hostlife import DISABLED, INIT, MONITORED, OFFLINE
from ..model import Cluster, Datastore, Host, Image, VNet, Zone
from ..template import Template
from ..vmplace import host_usage
from ..xmlout import field, header_xml, ids_xml, text_field
from . import hostxml
from .base import Handler, PoolApi

_NO_OWNER: Final = ("chmod", "chown", "lock", "unlock")


def _without(known: dict[str, Handler], prefix: str, *names: str) -> dict[str, Handler]:
    for name in names:
        del known[f"{prefix}.{name}"]
    return known


class HostApi(PoolApi[Host]):
    prefix, pool_prefix, kind = "one.host", "one.hostpool", Host

    def methods(self) -> dict[str, Handler]:
        return _without(super().methods(), "one.host", "delete", *_NO_OWNER) | {"one.host.status": self.status}

    def _render(self, host: Host, monitoring: str) -> str:
        cluster = self.cloud.pool(Cluster)[host.cluster_id]
        memory, cpu = host_usage(self.cloud, host)
        template = hostxml.template(host)
        template.merge(host.template)
        return (
            f"<HOST>{field('ID', host.id)}{field('NAME', host.name)}{field('STATE', host.state)}"
            f"{field('PREV_STATE', host.state)}{text_field('IM_MAD', host.mad)}{text_field('VM_MAD', host.mad)}"
            f"{field('CLUSTER_ID', host.cluster_id)}{field('CLUSTER', cluster.name)}<HOST_SHARE>"
            f"{field('MEM_USAGE', memory)}{field('CPU_USAGE', cpu)}"
            f"{field('TOTAL_MEM', host.mem_kb)}{field('TOTAL_CPU', host.cpu)}"
            f"{field('MAX_MEM', host.mem_kb)}{field('MAX_CPU', host.cpu)}{field('RUNNING_VMS', len(host.vms))}"
            f"<VMS_THREAD>1</VMS_THREAD>{hostxml.datastores()}{hostxml.pci_devices(host)}{hostxml.numa_nodes(host)}"
            f"</HOST_SHARE>{ids_xml('VMS', sorted(host.vms))}{template.xml()}{monitoring}</HOST>"
        )

    def xml(self, item: Host, caller: Caller) -> str:
        return self._render(item, hostxml.monitoring(item, host_usage(self.cloud, item)))

    def pool_xml(self, item: Host) -> str:
        return self._render(item, "<MONITORING/>")

    def pool_info(self, caller: Caller, *_: Any) -> str:
        hosts = self.cloud.visible(caller, Host, -2)
        return f"<HOST_POOL>{''.join(self.pool_xml(host) for host in hosts)}</HOST_POOL>"

    def update(self, caller: Caller, number: int, text: str, kind: int = 0) -> int:
        """Source: HostAPI asks for ADMIN, where other objects ask for MANAGE."""
        self.cloud.allowed(caller, Host, number, ADMIN)
        return super().update(caller, number, text, kind)

    def status(self, caller: Caller, number: int, status: int) -> int:
        """Source: HostAPI::status, Host::enable: one that was offline is monitored again first."""
        host = self.cloud.allowed(caller, Host, number, ADMIN)
        host.unmonitored = host.unmonitored or host.state == OFFLINE or status == 2
        states = {0: INIT if host.unmonitored else MONITORED, 1: DISABLED, 2: OFFLINE}
        if status not in states:
            raise OneError(INTERNAL, f"Wrong status code: {status}")
        host.state = states[status]
        self.cloud.touch(host)
        return number


class ClusterApi(PoolApi[Cluster]):
    prefix, pool_prefix, kind = "one.cluster", "one.clusterpool", Cluster

    def methods(self) -> dict[str, Handler]:
        return _without(super().methods(), "one.cluster", "delete", *_NO_OWNER) | {
            "one.cluster.addvnet": self.addvnet,
            "one.cluster.delvnet": self.delvnet,
        }

    def pool_xml(self, item: Cluster) -> str:
        hosts = [host.id for host in self.cloud.pool(Host).values() if host.cluster_id == item.id]
        nets = [net.id for net in self.cloud.pool(VNet).values() if item.id in net.cluster_ids]
        stores = list(self.cloud.pool(Datastore)) if item.id == 0 else []
        return (
            f"<CLUSTER>{field('ID', item.id)}{field('NAME', item.name)}{ids_xml('HOSTS', sorted(hosts))}"
            f"{ids_xml('DATASTORES', sorted(stores))}{ids_xml('VNETS', sorted(nets))}{item.template.xml()}</CLUSTER>"
        )

    def pool_info(self, caller: Caller, *_: Any) -> str:
        clusters = self.cloud.visible(caller, Cluster, -2)
        return f"<CLUSTER_POOL>{''.join(self.pool_xml(cluster) for cluster in clusters)}</CLUSTER_POOL>"

    def _change_net(self, caller: Caller, number: int, net_id: int, member: bool) -> int:
        """Source: ClusterAPI::action_generic; a network that is there already, or is not, is no error."""
        cluster, net = self.cloud.find(Cluster, number), self.cloud.find(VNet, net_id)
        self.cloud.authorize(caller, Request(ADMIN, "CLUSTER", cluster), Request(ADMIN, "NET", net))
        if (number in net.cluster_ids) != member:
            ids = {*net.cluster_ids, number} if member else set(net.cluster_ids) - {number}
            net.cluster_ids = sorted(ids)
            self.cloud.touch(net)
        return number

    def addvnet(self, caller: Caller, number: int, net_id: int) -> int:
        return self._change_net(caller, number, net_id, True)

    def delvnet(self, caller: Caller, number: int, net_id: int) -> int:
        return self._change_net(caller, number, net_id, False)


class DatastoreApi(PoolApi[Datastore]):
    prefix, pool_prefix, kind = "one.datastore", "one.datastorepool", Datastore

    def methods(self) -> dict[str, Handler]:
        return _without(super().methods(), "one.datastore", "delete", "lock", "unlock")

    def pool_xml(self, item: Datastore) -> str:
        images = [image.id for image in self.cloud.pool(Image).values() if image.datastore_id == item.id]
        return (
            f"<DATASTORE>{header_xml(self.cloud, item)}{text_field('DS_MAD', item.ds_mad)}"
            f"{text_field('TM_MAD', item.tm_mad)}{text_field('BASE_PATH', f'/var/lib/one//datastores/{item.id}')}"
            f"{field('TYPE', item.type)}<DISK_TYPE>0</DISK_TYPE><STATE>0</STATE>{ids_xml('CLUSTERS', item.clusters)}"
            f"{field('TOTAL_MB', item.total_mb)}{field('FREE_MB', item.free_mb)}{field('USED_MB', item.used_mb)}"
            f"{ids_xml('IMAGES', sorted(images))}{item.template.xml()}</DATASTORE>"
        )

    def pool_info(self, caller: Caller, *_: Any) -> str:
        stores = self.cloud.visible(caller, Datastore, -2)
        return f"<DATASTORE_POOL>{''.join(self.pool_xml(store) for store in stores)}</DATASTORE_POOL>"


class ZoneApi(PoolApi[Zone]):
    prefix, pool_prefix, kind = "one.zone", "one.zonepool", Zone

    def methods(self) -> dict[str, Handler]:
        return _without(super().methods(), "one.zone", "delete", *_NO_OWNER)

    def pool_xml(self, item: Zone) -> str:
        return (
            f"<ZONE>{field('ID', item.id)}{field('NAME', item.name)}<STATE>0</STATE>{item.template.xml()}"
            "<SERVER_POOL></SERVER_POOL></ZONE>"
        )

    def pool_info(self, caller: Caller, *_: Any) -> str:
        zones = "".join(self.pool_xml(zone) for zone in self.cloud.visible(caller, Zone, -2))
        return f"<ZONE_POOL>{zones}</ZONE_POOL>"


class SystemApi:
    """The version; a configuration is not shown."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def methods(self) -> dict[str, Handler]:
        """All methods by their full names."""
        return {"one.system.version": self.version, "one.system.config": self.config}

    def version(self, caller: Caller) -> str:
        return self.cloud.personality.version

    def config(self, caller: Caller) -> str:
        if not caller.admin:
            raise OneError(AUTHORIZATION, f"User [{caller.uid}] : not authorized to perform action on -.")
        template = Template({"DEFAULT_UMASK": ["177"], "DEFAULT_DEVICE_PREFIX": ["sd"], "DEFAULT_IMAGE_TYPE": ["OS"]})
        return template.xml("OPENNEBULA_CONFIGURATION")
