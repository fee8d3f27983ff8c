# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What role transport writes on a hub, a gateway, the SuperLink and the peers, and which keys it takes."""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from playbooks import play_written

_ROOT = Path(__file__).parents[3]
_ROLE = _ROOT / "roles" / "transport"
_TEMPLATES = ("wireguard.conf", "filter.nft", "unit.conf", "sysctl.conf", "nftables.service.conf")
_HOSTS = {"link": "alpha", "gate": "", "node-b": "beta", "node-c": "gamma"}
KEYS = {name: base64.b64encode(bytes([number]) * 32).decode() for number, name in enumerate(_HOSTS, 1)}

Files = Mapping[str, Mapping[str, str]]

# Keys that node-c tells, by what is wrong with them.
_BAD_KEYS = {"none": "", "same": KEYS["node-b"], "wrong": KEYS["node-c"] + "\nPostUp = id", "right": KEYS["node-c"]}


def _judging(written: Path) -> list[dict[str, Any]]:
    """Plays in which the hub judges the keys of its peers, and leaves why it refused them."""
    plays = []
    for name, key in _BAD_KEYS.items():
        told = {"hosts": "node-c", "tasks": [{"ansible.builtin.set_fact": {"__transport_public_key": key}}]}
        judged = {
            "hosts": "link",
            "vars_files": [str(_ROLE / "vars" / "main.yml")],
            "tasks": [
                {
                    "block": [{"ansible.builtin.include_tasks": str(_ROLE / "tasks" / "keys.yml")}],
                    "rescue": [
                        {
                            "ansible.builtin.copy": {
                                "content": "{{ ansible_failed_result.msg }}",
                                "dest": f"{written}/refused.{name}",
                                "mode": "0600",
                            }
                        }
                    ],
                }
            ],
        }
        plays += [{"connection": "local", "gather_facts": False, **play} for play in (told, judged)]
    return plays


def _write(directory: Path, variables: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]) -> Files:
    """The files of the role on every host, by name of host and template."""
    addresses = {"node-b": ["10.199.0.3", "fd00:1::3"], "node-c": ["10.199.0.4", "fd00:1::4"]}
    if variables.get("transport_network") == "":
        addresses = {name: [one for one in both if ":" in one] for name, both in addresses.items()}
    # In the inventory, so that the variables of a test come before them.
    defaults = yaml.safe_load((_ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    told = {
        name: {
            "ansible_host": f"192.0.2.{number}",
            "site_name": site,
            "__transport_public_key": KEYS[name],
            "__transport_addresses": {"tunnel": {"addresses": addresses}},
            "__transport_look": {"stdout": json.dumps({"ipv6": True, "interface": None, **hosts.get(name, {})})},
        }
        for number, (name, site) in enumerate(_HOSTS.items(), 1)
    }
    inventory = {
        "all": {
            "vars": {**defaults, "federation_name": "poc", "transport_network6": "fd00:1::/64", **variables},
            "children": {
                "sites": {
                    "hosts": {
                        "alpha": {"site_superlink": True},
                        "beta": {"site_transport": "wireguard", "site_network_mtu": 1450},
                        "gamma": {"site_transport": "wireguard"},
                    }
                },
                "superlink": {"hosts": {"link": told["link"]}},
                "supernodes": {"hosts": {name: told[name] for name in ("node-b", "node-c")}},
                "others": {"hosts": {"gate": told["gate"]}},
            },
        }
    }
    written = directory / "written"
    written.mkdir()
    play = {
        "hosts": "all:!sites",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(_ROLE / "vars" / "main.yml")],
        "tasks": [
            {
                "ansible.builtin.copy": {
                    "content": "{{ written | to_json }}",
                    "dest": f"{written}/{{{{ inventory_hostname }}}}",
                    "mode": "0600",
                },
                "vars": {
                    "written": {
                        name: f"{{{{ lookup('ansible.builtin.template', '{_ROLE}/templates/{name}.j2') }}}}"
                        for name in _TEMPLATES
                    }
                },
                "when": "inventory_hostname != 'gate' or transport_hub == 'gate'",
            }
        ],
    }
    play_written(directory, [play, *_judging(written)], inventory).succeeded()
    return {path.name: json.loads(path.read_text()) for path in written.iterdir() if path.name in _HOSTS} | {
        "refused": {path.suffix[1:]: path.read_text() for path in written.glob("refused.*")}
    }


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The SuperLink is the hub; a SuperNode has no IPv6."""
    return _write(
        tmp_path_factory.mktemp("plain"), {"superlink_address": "link.example.org"}, {"node-c": {"ipv6": False}}
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A gateway is the hub, reached over IPv6, and there is only IPv6 inside."""
    variables = {
        "transport_hub": "gate",
        "transport_endpoint": "2001:db8::7",
        "transport_port": 443,
        "transport_network": "",
        "superlink_fleet_port": 9443,
    }
    return _write(tmp_path_factory.mktemp("gateway"), variables, {})


@pytest.mark.slow
def test_the_hub_takes_no_key_that_is_none_or_that_two_peers_have(plain: Files) -> None:
    refused = plain["refused"]
    assert sorted(refused) == ["none", "same", "wrong"]
    assert "node-c told none: the play must reach them too" in refused["none"]
    assert "node-b, node-c told the same key as another peer; remove /etc/wireguard/fact8ra0.key" in refused["same"]
    assert "node-c told something that is not 32 bytes in base64" in refused["wrong"]
    assert "PostUp" not in refused["wrong"]


def _of_hosts(files: Files) -> Files:
    return {name: one for name, one in files.items() if name in _HOSTS}


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.slow
def test_the_hub_gives_every_peer_its_own_addresses_alone(plain: Files) -> None:
    assert sorted(plain) == ["link", "node-b", "node-c", "refused"]
    assert _lines(plain["link"]["wireguard.conf"]) == [
        "[Interface]",
        "Address = 10.199.0.1/24",
        "Address = fd00:1::1/64",
        "MTU = 1370",
        "ListenPort = 51820",
        "[Peer]",
        f"PublicKey = {KEYS['node-b']}",
        "AllowedIPs = 10.199.0.3/32, fd00:1::3/128",
        "[Peer]",
        f"PublicKey = {KEYS['node-c']}",
        "AllowedIPs = 10.199.0.4/32, fd00:1::4/128",
    ]


@pytest.mark.slow
def test_a_peer_sends_to_the_superlink_alone(plain: Files) -> None:
    assert _lines(plain["node-b"]["wireguard.conf"]) == [
        "[Interface]",
        "Address = 10.199.0.3/32",
        "Address = fd00:1::3/128",
        "MTU = 1370",
        "[Peer]",
        f"PublicKey = {KEYS['link']}",
        "AllowedIPs = 10.199.0.1/32, fd00:1::1/128",
        "Endpoint = link.example.org:51820",
        "PersistentKeepalive = 25",
    ]
    without = plain["node-c"]["wireguard.conf"]
    assert "Address = 10.199.0.4/32\nMTU" in without
    assert "AllowedIPs = 10.199.0.1/32\n" in without


@pytest.mark.slow
def test_a_gateway_passes_on_what_is_for_the_superlink(gateway: Files) -> None:
    assert _lines(gateway["gate"]["wireguard.conf"]) == [
        "[Interface]",
        "Address = fd00:1::2/64",
        "MTU = 1370",
        "ListenPort = 443",
        "[Peer]",
        f"PublicKey = {KEYS['node-b']}",
        "AllowedIPs = fd00:1::3/128",
        "[Peer]",
        f"PublicKey = {KEYS['node-c']}",
        "AllowedIPs = fd00:1::4/128",
        "[Peer]",
        f"PublicKey = {KEYS['link']}",
        "AllowedIPs = fd00:1::1/128",
    ]
    assert _lines(gateway["link"]["wireguard.conf"]) == [
        "[Interface]",
        "Address = fd00:1::1/64",
        "MTU = 1370",
        "[Peer]",
        f"PublicKey = {KEYS['gate']}",
        "AllowedIPs = fd00:1::2/128, fd00:1::3/128, fd00:1::4/128",
        "Endpoint = [2001:db8::7]:443",
        "PersistentKeepalive = 25",
    ]
    assert "AllowedIPs = fd00:1::1/128, fd00:1::2/128\n" in gateway["node-b"]["wireguard.conf"]
    rules = [line.strip() for line in gateway["gate"]["filter.nft"].splitlines() if "fact8ra0" in line]
    assert rules == [
        'iifname != "fact8ra0" return',
        'iifname "fact8ra0" oifname "fact8ra0" ip6 daddr fd00:1::1 tcp dport 9443 accept',
        'iifname "fact8ra0" oifname "fact8ra0" ip6 saddr fd00:1::1 ct state established,related accept',
        'iifname "fact8ra0" drop',
        'oifname "fact8ra0" drop',
    ]
    assert _lines(gateway["gate"]["sysctl.conf"]) == ["net.ipv6.conf.all.forwarding = 1"]


@pytest.mark.slow
def test_the_fleet_api_alone_is_open_and_only_at_the_superlink(plain: Files, gateway: Files) -> None:
    for files, port in ((plain, 8443), (gateway, 9443)):
        opened = {
            name: re.findall(r"^ *tcp dport (\d+) accept$", one["filter.nft"], re.M)
            for name, one in _of_hosts(files).items()
        }
        assert {name for name, ports in opened.items() if ports} == {"link"}
        assert opened["link"] == [str(port)]
        for name, one in _of_hosts(files).items():
            forwarded = [line for line in one["filter.nft"].splitlines() if "oifname" in line and "accept" in line]
            assert bool(forwarded) == (name == "gate")
            assert ("sysctl" in one["unit.conf"]) == (name == "gate")


@pytest.mark.slow
def test_nothing_private_is_in_a_file_of_the_controller(plain: Files) -> None:
    for one in _of_hosts(plain).values():
        assert "PrivateKey" not in one["wireguard.conf"]
        assert not re.search(r"Post(Up|Down)|Pre(Up|Down)", one["wireguard.conf"])
        # The key is read where it is needed; no argument list has it.
        assert 'printf "[Interface]\\\\nPrivateKey = "; cat /etc/wireguard/fact8ra0.key ' in one["unit.conf"]


@pytest.mark.slow
def test_systemd_reads_the_unit(plain: Files, gateway: Files, tmp_path: Path) -> None:
    for number, text in enumerate((plain["link"]["unit.conf"], gateway["gate"]["unit.conf"])):
        unit = tmp_path / f"tunnel{number}.service"
        programs = re.sub(r"/usr/(s?bin)/(wg-quick|wg|nft|sysctl)\b", "/bin/true", text)
        unit.write_text(re.sub(r"^\[Service\]", "[Service]\nType=oneshot\nRemainAfterExit=yes", programs, flags=re.M))
        command = ["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", str(unit)]
        judged = subprocess.run(command, capture_output=True, text=True, check=False)
        assert str(unit) not in judged.stderr, judged.stderr
        assert judged.returncode == 0, judged.stderr


def _key_form() -> str:
    variables = yaml.safe_load((_ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    return str(variables["_transport_key_form"])


def test_public_keys_are_32_bytes_and_nothing_else() -> None:
    form, drawn = re.compile(_key_form()), random.Random(7)
    for _number in range(500):
        key = base64.b64encode(drawn.randbytes(32)).decode()
        assert form.match(key)
        position = drawn.randrange(len(key))
        damaged = key[:position] + drawn.choice("\n\r\t\0 $`;#'\"=éß\u2028-_[]") + key[position + 1 :]
        assert damaged == key or not form.match(damaged)
        # The last character has two bits to spare, which have to be zero.
        other = key[:42] + drawn.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") + "="
        assert bool(form.match(other)) == (base64.b64encode(base64.b64decode(other)).decode() == other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A" * 43 + "=",
        "A" * 44,
        KEYS["link"] + "\n",
        KEYS["link"] + "\nPostUp = id",
        "A" * 65536,
        KEYS["link"][1:],
        " " + KEYS["link"],
    ],
)
def test_what_is_no_public_key(text: str) -> None:
    assert not re.match(_key_form(), text)
