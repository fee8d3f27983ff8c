# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The ruleset of role firewall, written by Ansible for many inventories and read by nft."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from playbooks import play_written

pytestmark = pytest.mark.slow

_ROLES = Path(__file__).parents[3] / "roles"
_ROLE = _ROLES / "firewall"
_USERS = {
    "root": 0,
    "www-data": 33,
    "_apt": 42,
    "_chrony": 100,
    "systemd-network": 998,
    "flower": 995,
    "flower-app": 994,
}
_TUNNEL6 = "fd7b:d4e6:cdaa::/64"
_SITE = {"site_admin_sources": ["10.71.255.0/24"], "site_fleet_sources": ["10.71.0.0/16", "10.71.2.0/24"]}
_INBOUND = {
    "protocol": "tcp",
    "ports": ["9100", "9101-9105"],
    "sources": ["192.0.2.7", "2001:db8::/32"],
    "reason": "metrics (7)",
}
_OUTBOUND = {"protocol": "udp", "ports": [514], "destinations": ["192.0.2.9"], "user": "root", "reason": "syslog"}
_ACCESS = [{"name": "alice", "public_keys": ["x"]}]

_SOURCES = ["192.0.2.0/24", "2001:db8:7::/48"]

# Hosts by the situation that they stand for: group, site, and what differs.
_HOSTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "link": ("superlink", "plain", {}),
    "link_open_apps": ("superlink", "plain", {"superlink_app_allowed_addresses": ["any"]}),
    "link_access": ("superlink", "plain", {"access_users": _ACCESS}),
    "link_sources": ("superlink", "plain", {"access_users": _ACCESS, "access_sources": _SOURCES}),
    "link_sources_unused": ("superlink", "plain", {"access_sources": _SOURCES}),
    "link_ports": (
        "superlink",
        "plain",
        {"superlink_fleet_port": 9443, "firewall_ssh_port": 2222, "firewall_log": True},
    ),
    "link_v6": (
        "superlink",
        "plain",
        {"firewall_admin_sources": ["2001:db8::/32"], "firewall_fleet_sources": ["::/0"]},
    ),
    "link_more": ("superlink", "plain", {"firewall_inbound": [_INBOUND], "firewall_outbound": [_OUTBOUND]}),
    "link_join": ("superlink", "plain", {"superlink_join": True}),
    "link_join_token": ("superlink", "plain", {"superlink_join": True, "superlink_join_token": "t" * 24}),
    "node_join": ("supernodes", "plain", {"superlink_join": True}),
    "link_index": ("superlink", "plain", {"flower_index_url": "https://u:p@192.0.2.3:8081/simple"}),
    "node": ("supernodes", "plain", {}),
    "node_sources": ("supernodes", "plain", {"access_users": _ACCESS, "access_sources": _SOURCES}),
    "node_none": ("supernodes", "near", {}),
    "node_name": ("supernodes", "plain", {"superlink_address": "superlink.example.eu"}),
    "node_v6": ("supernodes", "plain", {"superlink_address": "2001:db8::10"}),
    "node_apps": ("supernodes", "plain", {"supernode_app_allowed_addresses": ["192.0.2.0/24", "2001:db8::/32"]}),
    "node_tunnel": ("supernodes", "far", {}),
    "node_tunnel4": ("supernodes", "far", {"transport_network6": ""}),
    "node_gateway": ("supernodes", "far", {"transport_hub": "gateway"}),
    "node_wheels": ("supernodes", "plain", {"flower_index_url": "https://i.example:8081/", "flower_wheelhouse": "/w"}),
    "gateway": ("gateways", "plain", {"transport_hub": "gateway"}),
}


def _inventory(directory: Path, hosts: dict[str, tuple[str, str, dict[str, Any]]]) -> Path:
    children: dict[str, Any] = {
        "sites": {
            "hosts": {
                "plain": _SITE,
                "near": {**_SITE, "site_transport": "none"},
                "far": {**_SITE, "site_transport": "wireguard"},
            }
        }
    }
    for name, (group, site, variables) in hosts.items():
        entry = {"ansible_host": "10.71.1.10", "ansible_connection": "local", "site_name": site, **variables}
        children.setdefault(group, {"hosts": {}})["hosts"][name] = entry
    look = {"users": _USERS, "groups": {"flower-control": 990}, "onegate": "http://10.71.1.1:5030", "ssh": ""}
    common = {
        "ansible_python_interpreter": sys.executable,
        "federation_name": "poc",
        "transport_network6": _TUNNEL6,
        "__firewall_look": {"stdout": json.dumps(look)},
    }
    path = directory / "inventory.json"
    path.write_text(json.dumps({"all": {"vars": common, "children": children}}))
    return path


def _evaluate(directory: Path, hosts: dict[str, tuple[str, str, dict[str, Any]]], expression: str) -> dict[str, Any]:
    """What an expression is for every host that plays the role."""
    every = "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'found'))) | to_json }}"
    play = {
        "hosts": "superlink:supernodes:gateways",
        "gather_facts": False,
        "vars_files": [str(_ROLE / "vars" / "main.yml")],
        "tasks": [
            {"ansible.builtin.set_fact": {"found": f"{{{{ {expression} }}}}"}},
            {
                "ansible.builtin.copy": {"content": every, "dest": str(directory / "found"), "mode": "0600"},
                "run_once": True,
            },
        ],
    }
    # Defaults lie below what hosts say, which vars_files would not.
    defaults = yaml.safe_load((_ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    inventory = json.loads(_inventory(directory, hosts).read_text())
    inventory["all"]["vars"] = {**defaults, **inventory["all"]["vars"]}
    play_written(directory, [play], inventory, "-f", "2").succeeded()
    found: dict[str, Any] = json.loads((directory / "found").read_text())
    return found


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Host to its ruleset, in a world with sites of every transport."""
    template = f"lookup('ansible.builtin.template', '{_ROLE}/templates/firewall.nft.j2')"
    return _evaluate(tmp_path_factory.mktemp("firewall"), _HOSTS, template)


def _lines(text: str, chain: str) -> list[str]:
    found = re.search(rf"^    chain {chain} {{\n(.*?)^    }}", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for line in found[1].splitlines()] if found else []


def test_nft_reads_every_ruleset_and_makes_one_table(rendered: dict[str, str]) -> None:
    assert sorted(rendered) == sorted(_HOSTS)
    for name, text in rendered.items():
        # Twice, since the second time there is a table to replace; beside it one that is the operator's.
        script = (
            'nft add table ip mine && nft -f - <<< "$0" && nft -c -f - <<< "$0" && nft -f - <<< "$0" && nft list tables'
        )
        done = subprocess.run(
            ["unshare", "--net", "bash", "-c", script, text], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "table ip mine\ntable inet fact8ra\n"), name + done.stderr


def test_every_verdict_is_counted_and_says_why(rendered: dict[str, str]) -> None:
    for name, text in rendered.items():
        for line in text.splitlines():
            if re.search(r"\b(accept|drop|reject)\b", line) and not line.strip().startswith(("#", "type filter")):
                assert re.search(r'counter (accept|drop|reject with icmpx admin-prohibited) comment "[^"]+"$', line), (
                    name
                )
        for chain in ("input", "forward", "output"):
            assert _lines(text, chain)[0] == f"type filter hook {chain} priority filter; policy drop;"
            assert _lines(text, chain)[-1] in ('counter drop comment "everything else"', "goto refused")


def test_nothing_of_the_ruleset_is_flushed(rendered: dict[str, str]) -> None:
    for text in rendered.values():
        statements = [line for line in text.splitlines() if line and not line.startswith((" ", "#", "}"))]
        assert statements == ["table inet fact8ra", "delete table inet fact8ra", "table inet fact8ra {"]
        assert "flush" not in text


def _opened(text: str, chain: str, word: str) -> list[str]:
    return [line.partition(" counter ")[0] for line in _lines(text, chain) if word in line]


def test_the_ways_in(rendered: dict[str, str]) -> None:
    def inward(name: str) -> list[str]:
        return _opened(rendered[name], "input", "dport") + _opened(rendered[name], "input", "fact8ra0")

    dhcp = [
        "meta nfproto ipv4 udp sport 67 udp dport 68",
        "ip6 saddr fe80::/10 udp sport 547 udp dport 546",
    ]
    ssh, fleet = "ip saddr 10.71.255.0/24 tcp dport 22", "ip saddr 10.71.0.0/16 tcp dport 8443"
    tunnel = [
        'iifname "fact8ra0" ip saddr 10.199.0.0/24 tcp dport 8443',
        f'iifname "fact8ra0" ip6 saddr {_TUNNEL6} tcp dport 8443',
    ]
    hub = "ip saddr 10.71.0.0/16 udp dport 51820"
    # Only the first host of the group is the hub.
    assert inward("link") == [ssh, fleet, *tunnel, hub, *dhcp, *tunnel]
    assert inward("link_access") == [ssh, fleet, *tunnel, *dhcp, *tunnel]
    assert inward("link_sources")[:4] == [
        ssh,
        "ip saddr 192.0.2.0/24 tcp dport 22",
        "ip6 saddr 2001:db8:7::/48 tcp dport 22",
        fleet,
    ]
    assert inward("link_sources_unused") == inward("link_access"), "nobody is there who would come"
    assert inward("node_sources") == inward("node"), "users come to the SuperLink alone"
    assert inward("node") == inward("node_tunnel") == inward("node_apps") == [ssh, *dhcp]
    assert inward("gateway") == [ssh, hub, *dhcp]
    assert inward("link_v6")[:2] == ["ip6 saddr 2001:db8::/32 tcp dport 22", "meta nfproto ipv6 tcp dport 8443"]
    assert inward("link_ports")[:2] == [
        "ip saddr 10.71.255.0/24 tcp dport 2222",
        "ip saddr 10.71.0.0/16 tcp dport 9443",
    ]
    assert inward("link_more")[-4:-2] == [
        "ip saddr 192.0.2.7 tcp dport 9100-9105",
        "ip6 saddr 2001:db8::/32 tcp dport 9100-9105",
    ]


def test_a_gateway_forwards_to_the_superlink_alone(rendered: dict[str, str]) -> None:
    assert _opened(rendered["gateway"], "forward", "dport") == [
        'iifname "fact8ra0" ip daddr 10.199.0.1 tcp dport 8443',
        f'iifname "fact8ra0" ip6 daddr {_TUNNEL6.replace("/64", "1")} tcp dport 8443',
    ]
    for name in set(rendered) - {"gateway"}:
        assert len(_lines(rendered[name], "forward")) == 2, name


def test_a_supernode_dials_the_superlink_alone(rendered: dict[str, str]) -> None:
    def dialled(name: str) -> list[str]:
        return [line for line in _opened(rendered[name], "output", "995") if "8443" in line or "dport 53" in line]

    assert dialled("node") == dialled("node_none") == ["meta skuid { 0, 995 } ip daddr 10.71.1.10 tcp dport 8443"]
    assert dialled("node_v6") == ["meta skuid { 0, 995 } ip6 daddr 2001:db8::10 tcp dport 8443"]
    assert dialled("node_tunnel") == ["meta skuid { 0, 995 } ip daddr 10.199.0.1 tcp dport 8443"]
    assert dialled("node_name") == [
        "meta skuid { 0, 995 } tcp dport 8443",
        "meta skuid 995 udp dport 53",
        "meta skuid 995 tcp dport 53",
    ]
    assert dialled("link") == []


def test_peers_of_a_tunnel_send_to_its_hub(rendered: dict[str, str]) -> None:
    def sent(name: str) -> list[str]:
        return _opened(rendered[name], "output", "51820")

    assert sent("node_tunnel") == sent("node_gateway") == sent("link_access") == ["ip daddr 10.71.1.10 udp dport 51820"]
    assert sent("node") == sent("link") == sent("gateway") == []


def test_apps_stay_on_loopback_unless_allowed(rendered: dict[str, str]) -> None:
    def apps(name: str) -> list[str]:
        return [line.partition(" counter ")[0] for line in _lines(rendered[name], "apps")]

    control, runtime = (
        "ip daddr 127.0.0.0/8 ip daddr != 127.0.0.2 tcp dport 8000 goto refused",
        "ip daddr 127.0.0.2 tcp dport 8000",
    )
    loopback = [f"ip daddr 127.0.0.1 {protocol} dport 1024-65535" for protocol in ("tcp", "udp")]
    assert apps("link") == apps("link_access") == [control, runtime, "goto refused"]
    # Even who may reach every host may not reach the Control API.
    assert apps("link_open_apps") == [
        control,
        runtime,
        'counter accept comment "superlink_app_allowed_addresses"',
        "goto refused",
    ]
    assert apps("node") == [*loopback, "goto refused"]
    assert apps("node_apps") == [*loopback, "ip daddr 192.0.2.0/24", "ip6 daddr 2001:db8::/32", "goto refused"]
    for text in rendered.values():
        # Before connections that are open: what is taken away from apps ends what they have open.
        assert _lines(text, "output")[1] == "meta skuid 994 goto apps"


def test_users_of_the_control_api_reach_their_addresses_alone(rendered: dict[str, str]) -> None:
    assert _lines(rendered["link_access"], "output")[2] == "meta skgid 990 goto control"
    assert _opened(rendered["link_access"], "control", "accept") == ["ip daddr 127.1.0.0/16 tcp dport 8000"]
    for name in set(rendered) - {"link_access", "link_sources"}:
        assert "990" not in rendered[name]
    for name in (name for name in rendered if name.startswith("link")):
        output = _lines(rendered[name], "output")
        # Before loopback is let through, and after connections that are open, whose last packets are of no user.
        judged = output.index("ip daddr 127.0.0.0/8 tcp dport 8000 goto control_api")
        assert output.index(next(line for line in output if "established" in line)) < judged
        assert judged < output.index(next(line for line in output if line.startswith("oif lo ")))
        assert _opened(rendered[name], "control_api", "accept") == [
            "meta skuid { 0, 33, 995 } ip daddr 127.0.0.0/8 tcp dport 8000"
        ]


# Connects and closes as a user, and prints whether that worked; the server closes last.
_DIAL = """
import os, socket, sys, time
server = socket.create_server((sys.argv[2], 8000))
child = os.fork()
if child == 0:
    os.setuid(int(sys.argv[1]))
    try:
        client = socket.socket()
        client.connect((sys.argv[2], 8000))
        client.close()
        print("open", flush=True)
    except OSError:
        print("refused", flush=True)
        os._exit(1)
    os._exit(0)
if os.waitpid(child, 0)[1] == 0:
    connection = server.accept()[0]
    assert connection.recv(1) == b""
    # Until the answer to this end's last packet is there, which no process of the other end sends.
    connection.shutdown(socket.SHUT_WR)
    last_ack, end = 9, time.monotonic() + 2
    while connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == last_ack and time.monotonic() < end:
        pass
    connection.close()
"""


@pytest.mark.parametrize(
    ("user", "address", "outcome"),
    [
        (0, "127.0.0.1", "open"),
        (33, "127.0.0.1", "open"),
        (65534, "127.0.0.1", "refused"),
        (994, "127.0.0.1", "refused"),
        (994, "127.0.0.2", "open"),
    ],
)
def test_connections_to_the_control_api_end_as_they_should(
    rendered: dict[str, str], user: int, address: str, outcome: str
) -> None:
    script = 'ip link set lo up && nft -f - <<< "$0" && "${@:2}"; nft list chain inet fact8ra refused'
    dial = [sys.executable, "-c", _DIAL, str(user), address]
    command = ["unshare", "--net", "bash", "-c", script, rendered["link"], "bash", *dial]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[0] == outcome, done.stderr
    # Nothing of a connection that was let through is refused, to its last packet.
    assert ("packets 0 " in done.stdout) is (outcome == "open")


def test_root_reaches_onegate_and_the_index_and_so_does_who_lets_join_by_it(rendered: dict[str, str]) -> None:
    for name, text in rendered.items():
        users = [0, 995] if name == "link_join" else [0]
        expected = [f"meta skuid {user} ip daddr 10.71.1.1 tcp dport 5030" for user in users]
        assert _opened(text, "output", "5030") == expected
    assert _opened(rendered["link_index"], "output", "8081") == ["meta skuid 0 ip daddr 192.0.2.3 tcp dport 8081"]
    assert "8081" not in rendered["node_wheels"] + rendered["link"]
    assert not any("u:p" in text for text in rendered.values())


def test_the_operators_rules_are_the_last(rendered: dict[str, str]) -> None:
    assert _lines(rendered["link_more"], "output")[-2] == (
        'meta skuid 0 ip daddr 192.0.2.9 udp dport 514 counter accept comment "syslog"'
    )


@pytest.mark.parametrize("log", ["link", "link_ports"])
def test_what_is_refused_is_logged_on_request_alone(rendered: dict[str, str], log: str) -> None:
    logged = [line for line in rendered[log].splitlines() if " log prefix " in line]
    assert len(logged) == (2 if log == "link_ports" else 0)
    assert all("limit rate 5/minute" in line for line in logged)


def test_the_address_that_is_dialled_is_that_of_role_supernode_and_transport() -> None:
    def variables(role: str) -> dict[str, Any]:
        loaded: dict[str, Any] = {}
        for part in ("defaults", "vars"):
            loaded |= yaml.safe_load((_ROLES / role / part / "main.yml").read_text(encoding="utf-8"))
        return loaded

    own, node, link = (variables(role) for role in ("firewall", "supernode", "transport"))
    assert json.dumps(own["_firewall_dialled"]).replace("_firewall_", "_supernode_") == json.dumps(
        node["_supernode_dialled"]
    )
    expression = node["supernode_superlink_address"].strip("{ }").replace("_supernode_dialled", "_firewall_dialled")
    assert " ".join(own["_firewall_dial"].split()) == f"{{{{ supernode_superlink_address | default({expression}) }}}}"
    assert own["_firewall_interface"] == link["_transport_interface"]
    assert own["_firewall_transport_port"] == f"{{{{ transport_port | default({link['transport_port']}) }}}}"
    assert link["transport_network"] in own["_firewall_tunnel_networks"]
