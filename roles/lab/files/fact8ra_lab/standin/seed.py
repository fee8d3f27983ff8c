# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a new site holds: OpenNebula's built-in objects, then what the configuration asks for.

``seed`` keys: ``oneadmin_password``, ``groups`` [name], ``default_vdc`` (whether groups are in it; they are by
default), ``users`` [{name, password, group}], ``acls`` [rule text], ``hosts`` [{name, cpu (per cent), mem_mb,
pci [{vendor, device, class, address, ...}], hidden [devices that no monitoring has reported yet], probe (what pci.conf
of the front-end lets through, a filter as in PCI_FILTER; all by default), pinned (whether PIN_POLICY is PINNED)}],
``images`` [{name, path, size_mb, mode}], ``marketplaces`` [{name, mad, apps [{name, source, size_mb, md5, version,
format, description, state, type, template (text)}]}], ``clusters`` [name], ``quotas`` {group name: quota template}.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from . import quotas
from .access import ALL, GROUP, INDIVIDUAL, TYPES, parse_rule
from .api.users import add_rule, allocate_group, allocate_user
from .cloud import Cloud, now, password_hash
from .config import ConfigError
from .errors import OneError
from .imagecreate import create as create_image
from .imagelife import copy_problem, finish
from .model import Acl, Cluster, Datastore, Group, Host, Image, MarketApp, Marketplace, SecurityGroup, User, Zone
from .template import Template, TemplateError, Vector, parse

_DEFAULT_GROUP_TEXT: Final = (
    "The default security group is added to every network. Use it to add default filter rules for your networks. You"
    " may remove this security group from any network by updating its properties."
)
_A100: Final[Vector] = {
    "CLASS": "0302", "CLASS_NAME": "3D controller", "DEVICE": "20b5", "DEVICE_NAME": "GA100 [A100 PCIe 80GB]",
    "DOMAIN": "0000", "FUNCTION": "0", "NUMA_NODE": "0", "SLOT": "00", "TYPE": "10de:20b5:0302", "VENDOR": "10de",
    "VENDOR_NAME": "NVIDIA Corporation",
}  # fmt: skip


def gpu(bus: str) -> Vector:
    """A PCI device on a bus, as the recorded hosts have two."""
    return _A100 | {"ADDRESS": f"0000:{bus}:00:0", "BUS": bus, "SHORT_ADDRESS": f"{bus}:00.0", "VMID": "-1"}


DEFAULT_HOSTS: Final[list[dict[str, Any]]] = [
    {"name": f"dummyhost{number}", "cpu": 800, "mem_mb": 16384, "pci": [gpu("41"), gpu("81")]} for number in (0, 1)
]


def _built_in(cloud: Cloud, password: str) -> None:
    cloud.insert(Group(0, "oneadmin"))
    cloud.insert(Group(1, "users"))
    for number, name, secret in ((0, "oneadmin", password), (1, "serveradmin", secrets.token_hex(16))):
        user = User(number, name, number, 0, password=password_hash(secret), groups=[0])
        user.template.put("TOKEN_PASSWORD", secrets.token_hex(32))
        cloud.insert(user)
    users, everyone = GROUP | 1, ALL
    create = ("VM", "IMAGE", "TEMPLATE", "DOCUMENT", "SECGROUP", "VMGROUP", "BACKUPJOB")
    built_in = [
        (users, sum(TYPES[name] for name in create) | ALL, 8, ALL),
        (everyone, TYPES["ZONE"] | ALL, 1, ALL),
        (everyone, TYPES["MARKETPLACE"] | TYPES["MARKETPLACEAPP"] | ALL, 1, ALL),
        (users, TYPES["HOST"] | ALL, 2, INDIVIDUAL),
        (users, TYPES["NET"] | ALL, 1, INDIVIDUAL),
        (users, TYPES["DATASTORE"] | ALL, 1, INDIVIDUAL),
    ]
    cloud.acls = [Acl(cloud.new_id("ACL"), *fields) for fields in built_in]
    cloud.save_acls()
    cloud.insert(Cluster(0, "default", template=Template({"RESERVED_CPU": [""], "RESERVED_MEM": [""]})))
    cloud.last_ids["CLUSTER"] = Cluster.first_id - 1
    default = SecurityGroup(0, "default", perms=[1, 1, 1, 1, 0, 0, 1, 0, 0])
    default.template.put("DESCRIPTION", _DEFAULT_GROUP_TEXT)
    for direction in ("OUTBOUND", "INBOUND"):
        default.template.add("RULE", {"PROTOCOL": "ALL", "RULE_TYPE": direction})
    cloud.insert(default)
    zone = Template({"ENDPOINT": ["http://localhost:2633/RPC2"]})
    if cloud.personality.grpc:
        zone.put("ENDPOINT_GRPC", "localhost:2634")
    cloud.insert(Zone(0, "OpenNebula", template=zone))
    _datastores(cloud)


def _datastores(cloud: Cloud) -> None:
    perms = [1, 1, 0, 1, 0, 0, 0, 0, 0]
    common = {
        "ALLOW_ORPHANS": "NO", "PERSISTENT_SNAPSHOTS": "YES", "RESTRICTED_DIRS": "/", "SAFE_DIRS": "/var/tmp",
        "TM_MAD": "dummy",
    }  # fmt: skip
    system = common | {
        "DISK_TYPE": "FILE", "DS_LIVE_MIGRATE": "YES", "DS_MIGRATE": "YES", "DS_MIGRATE_SNAP": "YES", "SHARED": "YES",
        "TYPE": "SYSTEM_DS",
    }  # fmt: skip
    images = common | {
        "CLONE_TARGET": "SYSTEM", "DISK_TYPE": "FILE", "DS_MAD": "dummy", "LN_TARGET": "NONE", "TYPE": "IMAGE_DS",
    }  # fmt: skip
    files = common | {"CLONE_TARGET": "SYSTEM", "DS_MAD": "dummy", "LN_TARGET": "NONE", "TYPE": "FILE_DS"}
    for number, name, kind, values in ((0, "system", 1, system), (1, "default", 0, images), (2, "files", 2, files)):
        template = Template({key: [value] for key, value in values.items()})
        store = Datastore(number, name, perms=list(perms), template=template, type=kind)
        if kind == 1:
            store.ds_mad, store.total_mb, store.free_mb, store.used_mb = "-", 4796800, 3333260, 1429920
        cloud.insert(store)
    cloud.last_ids["DATASTORE"] = Datastore.first_id - 1


def _device(given: dict[str, Any]) -> Vector:
    device = _A100 | {key.upper(): str(value) for key, value in given.items()}
    device.setdefault("VMID", "-1")
    if "SHORT_ADDRESS" not in device:
        bus = device.get("BUS", "01")
        device |= {"ADDRESS": f"0000:{bus}:00:0", "BUS": bus, "SHORT_ADDRESS": f"{bus}:00.0"}
    device["TYPE"] = ":".join(device[key] for key in ("VENDOR", "DEVICE", "CLASS"))
    return device


def _devices(cloud: Cloud, seed: dict[str, Any]) -> None:
    """Gives hosts the devices that they lack and takes those that are no longer asked for, but for devices in use."""
    for given in seed.get("hosts", []):
        host = cloud.by_name(Host, given["name"])
        if host is None or "pci" not in given:
            continue
        wanted = {device["ADDRESS"]: device for device in map(_device, given["pci"])}
        kept = [device for device in host.pci if device["ADDRESS"] in wanted or device["VMID"] != "-1"]
        known = {device["ADDRESS"] for device in kept}
        host.pci = kept + [device for address, device in wanted.items() if address not in known]
        host.bus = [dict(device) for device in host.pci]
        cloud.touch(host)


def _image(cloud: Cloud, given: dict[str, Any]) -> None:
    template = Template({"NAME": [given["name"]], "TYPE": ["OS"], "PATH": [str(given.get("path", "/etc/hostname"))]})
    template.put("SIZE", str(given.get("size_mb", 1024)))
    image = create_image(cloud, 0, 0, template, 1)
    mode = str(given.get("mode", "600"))
    finish(image, copy_problem(image))
    image.perms = [int(digit) >> shift & 1 for digit in mode[-3:] for shift in (2, 1, 0)]
    cloud.touch(image)


def _images(cloud: Cloud, seed: dict[str, Any]) -> None:
    """Makes oneadmin's images that are not there yet; one that is gets the path that is asked for now."""
    for given in seed.get("images", []):
        image = cloud.by_name(Image, given["name"], 0)
        if image is None:
            _image(cloud, given)
        elif given.get("path", image.path) != image.path:
            image.path = str(given["path"])
            cloud.touch(image)


def _market(cloud: Cloud, given: dict[str, Any]) -> None:
    everyone = [1, 1, 0, 1, 0, 0, 1, 0, 0]
    market = Marketplace(cloud.new_id("MARKETPLACE"), str(given["name"]), perms=list(everyone))
    market.mad = str(given.get("mad", "one"))
    market.template.put("MARKET_MAD", market.mad)
    cloud.insert(market)
    for entry in given.get("apps", []):
        app = MarketApp(cloud.new_id("MARKETPLACEAPP"), str(entry["name"]), perms=list(everyone), market_id=market.id)
        app.template = parse(str(entry.get("template", "")))
        app.source, app.size = str(entry["source"]), int(entry.get("size_mb", 1024))
        for key in ("md5", "version", "format", "description"):
            setattr(app, key, str(entry.get(key, getattr(app, key))))
        app.state, app.type, app.regtime = int(entry.get("state", 1)), int(entry.get("type", 1)), now()
        cloud.insert(app)


def _tenants(cloud: Cloud, seed: dict[str, Any]) -> None:
    """Makes groups, users and rules that are not there yet."""
    for name in seed.get("groups", []):
        if cloud.by_name(Group, name) is None:
            allocate_group(cloud, name, bool(seed.get("default_vdc", True)))
    groups = {group.name: group.id for group in cloud.pool(Group).values()}
    for given in seed.get("users", []):
        if given.get("group", "users") not in groups:
            raise ConfigError(f"seed user {given['name']!r}: group {given['group']!r} is not in seed groups")
        if cloud.by_name(User, given["name"]) is None:
            allocate_user(cloud, given["name"], given["password"], [groups[given.get("group", "users")]])
    users = {user.name: user.id for user in cloud.pool(User).values()}
    known = {(rule.user, rule.resource, rule.rights, rule.zone) for rule in cloud.acls}
    for text in seed.get("acls", []):
        fields = parse_rule(text, users, groups)
        if fields not in known:
            add_rule(cloud, *fields)


def apply(cloud: Cloud) -> None:
    """Fills an empty cloud. One that was filled before keeps what it has, and gets users, devices and images it lacks.

    Raises ConfigError.
    """
    seed = cloud.config.seed
    try:
        with cloud.change():
            if cloud.pool(User):
                _tenants(cloud, seed)
                _devices(cloud, seed)
                _images(cloud, seed)
                return
            _built_in(cloud, str(seed.get("oneadmin_password") or secrets.token_hex(16)))
            for name in seed.get("clusters", []):
                cloud.insert(Cluster(cloud.new_id("CLUSTER", Cluster.first_id), str(name)))
            for given in seed.get("hosts", DEFAULT_HOSTS):
                host = Host(cloud.new_id("HOST"), given["name"], mad=given.get("mad", "dummy"))
                host.cpu, host.mem_kb = int(given.get("cpu", 800)), int(given.get("mem_mb", 16384)) * 1024
                host.pci = [_device(device) for device in given.get("pci", [])]
                if given.get("pinned"):
                    host.template.put("PIN_POLICY", "PINNED")
                host.bus = [dict(device) for device in host.pci] + [_device(each) for each in given.get("hidden", [])]
                host.probe = str(given.get("probe", ""))
                cloud.insert(host)
            _tenants(cloud, seed)
            groups = {group.name: group.id for group in cloud.pool(Group).values()}
            for name, text in seed.get("quotas", {}).items():
                quotas.update(cloud.pool(Group)[groups[name]], parse(text))
            _images(cloud, seed)
            for given in seed.get("marketplaces", []):
                _market(cloud, given)
    except KeyError as error:
        raise ConfigError(f"seed: the key {error} is missing") from error
    except (OneError, TemplateError) as error:
        raise ConfigError(f"seed: {error}") from error
    except ConfigError:
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"seed cannot be used: {error}") from error
