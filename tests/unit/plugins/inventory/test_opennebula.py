# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The inventory plugin as a user runs it, with ansible-inventory and ansible-playbook, against two stand-ins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from opennebula_site import Site
from servers import closed_port, self_signed

from ansible_collections.fact8ra.flower.plugins.modules import oneflow_service, oneflow_template, vm_template, vnet
from fact8ra_lab.standin.testing import StandIn

ROOT = Path(__file__).parents[4]
BIN = Path(sys.executable).parent
NIC = {"NIC": [{"NETWORK_ID": "$Private"}]}


def _provision(site: Site, name: str, network: str, supernodes: int) -> None:
    site.run(vnet, name="lan", vn_mad="bridge", bridge="br0", address_ranges=[{"ip": network, "size": 20}])
    site.run(vm_template, name="vm", cpu=0.1, memory=64, disks=[{"image": "flower-debian-12"}])
    roles = [
        {"name": "superlink", "template": "vm", "template_contents": NIC},
        {"name": "supernode", "template": "vm", "cardinality": supernodes, "template_contents": NIC},
    ]
    site.run(oneflow_template, name=name, networks={"Private": ""}, roles=roles)
    networks = [{"name": "Private", "network": "lan"}]
    site.run(oneflow_service, name=name, template=name, networks=networks, wait_timeout=20)


@pytest.fixture(scope="module")
def sites() -> Iterator[dict[str, StandIn]]:
    """Sites alpha (services poc-alpha, one SuperNode, and bare, no NIC) and beta (poc-beta, two SuperNodes)."""
    with StandIn() as alpha, StandIn() as beta:
        for name, standin, network, supernodes in [("alpha", alpha, "10.71.1.10", 1), ("beta", beta, "10.71.2.10", 2)]:
            _provision(Site(standin, standin.tenant), f"poc-{name}", network, supernodes)
        tenant = Site(alpha, alpha.tenant)
        tenant.run(oneflow_template, name="bare", roles=[{"name": "bare", "template": "vm"}])
        tenant.run(oneflow_service, name="bare", template="bare", wait_timeout=20)
        yield {"alpha": alpha, "beta": beta}


@dataclass
class Result:
    """The output of a command."""

    code: int
    out: str
    err: str

    @property
    def inventory(self) -> dict[str, Any]:
        """The inventory that was listed."""
        assert self.code == 0, self.err
        listed: dict[str, Any] = json.loads(self.out)
        return listed

    def hosts(self, group: str) -> list[str]:
        """The hosts of a group."""
        found: list[str] = self.inventory.get(group, {}).get("hosts", [])
        return found

    def variables(self, host: str) -> dict[str, Any]:
        """The variables of a host."""
        found: dict[str, Any] = _plain(self.inventory["_meta"]["hostvars"][host])
        return found


def _plain(value: Any) -> Any:
    """What ansible-inventory marks as no template, as it is."""
    if isinstance(value, dict):
        if value.keys() == {"__ansible_unsafe"}:
            return value["__ansible_unsafe"]
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _command(directory: Path, *words: str, env: dict[str, str] | None = None) -> Result:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("ONE", "OPENNEBULA_", "ANSIBLE_"))}
    done = subprocess.run(
        [str(BIN / words[0]), *words[1:]],
        cwd=directory,
        env={**clean, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8", **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "-secret" not in done.stdout + done.stderr, "a password was shown"
    # folded by the width of the terminal
    return Result(done.returncode, done.stdout, " ".join(done.stderr.split()))


def _list(directory: Path, *words: str, env: dict[str, str] | None = None) -> Result:
    return _command(directory, "ansible-inventory", "-i", str(directory), "--list", *words, env=env)


def _write(directory: Path, name: str, content: Any) -> None:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def _endpoint(name: str, standin: StandIn) -> dict[str, Any]:
    user, password = standin.tenant
    return {
        "name": name,
        "endpoint": standin.endpoint,
        "flow_endpoint": standin.flow_endpoint,
        "username": user,
        "password": password,
    }


def _passwords(directory: Path) -> Path:
    """Files within an inventory directory would be taken for inventories."""
    beside = directory.parent / f"{directory.name}-passwords"
    beside.mkdir(exist_ok=True)
    return beside


def _from_group(directory: Path, sites: dict[str, StandIn], **options: Any) -> None:
    """An inventory as those of this collection: sites in a group, connection in group_vars, password by a lookup."""
    hosts = {
        name: {"one_endpoint": standin.endpoint, "one_flow_endpoint": standin.flow_endpoint}
        for name, standin in sites.items()
    }
    _write(directory, "hosts.yml", {"sites": {"hosts": hosts}})
    _write(directory, "group_vars/all.yml", {"federation_name": "poc"})
    lookup = "{{ lookup('ansible.builtin.file', inventory_dir_of_passwords ~ inventory_hostname ~ '.password') }}"
    _write(
        directory,
        "group_vars/sites.yml",
        {"one_username": "flower", "one_password": lookup, "inventory_dir_of_passwords": f"{_passwords(directory)}/"},
    )
    for name in sites:
        (_passwords(directory) / f"{name}.password").write_text("flower-secret\n")
    config = {
        "plugin": "fact8ra.flower.opennebula",
        "endpoints_from_group": "sites",
        "services": ["{{ federation_name }}-.*"],
    }
    _write(directory, "opennebula.yml", {**config, **options})


def _from_endpoints(directory: Path, *endpoints: dict[str, Any], **options: Any) -> None:
    config = {"plugin": "fact8ra.flower.opennebula", "endpoints": list(endpoints)}
    _write(directory, "opennebula.yml", {**config, **options})


def test_sites_of_a_group_with_templated_variables(tmp_path: Path, sites: dict[str, StandIn]) -> None:
    _from_group(tmp_path, sites)
    for standin in sites.values():
        standin.calls.clear()
    listed = _list(tmp_path)
    assert listed.err == ""
    assert listed.hosts("superlink") == ["alpha-superlink-0", "beta-superlink-0"]
    assert listed.hosts("supernodes") == ["alpha-supernode-0", "beta-supernode-0", "beta-supernode-1"]
    assert listed.hosts("site_alpha") == ["alpha-superlink-0", "alpha-supernode-0"]
    assert listed.hosts("sites") == ["alpha", "beta"]
    host = listed.variables("beta-supernode-1")
    assert host["ansible_host"] in host["one_vm_addresses"]
    assert host["ansible_host"].startswith("10.71.2.")
    assert (host["site_name"], host["one_vm_role"], host["one_vm_service"]) == ("beta", "supernode", "poc-beta")
    assert (host["one_vm_state"], host["one_vm_lcm_state"], host["one_vm_ordinal"]) == ("ACTIVE", "RUNNING", "1")
    assert host["one_vm_user_template"]["ROLE_NAME"] == "supernode"
    assert host["federation_name"] == "poc"
    for standin in sites.values():
        assert standin.calls == [("oneflow", "GET /service"), ("xmlrpc", "one.vmpool.infoextended")]


def test_endpoints_of_the_file(tmp_path: Path, sites: dict[str, StandIn]) -> None:
    endpoint = {
        **_endpoint("alpha", sites["alpha"]),
        "password": "{{ lookup('ansible.builtin.env', 'SITE_PASSWORD') }}",
    }
    _from_endpoints(
        tmp_path,
        endpoint,
        role_groups={"supernode": "workers"},
        hostname="{{ site_name }}.{{ vm_role }}.{{ vm_id }}",
        hostvars_prefix="vm_",
        network="Private",
        compose={"twice": "vm_ordinal ~ vm_ordinal"},
        groups={"has_role": "vm_role is defined"},
        keyed_groups=[{"key": "vm_role", "prefix": "role"}],
    )
    listed = _list(tmp_path, env={"SITE_PASSWORD": "flower-secret"})
    (worker,) = listed.hosts("workers")
    assert worker.startswith("alpha.supernode.")
    assert listed.hosts("role_supernode") == [worker]
    assert len(listed.hosts("has_role")) == 3
    assert listed.hosts("superlink") == []
    assert listed.variables(worker)["twice"] == "00"
    bare = next(host for host in listed.hosts("has_role") if ".bare." in host)
    assert "ansible_host" not in listed.variables(bare)
    assert f"for {bare}; ansible_host" in listed.err
    assert "no address that fits" in listed.err


def _until_states(standin: StandIn, *states: int) -> None:
    """Wait until the VMs, the last one first, have these states; the active ones have to run."""

    def reached() -> bool:
        answer = ElementTree.fromstring(standin.one("one.vmpool.infoextended", -2, -1, -1, -1, ""))
        now = [(int(vm.findtext("STATE", "")), vm.findtext("LCM_STATE")) for vm in answer.iter("VM")]
        return now == [(state, "3" if state == 3 else "0") for state in states]

    standin.until(reached)


def test_every_vm_by_label_host_and_state(tmp_path: Path) -> None:
    with StandIn() as standin:
        tenant = Site(standin, standin.tenant)
        tenant.run(vnet, name="lan", vn_mad="bridge", bridge="br0", address_ranges=[{"ip": "10.71.9.10", "size": 9}])
        nic = 'NIC=[NETWORK="lan"]'
        for name, more in [
            ("web", f'{nic}\nLABELS="prod/web"\nSSH_PORT="2222"'),
            ("web", f'{nic}\nNIC=[NETWORK="lan"]\nSSH_PORT=[A="1"]'),
            ("localhost", nic),
            ("off", f'{nic}\nLABELS="prod"'),
            ("no nic", 'LABELS="test"'),
        ]:
            last = standin.one(
                "one.vm.allocate", f'NAME="{name}"\nCPU="0.1"\nMEMORY="64"\n{more}', False, user=standin.tenant
            )
        twin, local = f"web-{last - 3}", f"localhost-{last - 2}"
        _until_states(standin, 3, 3, 3, 3, 3)
        standin.one("one.vm.action", "poweroff-hard", last - 1, user=standin.tenant)
        _until_states(standin, 3, 8, 3, 3, 3)
        standin.calls.clear()
        endpoint = {key: value for key, value in _endpoint("alpha", standin).items() if key == "name"}
        _from_endpoints(
            tmp_path,
            endpoint,
            vms="all",
            unreachable="fail",
            states=["running", "poweroff"],
            group_by=["label", "host", "state", "cluster", "service"],
            compose={"ansible_port": "one_vm_user_template.SSH_PORT | default(22) | int"},
        )
        user, password = standin.tenant
        env = {"ONE_URL": standin.endpoint, "ONE_USERNAME": user, "ONE_PASSWORD": password}
        listed = _list(tmp_path, env=env)
        assert standin.calls == [("xmlrpc", "one.vmpool.infoextended"), ("xmlrpc", "one.clusterpool.info")]
        assert listed.hosts("site_alpha") == ["web", twin, local, "off", "no_nic"]
        assert listed.inventory["label_prod"]["children"] == ["label_prod_web"]
        assert (listed.hosts("label_prod_web"), listed.hosts("label_prod")) == (["web"], ["off"])
        assert listed.hosts("label_test") == ["no_nic"]
        assert listed.hosts("state_poweroff") == ["off"]
        assert listed.hosts("state_running") == ["web", twin, local, "no_nic"]
        assert listed.variables("web")["ansible_port"] == 2222
        assert listed.variables(twin)["one_vm_user_template"] == {"SSH_PORT": {"A": "1"}}
        assert [nic["id"] for nic in listed.variables(twin)["one_vm_nics"]] == [0, 1]
        for name in listed.hosts("site_alpha"):
            assert name in listed.hosts(f"host_{listed.variables(name)['one_vm_host'].replace('-', '_')}")
        # a tenant does not see clusters here
        assert listed.hosts("cluster_0") == listed.hosts("site_alpha")
        assert f"the name 'web' is taken, so VM {last - 3} is called {twin!r}" in listed.err
        assert "address_family for no_nic; ansible_host" in listed.err
        standin.calls.clear()
        _from_endpoints(tmp_path, endpoint, vms="all", labels=["prod"], nic=0, filter="mine", unreachable="fail")
        narrow = _list(tmp_path, env=env)
        assert narrow.hosts("site_alpha") == ["web"]
        assert narrow.variables("web")["ansible_host"] == "10.71.9.10"
        assert standin.calls == [("xmlrpc", "one.vmpool.infoextended")]


@pytest.mark.parametrize("unreachable", ["warn", "fail", "ignore"])
def test_a_site_that_cannot_be_asked(tmp_path: Path, sites: dict[str, StandIn], unreachable: str) -> None:
    gone = {**_endpoint("gone", sites["alpha"]), "flow_endpoint": f"http://127.0.0.1:{closed_port()}"}
    _from_endpoints(tmp_path, gone, _endpoint("beta", sites["beta"]), unreachable=unreachable)
    listed = _list(tmp_path)
    if unreachable == "fail":
        assert listed.code != 0
        assert "Site 'gone' is left out of the inventory: Cannot reach" in listed.err
        return
    assert listed.hosts("supernodes") == ["beta-supernode-0", "beta-supernode-1"]
    assert ("Cannot reach" in listed.err) is (unreachable == "warn")


def test_errors_of_all_kinds_are_warnings_of_their_sites(tmp_path: Path, sites: dict[str, StandIn]) -> None:
    good = _endpoint("good", sites["alpha"])
    bad = [
        {**good, "name": "credentials", "password": "wrong-secret"},
        {**good, "name": "swapped", "flow_endpoint": sites["alpha"].endpoint},
        {**good, "name": "scheme", "endpoint": "127.0.0.1:2633"},
        {**good, "name": "template", "password": "{{ nothing_of_this_name }}"},
        {**good, "name": "ca", "ca_path": "/nonexistent.pem"},
        {**good, "name": "bool", "validate_certs": "perhaps"},
        {key: value for key, value in good.items() if key != "username"} | {"name": "incomplete"},
    ]
    _from_endpoints(tmp_path, *bad, good)
    listed = _list(tmp_path)
    assert listed.hosts("superlink") == ["good-superlink-0"]
    for site, text in [
        ("credentials", "Invalid credentials"),
        ("swapped", "does not answer as OneFlow"),
        ("scheme", "endpoint is '127.0.0.1:2633'"),
        ("template", "nothing_of_this_name"),
        ("ca", "/nonexistent.pem"),
        ("bool", "validate_certs is 'perhaps'"),
        ("incomplete", "username is missing"),
    ]:
        assert f"Site '{site}' is left out of the inventory" in listed.err
        assert text in listed.err


def test_a_password_that_is_not_there_yet_is_the_matter_of_its_site(tmp_path: Path, sites: dict[str, StandIn]) -> None:
    _from_group(tmp_path, sites, unreachable="ignore")
    (_passwords(tmp_path) / "alpha.password").unlink()
    listed = _list(tmp_path)
    assert listed.err == ""
    assert listed.hosts("superlink") == ["beta-superlink-0"]
    assert "alpha" in listed.hosts("sites")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "give endpoints or endpoints_from_group"),
        ({"endpoints_from_group": "nobody"}, "endpoints_from_group is 'nobody', which has no hosts"),
        ({"endpoints": [{"endpoint": "http://one:2633"}]}, "an entry without a name"),
        ({"endpoints": ["alpha"]}, "an entry without a name"),
        ({"endpoints": [], "unreachable": "perhaps"}, "unreachable"),
        ({"endpoints": [], "vms": "all", "services": ["a"]}, "services is for vms=services"),
        ({"endpoints": [], "states": ["up"]}, "states has 'UP'"),
        ({"endpoints": [], "group_by": ["owner"]}, "group_by"),
    ],
)
def test_a_file_that_cannot_work_fails(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    _write(tmp_path, "opennebula.yml", {"plugin": "fact8ra.flower.opennebula", **options})
    listed = _list(tmp_path)
    assert listed.code != 0
    assert text in listed.err


def test_mistakes_in_the_file_that_show_late_fail_too(tmp_path: Path, sites: dict[str, StandIn]) -> None:
    alpha = _endpoint("alpha", sites["alpha"])
    for endpoints, options, text in [
        ([alpha, alpha], {}, "'alpha' is given to more than one site"),
        ([alpha], {"hostname": "no good/name"}, "hostname makes 'no good/name'"),
    ]:
        _from_endpoints(tmp_path, *endpoints, **options)
        listed = _list(tmp_path)
        assert listed.code != 0
        assert text in listed.err


def test_no_vm_takes_the_name_of_a_site_or_a_group(tmp_path: Path, sites: dict[str, StandIn]) -> None:
    _from_group(
        tmp_path, {"alpha": sites["alpha"]}, hostname="{{ 'alpha' if one_vm_role == 'superlink' else 'supernodes' }}"
    )
    listed = _list(tmp_path)
    (link,) = listed.hosts("superlink")
    (node,) = listed.hosts("supernodes")
    assert (link, node) == (
        f"alpha-{listed.variables(link)['one_vm_id']}",
        f"supernodes-{listed.variables(node)['one_vm_id']}",
    )
    assert "one_password" not in listed.variables(link)


def test_a_name_that_two_vms_get_is_made_longer(tmp_path: Path, sites: dict[str, StandIn]) -> None:
    _from_endpoints(tmp_path, _endpoint("beta", sites["beta"]), hostname="{{ site_name }}-{{ one_vm_role }}")
    listed = _list(tmp_path)
    first, second = listed.hosts("supernodes")
    assert first == "beta-supernode"
    assert second == f"beta-supernode-{listed.variables(second)['one_vm_id']}"
    assert "the name 'beta-supernode' is taken" in listed.err


def test_what_the_cloud_says_is_no_template(tmp_path: Path, sites: dict[str, StandIn]) -> None:
    _from_endpoints(tmp_path, _endpoint("alpha", sites["alpha"]), only_running=False)
    number = _list(tmp_path).variables("alpha-supernode-0")["one_vm_id"]
    evil = "{{ lookup('ansible.builtin.pipe', 'touch " + str(tmp_path / "owned") + "') }}"
    sites["alpha"].one("one.vm.update", number, f'EVIL="{evil}"', 1)
    show = {"ansible.builtin.debug": {"msg": "{{ hostvars['alpha-supernode-0'].one_vm_user_template.EVIL }}"}}
    _write(tmp_path, "play.yaml", [{"hosts": "localhost", "gather_facts": False, "tasks": [show]}])
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(_passwords(tmp_path))}
    _from_endpoints(tmp_path, _endpoint("alpha", sites["alpha"]), only_running=False, **cache)
    sites["alpha"].calls.clear()
    for _from in ("the site", "the cache"):
        shown = _command(tmp_path, "ansible-playbook", "-i", str(tmp_path / "opennebula.yml"), "play.yaml")
        assert shown.code == 0, shown.out + shown.err
        assert "ansible.builtin.pipe" in shown.out
        assert not (tmp_path / "owned").exists()
    assert len(sites["alpha"].calls) == 2


def test_what_vms_write_of_themselves_and_their_siblings_changes_nothing(
    tmp_path: Path, sites: dict[str, StandIn]
) -> None:
    """OneGate lets every VM of a service rewrite the user template of each; inventories trust none of it."""
    _from_group(tmp_path, {"alpha": sites["alpha"]})
    before = _list(tmp_path).inventory
    written = (
        'ROLE_NAME="superlink"\nSERVICE_ID="1"\nNAME="superlink_7_(service_1)"\nIP="192.0.2.66"\nETH0_IP="192.0.2.66"\n'
        'ANSIBLE_HOST="192.0.2.66"\nANSIBLE_USER="evil"\nANSIBLE_CONNECTION="local"\nSITE_NAME="-oProxyCommand=id"\n'
        'NIC=[IP="192.0.2.66",NETWORK="lan"]\nFEDERATION_NAME="other"'
    )
    for host in ("alpha-superlink-0", "alpha-supernode-0"):
        number = before["_meta"]["hostvars"][host]["one_vm_id"]
        sites["alpha"].one("one.vm.update", number, written, 1)
    after = _list(tmp_path).inventory
    for inventory in (before, after):
        for variables in inventory["_meta"]["hostvars"].values():
            evil = variables.pop("one_vm_user_template", None)
            assert inventory is before or evil is None or "192.0.2.66" in str(evil)
    assert after == before


def test_refresh_in_a_play_finds_new_vms(tmp_path: Path) -> None:
    with StandIn() as standin:
        _from_group(tmp_path, {"alpha": standin})
        connection = {"endpoint": standin.endpoint, "flow_endpoint": standin.flow_endpoint}
        credentials = {"username": standin.tenant[0], "password": standin.tenant[1]}
        _write(
            tmp_path,
            "play.yaml",
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "module_defaults": {"group/fact8ra.flower.opennebula": {**connection, **credentials}},
                    "tasks": [
                        {"ansible.builtin.assert": {"that": "groups.supernodes == []"}},
                        {"fact8ra.flower.vm_template": {"name": "vm", "cpu": 0.1, "memory": 64}},
                        {
                            "fact8ra.flower.oneflow_template": {
                                "name": "poc-alpha",
                                "roles": [{"name": "supernode", "template": "vm", "cardinality": 2}],
                            }
                        },
                        {"fact8ra.flower.oneflow_service": {"name": "poc-alpha", "template": "poc-alpha"}},
                        {"ansible.builtin.meta": "refresh_inventory"},
                    ],
                },
                {
                    "hosts": "supernodes",
                    "gather_facts": False,
                    "tasks": [{"ansible.builtin.debug": {"msg": "here is {{ inventory_hostname }}"}}],
                },
            ],
        )
        done = _command(
            tmp_path,
            "ansible-playbook",
            "-i",
            str(tmp_path / "hosts.yml"),
            "-i",
            str(tmp_path / "opennebula.yml"),
            "play.yaml",
        )
    assert done.code == 0, done.out + done.err
    assert "here is alpha-supernode-0" in done.out
    assert "here is alpha-supernode-1" in done.out


def test_the_cache_saves_the_calls_and_keeps_no_password(tmp_path: Path, sites: dict[str, StandIn]) -> None:
    cache = tmp_path.parent / f"{tmp_path.name}-cache"
    options = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(cache)}
    _from_endpoints(tmp_path, _endpoint("alpha", sites["alpha"]), **options)
    first = _list(tmp_path)
    sites["alpha"].calls.clear()
    assert _list(tmp_path).inventory == first.inventory
    assert sites["alpha"].calls == []
    assert all("flower-secret" not in path.read_text() for path in cache.iterdir())
    assert _list(tmp_path, "--flush-cache").inventory == first.inventory
    assert len(sites["alpha"].calls) == 2
    # a site that is new is asked, the known one is not
    sites["alpha"].calls.clear()
    _from_endpoints(tmp_path, _endpoint("alpha", sites["alpha"]), _endpoint("beta", sites["beta"]), **options)
    assert len(_list(tmp_path).hosts("superlink")) == 2
    assert sites["alpha"].calls == []


def test_tls_with_a_ca_of_its_own(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with StandIn(tls=(str(certificate.cert), str(certificate.key))) as standin:
        endpoint = _endpoint("alpha", standin)
        directory = tmp_path / "inventory"
        _from_endpoints(directory, endpoint)
        refused = _list(directory)
        assert "hosts" not in refused.inventory.get("site_alpha", {})
        assert "certificate is not trusted" in refused.err
        for more in ({"ca_path": str(certificate.cert)}, {"validate_certs": "no"}):
            _from_endpoints(directory, {**endpoint, **more})
            assert _list(directory).err == ""


def test_other_file_names_are_left_to_others(tmp_path: Path, sites: dict[str, StandIn]) -> None:
    _from_endpoints(tmp_path, _endpoint("alpha", sites["alpha"]))
    (tmp_path / "opennebula.yml").rename(tmp_path / "cloud.yml")
    listed = _list(tmp_path)
    assert listed.code != 0
    assert "cloud.yml" in listed.err
