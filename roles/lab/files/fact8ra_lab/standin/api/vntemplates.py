# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Virtual network templates. Source: src/rm/api/VNTemplateAPI.cc of oned, release-7.4.0."""

from __future__ import annotations

from ..access import USE, Caller
from ..cloud import now
from ..errors import ALLOCATE, AUTHORIZATION, INTERNAL, RPC_API, OneError
from ..model import Cluster, VNTemplate
from ..template import Template
from ..vncreate import create
from ..xmlout import field, header_xml
from .base import Handler, PoolApi


class VNTemplateApi(PoolApi[VNTemplate]):
    prefix, pool_prefix, kind = "one.vntemplate", "one.vntemplatepool", VNTemplate

    def methods(self) -> dict[str, Handler]:
        return super().methods() | {
            "one.vntemplate.allocate": self.allocate,
            "one.vntemplate.clone": self.clone,
            "one.vntemplate.instantiate": self.instantiate,
        }

    def pool_xml(self, item: VNTemplate) -> str:
        return (
            f"<VNTEMPLATE>{header_xml(self.cloud, item)}{field('REGTIME', item.regtime)}"
            f"{item.template.xml()}</VNTEMPLATE>"
        )

    def allocate(self, caller: Caller, text: str) -> int:
        template = self.cloud.parse(text)
        self.cloud.authorize(caller, self.cloud.may_create(caller, "VNTEMPLATE"))
        return self._create(caller, template)

    def clone(self, caller: Caller, number: int, name: str) -> int:
        item = self.cloud.find(VNTemplate, number)
        self._authorize_clone(caller, item)
        template = item.template.clone()
        template.put("NAME", name)
        return self._copy(item, lambda: self._create(caller, template))

    def _create(self, caller: Caller, template: Template) -> int:
        name = template.text("NAME")
        if not name:
            raise OneError(INTERNAL, "No NAME in template for Virtual Network Template.")
        self.cloud.check_name(VNTemplate, name, caller.uid)
        template.pop("NAME", None)
        item = VNTemplate(
            self.cloud.new_id("VNTEMPLATE"), name, caller.uid, caller.gid, template=template, regtime=now()
        )
        return self.cloud.insert(item).id

    def instantiate(self, caller: Caller, number: int, name: str, extra: str = "") -> int:
        item = self.cloud.allowed(caller, VNTemplate, number, USE)
        template = item.template.clone()
        clusters = template.text("CLUSTER_IDS") or "0"
        added = self.cloud.parse(extra)
        ranges = added.pop("AR", [])
        lead = "Extra Template includes a restricted attribute "
        if not caller.admin:
            like = self.cloud.personality
            for given in ranges:
                for key in like.restricted_range if isinstance(given, dict) else ():
                    if key in given:
                        raise OneError(AUTHORIZATION, f"User [{caller.uid}] : {lead}AR/{key}.")
            for key in like.restricted_net:
                if key in added and added.text(key) != template.text(key):
                    raise OneError(AUTHORIZATION, f"User [{caller.uid}] : {lead}{key}.")
        template.setdefault("AR", []).extend(ranges)
        template.merge(added)
        if not template["AR"]:
            del template["AR"]
        template.put("TEMPLATE_NAME", item.name)
        template.pop("NAME", None)
        if name:
            template.put("NAME", name)
        ids = [part.strip() for part in clusters.split(",")]
        template.pop("CLUSTER_IDS", None)
        if not all(part.isdigit() for part in ids):
            raise OneError(RPC_API, f"CLUSTER_IDS is {clusters!r}; it must be a list of numbers")
        numbers = sorted({self.cloud.find(Cluster, int(part)).id for part in ids})
        try:
            net = create(self.cloud, caller, template, numbers[0], origin=number)
        except OneError as error:
            raise OneError(ALLOCATE, f"Error allocating a new {item.label}. {error.text}") from error
        net.cluster_ids = numbers
        return net.id
