# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module host_pci_filter against the stand-in: what is written, what stays, and how monitoring is forced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from opennebula_site import Site
from recording import RecordingClient

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._pci_filters import canonical, takes
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc import host as hosts
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.host_pci_filter import merged
from ansible_collections.fact8ra.flower.plugins.modules import host_pci_filter
from fact8ra_lab.standin.model import Host
from fact8ra_lab.standin.seed import gpu
from fact8ra_lab.standin.testing import StandIn, default_seed

NIC = gpu("05") | {"VENDOR": "8086", "DEVICE": "10fb", "CLASS": "0200", "TYPE": "8086:10fb:0200"}
SEED = default_seed() | {"hosts": [{"name": "kvm1", "pci": [NIC], "hidden": [gpu("41")]}]}
GPU = "10de:20b5:0302"
FORCED = ["host.status", "host.status"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "OFFLINE_SECONDS", 0.001)


@pytest.fixture
def site() -> Iterator[Site]:
    """A host that shows a network card and has a GPU which no monitoring has reported."""
    with StandIn(seed=SEED) as standin:
        yield Site(standin, standin.admin, options={"name": "kvm1"})


def template(site: Site) -> dict[str, str]:
    root = ElementTree.fromstring(site.standin.one("one.host.info", 0))
    return {each.tag: each.text or "" for each in root.find("TEMPLATE") or []}


def write(site: Site, text: str, kind: str = "host") -> None:
    site.standin.one(f"one.{kind}.update", 0, text, 1)


def reports(site: Site, filters: str) -> None:
    """The host reports this from now on, as its copy of pci.conf says."""
    site.standin.site.cloud.pool(Host)[0].probe = filters


def shown(site: Site) -> list[str]:
    return [device["SHORT_ADDRESS"] for device in site.standin.site.cloud.pool(Host)[0].pci]


def run(site: Site, **options: Any) -> dict[str, Any]:
    """Predict, do, and do again; the calls left in the site are those of the doing."""
    predicted = site.run(host_pci_filter, check=True, diff=True, **options)
    assert site.writes == []
    done = site.run(host_pci_filter, diff=True, **options)
    calls = list(site.calls)
    assert done["diff"] == predicted["diff"]
    assert done["changed"] == predicted["changed"]
    site.standin.until(lambda: not site.standin.site.cloud.pool(Host)[0].unmonitored)
    again = site.run(host_pci_filter, diff=True, **options)
    assert again["changed"] is False
    assert site.writes == []
    site.calls = calls
    return done


def test_a_host_without_a_filter_gets_none(site: Site) -> None:
    """OpenNebula would take its other devices away."""
    result = site.run(host_pci_filter, filters=[GPU])
    assert result["changed"] is False
    assert site.calls == ["hostpool.info", "cluster.info"]
    assert result["host"] == {"id": 0, "name": "kvm1", "pci_filter": [], "pci_short_address": [], "missing": []}


def test_a_device_that_is_not_in_the_pool_has_the_host_monitored(site: Site) -> None:
    result = run(site, filters=[GPU], devices=["41:00.0"])
    assert site.calls == ["hostpool.info", "cluster.info", *FORCED, "host.info"]
    assert result["diff"] == {"before": {"monitored": False}, "after": {"monitored": True}}
    assert site.run(host_pci_filter, filters=[GPU], devices=["0000:41:00.0"])["host"]["missing"] == []


def test_entries_join_those_of_the_host(site: Site) -> None:
    write(site, 'PCI_FILTER="8086:*"\nNOTE="stays"')
    result = run(site, filters=[GPU, "10de:20b5", "10DE:20B5:0302"])
    assert site.calls == ["hostpool.info", "cluster.info", "system.version", "host.update", *FORCED, "host.info"]
    assert result["diff"]["before"] == {"PCI_FILTER": "8086:*", "FACT8RA_PCI_FILTER": ""}
    assert template(site)["PCI_FILTER"] == f"8086:*,{GPU},10de:20b5:*"
    assert template(site)["NOTE"] == "stays"
    assert result["host"]["pci_filter"] == ["8086:*:*", GPU, "10de:20b5:*"]


@pytest.mark.parametrize("have", ["10de:*", "*:*", "10de", "::0302", " 10de : 20b5 ,8086:*", f"8086:*,{GPU}", ","])
def test_an_entry_that_another_includes_is_not_added(site: Site, have: str) -> None:
    write(site, f'PCI_FILTER="{have}"')
    assert site.run(host_pci_filter, filters=[GPU])["changed"] is False
    assert site.calls == ["hostpool.info", "cluster.info"]


@pytest.mark.parametrize("have", ["10DE:*", "10de:*:03", "0:0", "10de:20b5:0300", "8086:*,"])
def test_an_entry_that_oned_would_not_match_is_no_help(site: Site, have: str) -> None:
    write(site, f'PCI_FILTER="{have}"')
    assert run(site, filters=[GPU])["changed"] is True
    assert template(site)["PCI_FILTER"] == f"{have.removesuffix(',')},{GPU}"


def test_the_filter_of_the_cluster_is_copied(site: Site) -> None:
    write(site, 'PCI_FILTER="8086:*"', "cluster")
    run(site, filters=[GPU])
    assert template(site)["PCI_FILTER"] == f"8086:*,{GPU}"
    run(site, filters=[GPU], state="absent")
    assert site.calls == ["hostpool.info", "host.update", *FORCED, "host.info"]
    assert template(site)["PCI_FILTER"] == "", "the cluster's counts again"
    assert template(site)["FACT8RA_PCI_FILTER"] == ""


def test_addresses_join_only_where_addresses_are_in_force(site: Site) -> None:
    write(site, 'PCI_SHORT_ADDRESS="05:00.0"')
    run(site, filters=[GPU], devices=["0000:41:00.0"])
    assert template(site).get("PCI_FILTER") is None
    assert template(site)["PCI_SHORT_ADDRESS"] == "05:00.0,41:00.0"
    assert site.run(host_pci_filter, devices=["41:00.0"])["host"]["missing"] == []
    run(site, devices=["41:00.0"], state="absent")
    assert template(site)["PCI_SHORT_ADDRESS"] == "05:00.0"


def test_restrict_keeps_what_is_in_the_pool(site: Site) -> None:
    result = run(site, filters=[GPU], devices=["41:00.0"], restrict=True)
    assert template(site)["PCI_FILTER"] == f"8086:10fb:0200,{GPU}"
    assert result["diff"]["before"] == {"PCI_FILTER": "", "FACT8RA_PCI_FILTER": "", "monitored": False}
    reports(site, "8086:*")
    result = run(site, filters=[GPU], devices=["41:00.0"], state="absent")
    assert template(site)["PCI_FILTER"] == "", "the host had none"
    assert result["host"]["pci_filter"] == []
    reports(site, "")
    run(site, filters=[GPU], restrict=True)
    write(site, f'PCI_FILTER="8086:10fb:0200,{GPU},1000:*"')
    run(site, filters=[GPU], state="absent")
    assert template(site)["PCI_FILTER"] == "8086:10fb:0200,1000:*", "the operator's entry stays, and the rest with it"


@pytest.mark.parametrize("own", [GPU, "10de:*,8086:*"])
def test_absent_leaves_what_the_operator_wrote(site: Site, own: str) -> None:
    """An emptied filter would let every device through that pci.conf does."""
    write(site, f'PCI_FILTER="{own}"\nPCI_SHORT_ADDRESS="41:00.0"')
    before = template(site)
    options: dict[str, Any] = {"filters": [GPU, "10de"], "devices": ["41:00.0"]}
    site.run(host_pci_filter, filters=[GPU], devices=["41:00.0"])
    site.standin.until(lambda: not site.standin.site.cloud.pool(Host)[0].unmonitored)
    reports(site, "8086:*")
    run(site, **options, state="absent")
    assert template(site) == before
    assert shown(site) == []


def test_a_filter_that_was_there_is_never_left_empty(site: Site) -> None:
    write(site, 'PCI_FILTER="8086:*"\nPCI_SHORT_ADDRESS="05:00.0"')
    run(site, filters=[GPU], devices=["41:00.0"])
    write(site, f'PCI_FILTER="{GPU}"\nPCI_SHORT_ADDRESS="41:00.0"')
    assert run(site, filters=[GPU], devices=["41:00.0"], state="absent")["changed"] is True
    assert (template(site)["PCI_FILTER"], template(site)["PCI_SHORT_ADDRESS"]) == ("0:0", "0:0")
    assert site.standin.site.cloud.pool(Host)[0].pci == [], "no device fits that"


def test_a_record_tells_what_was_added(site: Site) -> None:
    """A second kind comes and goes while the first stays."""
    write(site, 'PCI_FILTER="8086:*"')
    run(site, filters=[GPU])
    run(site, filters=["10de:2330:0302"])
    assert template(site)["FACT8RA_PCI_FILTER"] == f"{GPU},10de:2330:0302"
    run(site, filters=["10de:2330:0302", "8086:*"], state="absent")
    assert template(site)["PCI_FILTER"] == f"8086:*,{GPU}"
    assert template(site)["FACT8RA_PCI_FILTER"] == GPU


@pytest.fixture
def twins() -> Iterator[Site]:
    """A host with two cards of a kind, one of which it keeps; both are in its pool."""
    seed = default_seed() | {"hosts": [{"name": "kvm1", "pci": [NIC, gpu("41"), gpu("81")]}]}
    with StandIn(seed=seed) as standin:
        yield Site(standin, standin.admin, options={"name": "kvm1"})


def test_a_card_of_the_same_kind_that_the_host_keeps(twins: Site) -> None:
    run(twins, filters=[GPU], devices=["41:00.0"], only_devices=True)
    assert template(twins)["PCI_SHORT_ADDRESS"] == "05:00.0,41:00.0"
    assert shown(twins) == ["05:00.0", "41:00.0"], "what is of another kind stays"
    again = twins.run(host_pci_filter, filters=[GPU], devices=["41:00.0"], state="absent")
    assert again["changed"] is True
    assert template(twins)["PCI_SHORT_ADDRESS"] == ""


def test_the_card_that_is_kept_may_become_the_other_one(twins: Site) -> None:
    run(twins, filters=[GPU], devices=["41:00.0"], only_devices=True)
    run(twins, filters=[GPU], devices=["81:00.0"], only_devices=True)
    assert template(twins)["PCI_SHORT_ADDRESS"] == "05:00.0,81:00.0"
    assert shown(twins) == ["05:00.0", "81:00.0"]


def test_addresses_of_the_operator_stay(twins: Site) -> None:
    """Which the wait of the role then names."""
    write(twins, 'PCI_SHORT_ADDRESS="81:00.0"')
    twins.run(host_pci_filter, filters=[GPU], devices=["41:00.0"], only_devices=True)
    assert template(twins)["PCI_SHORT_ADDRESS"] == "81:00.0,41:00.0"


def test_older_versions_cannot_keep_one_of_a_kind() -> None:
    with StandIn(seed=SEED, version="6.10.0") as standin:
        site = Site(standin, standin.admin, options={"name": "kvm1"})
        write(site, 'PCI_SHORT_ADDRESS="41:00.0"')
        failed = site.fail(host_pci_filter, filters=[GPU], devices=["41:00.0"], only_devices=True)
        assert failed["failure"]["code"] == "unsupported"
        assert "also those that the host keeps" in failed["msg"]
        assert site.writes == []


def test_absent_leaves_what_is_not_equal(site: Site) -> None:
    write(site, 'PCI_FILTER="1000:*"')
    run(site, filters=["10de", "8086"])
    assert site.run(host_pci_filter, filters=[GPU], state="absent")["changed"] is False
    assert run(site, filters=["10de"], state="absent")["changed"] is True
    assert template(site)["PCI_FILTER"] == "1000:*,8086:*:*"


def test_absent_needs_no_host(site: Site) -> None:
    result = site.run(host_pci_filter, name="none", filters=[GPU], state="absent")
    assert (result["changed"], result["host"], site.calls) == (False, None, ["hostpool.info"])


@pytest.mark.parametrize("version", ["6.8.0", "6.10.0"])
def test_older_versions_do_not_read_it(version: str) -> None:
    with StandIn(seed=SEED, version=version) as standin:
        site = Site(standin, standin.admin, options={"name": "kvm1"})
        write(site, 'PCI_FILTER="8086:*"')
        assert site.run(host_pci_filter, filters=[GPU])["changed"] is False
        assert site.calls == ["hostpool.info", "cluster.info", "system.version"]
        write(site, 'PCI_FILTER=""')
        failed = site.fail(host_pci_filter, filters=[GPU], restrict=True)
        assert failed["failure"]["code"] == "unsupported"
        assert f"OpenNebula {version}, which does not read PCI_FILTER" in failed["msg"]
        assert "pci.conf" in failed["msg"]
        assert site.writes == []
        run(site, devices=["41:00.0"])
        assert site.calls == ["hostpool.info", "cluster.info", *FORCED, "host.info"]


def states(site: Site) -> str:
    return ElementTree.fromstring(site.standin.one("one.host.info", 0)).findtext("STATE") or ""


@pytest.mark.parametrize(("status", "after"), [(0, "2"), (1, "4")])
def test_the_host_comes_back_as_it_was(site: Site, status: int, after: str) -> None:
    site.standin.one("one.host.status", 0, status)
    run(site, devices=["41:00.0"])
    site.standin.until(lambda: states(site) == after)


def test_a_host_that_is_offline_is_refused_before_anything_is_written(site: Site) -> None:
    write(site, 'PCI_FILTER="8086:*"')
    site.standin.one("one.host.status", 0, 2)
    for check in (True, False):
        failed = site.fail(host_pci_filter, check=check, filters=[GPU])
        assert (failed["failure"]["code"], site.writes) == ("failed_state", [])
    assert site.run(host_pci_filter, filters=[GPU], monitor=False)["changed"] is True
    assert site.writes == ["host.update"]
    assert site.run(host_pci_filter, filters=[GPU], state="absent")["changed"] is True
    assert site.writes == ["host.update"]
    assert states(site) == "8"


def forced(failures: int, state: str = "2") -> RecordingClient:
    """A client whose server refuses to bring the host back that often."""
    left = [failures]

    def status(_host: int, wanted: int) -> int:
        if wanted != hosts.OFFLINE and left[0]:
            left[0] -= 1
            raise Refused("oned: database is locked")
        return 0

    client = RecordingClient({"host.status": status})
    hosts.force_monitoring(client, {"ID": "0", "NAME": "kvm1", "STATE": state})
    return client


def test_bringing_the_host_back_is_tried_again() -> None:
    assert [call[2] for call in forced(2).calls] == [2, 0, 0, 0]
    assert [call[2] for call in forced(1, state="4").calls] == [2, 1, 1]


def test_a_host_that_is_left_offline_is_named() -> None:
    with pytest.raises(Refused, match="is left OFFLINE; run onehost enable 0") as raised:
        forced(3)
    assert raised.value.code == "left_offline"


def test_a_success_that_was_none(site: Site) -> None:
    write(site, 'PCI_FILTER="8086:*"')
    site.standin.faults.add({"lie": "one.host.update", "times": 1})
    failed = site.fail(host_pci_filter, filters=[GPU])
    assert failed["failure"]["code"] == "not_applied"
    assert template(site)["PCI_FILTER"] == "8086:*"


def test_a_tenant_who_sees_the_host_may_not(site: Site) -> None:
    site.standin.one("one.acl.addrule", "200000064", "2100000000", "1", "400000000")
    tenant = Site(site.standin, site.standin.tenant, options={"name": "kvm1"})
    refused = tenant.fail(host_pci_filter, filters=[GPU])["failure"]
    assert (refused["code"], refused["operation"]) == ("not_authorized", "one.cluster.info")
    # with both attributes the host's cluster is not asked
    write(site, 'PCI_FILTER="8086:*"\nPCI_SHORT_ADDRESS="05:00.0,41:00.0"')
    refused = tenant.fail(host_pci_filter, filters=[GPU])["failure"]
    assert (refused["operation"], refused["object"], refused["id"]) == ("one.host.update", "host 'kvm1'", 0)
    assert "Not authorized to perform ADMIN HOST [0]" in refused["server_message"]
    write(site, 'PCI_FILTER="*:*"')
    refused = tenant.fail(host_pci_filter, devices=["41:00.0"])["failure"]
    assert (refused["operation"], refused["object"]) == ("one.host.status", "host 'kvm1'")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"filters": ["nvidia"]}, "filters has 'nvidia'"),
        ({"filters": ["10de:*:03"]}, "compares whole classes"),
        ({"filters": ["10de:*:*:1"]}, "vendor:device:class"),
        ({"filters": ['10de:*"\nX="1']}, "vendor:device:class"),
        ({"filters": ["*:*"]}, "takes every device"),
        ({"filters": [""]}, "takes every device"),
        ({"devices": ["gpu0"]}, "no PCI address"),
        ({"name": "kvm2", "filters": [GPU]}, "There are: kvm1"),
    ],
)
def test_bad_input(site: Site, options: dict[str, Any], said: str) -> None:
    failed = site.fail(host_pci_filter, **options)
    assert said in failed["msg"]
    assert site.writes == []


def test_what_an_entry_takes() -> None:
    assert canonical("10de") == canonical("10de:") == canonical("10de:*:*") == "10de:*:*"
    assert takes("*", GPU)
    assert not takes(GPU, "10de:*")
    assert merged(["10de:*"], ["10de:1:2", "8086:1"]) == ["10de:*", "8086:1"]
