# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of a stand-in. Each dumps to one JSON row of the store and loads from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

from .template import Template, Vector

#: Rights in the order of OpenNebula's permission elements.
PERMISSION_NAMES = tuple(f"{who}_{what}" for who in ("OWNER", "GROUP", "OTHER") for what in "UMA")


@dataclass
class Resource:
    """What every object has. ``kind`` is its name in ACL rules, ``label`` in error texts, ``root`` in XML."""

    kind: ClassVar[str] = ""
    label: ClassVar[str] = ""
    root: ClassVar[str] = ""
    #: The first id that the server gives; lower ones are built in.
    first_id: ClassVar[int] = 0
    #: Whether two objects of different owners may have one name; None where names need not be unique at all.
    unique_by_owner: ClassVar[bool | None] = True

    id: int
    name: str
    uid: int = 0
    gid: int = 0
    perms: list[int] = field(default_factory=lambda: [1, 1, 0, 0, 0, 0, 0, 0, 0])
    template: Template = field(default_factory=Template)
    locked: int = 0
    lock_owner: int = -1
    lock_time: int = 0

    def dump(self) -> dict[str, Any]:
        """The row of the object."""
        return asdict(self)

    @classmethod
    def load(cls, row: dict[str, Any]) -> Self:
        """The object of a row."""
        row["template"] = Template(row["template"])
        return cls(**row)

    @property
    def clusters(self) -> list[int]:
        """The ids of the clusters that hold the object."""
        return []

    @property
    def taken_by(self) -> str:
        """How an error names the object that already has a name."""
        return f"{self.kind} {self.id}"


@dataclass
class Group(Resource):
    kind: ClassVar[str] = "GROUP"
    label: ClassVar[str] = "group"
    root: ClassVar[str] = "GROUP"
    first_id: ClassVar[int] = 100
    unique_by_owner: ClassVar[bool | None] = False

    admins: list[int] = field(default_factory=list)
    #: Limits by section (VM, NETWORK, DATASTORE, IMAGE), object id ("" for VM) and metric.
    quotas: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)


@dataclass
class User(Resource):
    kind: ClassVar[str] = "USER"
    label: ClassVar[str] = "user"
    root: ClassVar[str] = "USER"
    unique_by_owner: ClassVar[bool | None] = False

    password: str = ""  # SHA-256, hexadecimal
    auth_driver: str = "core"
    enabled: bool = True
    groups: list[int] = field(default_factory=list)
    quotas: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)


@dataclass
class Acl:
    """One rule: bit fields as OpenNebula stores them."""

    id: int
    user: int
    resource: int
    rights: int
    zone: int


@dataclass
class AddressRange:
    """An address range: attributes without the computed ones; leases by index, each a kind (VM, NET) and an id."""

    id: int
    attributes: Vector
    leases: dict[int, list[Any]] = field(default_factory=dict)
    next_index: int = 0
    parent_ar: int = -1

    @classmethod
    def load(cls, row: dict[str, Any]) -> AddressRange:
        row["leases"] = {int(index): lease for index, lease in row["leases"].items()}
        return cls(**row)

    @property
    def size(self) -> int:
        """The number of addresses."""
        return int(self.attributes["SIZE"])

    @property
    def kind(self) -> str:
        """The type, e.g. IP4_6."""
        return self.attributes["TYPE"].upper()


@dataclass
class VNet(Resource):
    kind: ClassVar[str] = "NET"
    label: ClassVar[str] = "virtual network"
    root: ClassVar[str] = "VNET"

    state: int = 2
    prev_state: int = 2
    parent: int = -1
    template_id: int = -1
    vn_mad: str = ""
    bridge: str = ""
    bridge_type: str = "linux"
    phydev: str = ""
    vlan_id: str = ""
    outer_vlan_id: str = ""
    vlan_auto: bool = False
    outer_auto: bool = False
    cluster_ids: list[int] = field(default_factory=lambda: [0])
    ars: list[AddressRange] = field(default_factory=list)
    vms: list[int] = field(default_factory=list)

    @classmethod
    def load(cls, row: dict[str, Any]) -> Self:
        row["ars"] = [AddressRange.load(ar) for ar in row["ars"]]
        return super().load(row)

    @property
    def clusters(self) -> list[int]:
        return self.cluster_ids

    @property
    def used(self) -> int:
        """The number of leases."""
        return sum(len(ar.leases) for ar in self.ars)

    def next_ar(self) -> int:
        """The id of the next range."""
        return max((ar.id for ar in self.ars), default=-1) + 1


@dataclass
class VNTemplate(Resource):
    kind: ClassVar[str] = "VNTEMPLATE"
    label: ClassVar[str] = "virtual network template"
    root: ClassVar[str] = "VNTEMPLATE"

    regtime: int = 0


@dataclass
class SecurityGroup(Resource):
    kind: ClassVar[str] = "SECGROUP"
    label: ClassVar[str] = "security group"
    root: ClassVar[str] = "SECURITY_GROUP"
    first_id: ClassVar[int] = 100

    #: The VMs that have the rules, and those that wait for new ones, get them, or did not get them.
    vms: list[int] = field(default_factory=list)
    outdated: list[int] = field(default_factory=list)
    updating: list[int] = field(default_factory=list)
    error: list[int] = field(default_factory=list)

    def all_vms(self) -> set[int]:
        """Every VM that uses the group."""
        return {*self.vms, *self.outdated, *self.updating, *self.error}

    def commit(self, recover: bool) -> None:
        """Has the rules brought to all VMs, or with ``recover`` to those that lack them."""
        moved = {*self.outdated, *self.updating, *self.error} | (set() if recover else set(self.vms))
        self.outdated, self.updating, self.error = sorted(moved), [], []
        self.vms = [number for number in self.vms if number not in moved]

    def drop_vm(self, number: int) -> None:
        """Forgets a VM that ended."""
        for name in ("vms", "outdated", "updating", "error"):
            setattr(self, name, [known for known in getattr(self, name) if known != number])

    @property
    def taken_by(self) -> str:
        return f"SecurityGroup {self.id}"


@dataclass
class Image(Resource):
    kind: ClassVar[str] = "IMAGE"
    label: ClassVar[str] = "image"
    root: ClassVar[str] = "IMAGE"

    type: int = 0
    persistent: int = 0
    regtime: int = 0
    modtime: int = 0
    source: str = ""
    path: str = ""
    format: str = ""
    fs: str = ""
    size: int = 0  # MB
    state: int = 4
    prev_state: int = 0
    datastore_id: int = 1
    vms: list[int] = field(default_factory=list)
    #: The image that this one is being copied from, and those being copied from this one.
    cloning_id: int = -1
    clones: list[int] = field(default_factory=list)


@dataclass
class Marketplace(Resource):
    kind: ClassVar[str] = "MARKETPLACE"
    label: ClassVar[str] = "marketplace"
    root: ClassVar[str] = "MARKETPLACE"
    unique_by_owner: ClassVar[bool | None] = False

    mad: str = "one"


@dataclass
class MarketApp(Resource):
    kind: ClassVar[str] = "MARKETPLACEAPP"
    label: ClassVar[str] = "marketplaceapp"
    root: ClassVar[str] = "MARKETPLACEAPP"
    unique_by_owner: ClassVar[bool | None] = None

    market_id: int = 0
    regtime: int = 0
    source: str = ""
    md5: str = ""
    size: int = 0  # MB
    description: str = ""
    version: str = "0.0"
    format: str = ""
    state: int = 1  # READY
    type: int = 1  # IMAGE


@dataclass
class VMTemplate(Resource):
    kind: ClassVar[str] = "TEMPLATE"
    label: ClassVar[str] = "virtual machine template"
    root: ClassVar[str] = "VMTEMPLATE"

    regtime: int = 0


@dataclass
class VM(Resource):
    kind: ClassVar[str] = "VM"
    label: ClassVar[str] = "virtual machine"
    root: ClassVar[str] = "VM"
    unique_by_owner: ClassVar[bool | None] = None

    state: int = 1
    lcm: int = 0
    prev_state: int = 1
    prev_lcm: int = 0
    stime: int = 0
    etime: int = 0
    deploy_id: str = ""
    host_id: int = -1
    user_template: Template = field(default_factory=Template)
    history: list[dict[str, Any]] = field(default_factory=list)
    last_action: str = ""
    #: Whether it was made on hold, for a VM that waits for its images first.
    held: bool = False

    @classmethod
    def load(cls, row: dict[str, Any]) -> Self:
        row["user_template"] = Template(row["user_template"])
        return super().load(row)

    def go(self, state: int, lcm: int) -> None:
        """Changes the state and remembers the one before."""
        self.state, self.lcm = state, lcm
        self.prev_state, self.prev_lcm = state, lcm


@dataclass
class Host(Resource):
    kind: ClassVar[str] = "HOST"
    label: ClassVar[str] = "host"
    root: ClassVar[str] = "HOST"
    unique_by_owner: ClassVar[bool | None] = False

    cluster_id: int = 0
    state: int = 2
    mad: str = "dummy"
    cpu: int = 800  # per cent
    mem_kb: int = 16777216
    pci: list[Vector] = field(default_factory=list)
    #: What is on its bus, whether OpenNebula knows it or not.
    bus: list[Vector] = field(default_factory=list)
    #: What the front-end's pci.conf lets it report: a filter as in PCI_FILTER, empty for all.
    probe: str = ""
    #: Whether it was offline and not monitored since.
    unmonitored: bool = False
    vms: list[int] = field(default_factory=list)

    @property
    def clusters(self) -> list[int]:
        return [self.cluster_id]


@dataclass
class Cluster(Resource):
    kind: ClassVar[str] = "CLUSTER"
    label: ClassVar[str] = "cluster"
    root: ClassVar[str] = "CLUSTER"
    first_id: ClassVar[int] = 100
    unique_by_owner: ClassVar[bool | None] = False


@dataclass
class Datastore(Resource):
    kind: ClassVar[str] = "DATASTORE"
    label: ClassVar[str] = "datastore"
    root: ClassVar[str] = "DATASTORE"
    first_id: ClassVar[int] = 100
    unique_by_owner: ClassVar[bool | None] = False

    type: int = 0
    ds_mad: str = "dummy"
    tm_mad: str = "dummy"
    total_mb: int = 20480
    free_mb: int = 20480
    used_mb: int = 9720

    @property
    def clusters(self) -> list[int]:
        return [0]


@dataclass
class Zone(Resource):
    kind: ClassVar[str] = "ZONE"
    label: ClassVar[str] = "zone"
    root: ClassVar[str] = "ZONE"
    unique_by_owner: ClassVar[bool | None] = False


@dataclass
class Document(Resource):
    """Any document; those of OneFlow keep their JSON in ``body``."""

    kind: ClassVar[str] = "DOCUMENT"
    label: ClassVar[str] = "document"
    root: ClassVar[str] = "DOCUMENT"
    unique_by_owner: ClassVar[bool | None] = None

    type: int = 0
    body: dict[str, Any] | None = None
