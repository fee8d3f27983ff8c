# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Marketplaces and their apps: read only, filled by the seed. Source: src/market of oned, release-7.4.0."""

from __future__ import annotations

from typing import Any, Final

from ..access import Caller
from ..model import MarketApp, Marketplace
from ..xmlout import field, ids_xml, permissions_xml, text_field
from .base import Handler, PoolApi

_CHANGES: Final = ("update", "chmod", "chown", "rename", "lock", "unlock", "delete")


def _reads(known: dict[str, Handler], prefix: str) -> dict[str, Handler]:
    return {name: handler for name, handler in known.items() if name not in {f"{prefix}.{verb}" for verb in _CHANGES}}


class MarketplaceApi(PoolApi[Marketplace]):
    prefix, pool_prefix, kind = "one.market", "one.marketpool", Marketplace

    def methods(self) -> dict[str, Handler]:
        return _reads(super().methods(), self.prefix)

    def pool_xml(self, item: Marketplace) -> str:
        apps = sorted(app.id for app in self.cloud.pool(MarketApp).values() if app.market_id == item.id)
        return (
            f"<MARKETPLACE>{field('ID', item.id)}{field('UID', item.uid)}{field('GID', item.gid)}"
            f"{field('UNAME', self.cloud.user_name(item.uid))}{field('GNAME', self.cloud.group_name(item.gid))}"
            f"{field('NAME', item.name)}<STATE>0</STATE>{text_field('MARKET_MAD', item.mad)}{text_field('ZONE_ID', 0)}"
            f"<TOTAL_MB>0</TOTAL_MB><FREE_MB>0</FREE_MB><USED_MB>0</USED_MB>{ids_xml('MARKETPLACEAPPS', apps)}"
            f"{permissions_xml(item)}{item.template.xml()}</MARKETPLACE>"
        )

    def pool_info(self, caller: Caller, *_: Any) -> str:
        items = "".join(self.pool_xml(item) for item in self.cloud.visible(caller, Marketplace, -2))
        return f"<MARKETPLACE_POOL>{items}</MARKETPLACE_POOL>"


class MarketAppApi(PoolApi[MarketApp]):
    prefix, pool_prefix, kind = "one.marketapp", "one.marketapppool", MarketApp

    def methods(self) -> dict[str, Handler]:
        return _reads(super().methods(), self.prefix)

    def pool_xml(self, item: MarketApp) -> str:
        market = self.cloud.pool(Marketplace).get(item.market_id)
        texts = (
            ("ZONE_ID", 0), ("ORIGIN_ID", -1), ("SOURCE", item.source), ("MD5", item.md5),
        )  # fmt: skip
        more = (
            ("DESCRIPTION", item.description), ("VERSION", item.version), ("FORMAT", item.format),
            ("APPTEMPLATE64", item.template.text("APPTEMPLATE64")),
        )  # fmt: skip
        return (
            f"<MARKETPLACEAPP>{field('ID', item.id)}{field('UID', item.uid)}{field('GID', item.gid)}"
            f"{field('UNAME', self.cloud.user_name(item.uid))}{field('GNAME', self.cloud.group_name(item.gid))}"
            f"{field('REGTIME', item.regtime)}{field('NAME', item.name)}"
            f"{''.join(text_field(name, value) for name, value in texts)}{field('SIZE', item.size)}"
            f"{''.join(text_field(name, value) for name, value in more)}"
            f"{field('MARKETPLACE_ID', item.market_id)}{field('MARKETPLACE', market.name if market else '')}"
            f"{field('STATE', item.state)}{field('TYPE', item.type)}{permissions_xml(item)}{item.template.xml()}"
            "</MARKETPLACEAPP>"
        )
