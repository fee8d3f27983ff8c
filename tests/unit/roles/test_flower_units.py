# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The units of SuperLink and SuperNode, written by Ansible and judged by systemd and a TOML reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import rendering
import yaml

pytestmark = pytest.mark.slow

_ROLES = Path(__file__).parents[3] / "roles"
_UNITS = {
    "superlink": ["flower-superlink.service", "flower-superexec-server.service"],
    "supernode": ["flower-supernode.service", "flower-superexec-client.service"],
}
_STRINGS = [
    "two words",
    "it's",
    'a "quote"',
    "back\\slash \\u0041 \\",
    "$HOME ${PATH} %h %%",
    "# no comment = [x]",
    "Málaga 東京 🌼",
    "",
]


def _write(directory: Path, ipv6: bool = True, **variables: Any) -> Path:
    """Write units, drop-in and node configuration below a directory as they would lie on a node."""
    system = directory / "etc" / "systemd" / "system"
    (system / "flower-.service.d").mkdir(parents=True)
    files = {"flower/templates/flower.conf.j2": system / "flower-.service.d" / "10-fact8ra.conf"}
    for role, names in _UNITS.items():
        files |= {f"{role}/templates/{name}.j2": system / name for name in names}
    files |= {
        "supernode/templates/node.toml.j2": directory / "node.toml",
        "flower/templates/flower.env.j2": directory / "flower.env",
        "superlink/templates/flower-fleet.conf.j2": directory / "flower-fleet.conf",
    }
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [
            str(_ROLES / role / part / "main.yml") for role in ("flower", *_UNITS) for part in ("defaults", "vars")
        ],
        "tasks": [
            {
                "ansible.builtin.template": {"src": "{{ item.src }}", "dest": "{{ item.dest }}", "mode": "0644"},
                "loop": [{"src": str(_ROLES / source), "dest": str(target)} for source, target in files.items()],
            }
        ],
    }
    (directory / "play.yml").write_text(yaml.safe_dump([play]))
    given = {
        "ansible_python_interpreter": sys.executable,
        "federation_name": "poc",
        "supernode_superlink_address": "192.0.2.10",
        "__flower_look": {"stdout": json.dumps({"ipv6": ipv6})},
        **variables,
    }
    (directory / "variables.json").write_text(json.dumps(given))
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        "-i",
        "localhost,",
        "play.yml",
        "-e",
        "@variables.json",
    ]
    collections = str(_ROLES.parent / ".collections")
    environment = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_COLLECTIONS_PATH": collections}
    environment["LC_ALL"] = "C.UTF-8"
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return system


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything by default."""
    return _write(tmp_path_factory.mktemp("strict"))


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every option that opens something, and strings that are hard to quote, on hosts without IPv6."""
    return _write(
        tmp_path_factory.mktemp("loose"),
        ipv6=False,
        superlink_app_allowed_addresses=["any"],
        supernode_app_allowed_addresses=["192.0.2.0/24", "2001:db8::/32"],
        supernode_devices=["/dev/nvidia0", "char-nvidia-uvm"],
        supernode_superlink_address="2001:db8::10",
        superlink_fleet_bind=["192.0.2.10", "[::]"],
        superlink_fleet_port=9443,
        supernode_name="node",
        supernode_node_config={
            **{f"string-{number}": value for number, value in enumerate(_STRINGS)},
            "a key.with 'quotes\"": 1,
            "share": 0.5,
            "flag": True,
        },
        flower_environment={"HTTP_PROXY": 'http://u:p"$`\\@proxy', "FLWR_LOG_LEVEL": "DEBUG"},
    )


_CARD = {
    "index": 0,
    "uuid": "GPU-513536b6-7d19-9063-b049-1e69664bb298",
    "name": "NVIDIA A100-SXM4-80GB",
    "memory_mb": 81920,
    "mig": [],
}


@pytest.fixture(scope="module")
def gpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node with two GPUs of which apps may use both."""
    return _write(
        tmp_path_factory.mktemp("gpus"),
        fact8ra_gpu_guest={"gpus": [_CARD, {**_CARD, "index": 1, "uuid": "GPU-0", "memory_mb": 40960}], "usable": True},
        nvidia_guest_memory_fraction=0.5,
        nvidia_guest_frameworks=["torch"],
    )


@pytest.mark.parametrize(
    ("setting", "unit"),
    [
        *((setting, unit) for setting in ("strict", "loose") for units in _UNITS.values() for unit in units),
        # GPUs are in no other unit.
        ("gpus", "flower-superexec-client.service"),
    ],
)
def test_systemd_finds_little_exposure(request: pytest.FixtureRequest, setting: str, unit: str) -> None:
    system: Path = request.getfixturevalue(setting)
    root = system.parents[2]
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", f"--root={root}", unit]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    # The drop-in counts, or the verdict would be about something else.
    assert "✓ ProtectProc=" in judged.stdout


def test_apps_reach_the_runtime_api_alone_unless_allowed(strict: Path, loose: Path) -> None:
    def settings(system: Path, unit: str) -> list[str]:
        return [
            line
            for line in (system / unit).read_text().splitlines()
            if line.startswith(("IPAddress", "Inaccessible", "Device", "Private"))
        ]

    assert settings(strict, "flower-superexec-client.service") == [
        "IPAddressAllow=127.0.0.1",
        "InaccessiblePaths=-/run/dbus -/run/nscd",
        "IPAddressDeny=any",
        "InaccessiblePaths=-/run/systemd/resolve",
        "PrivateDevices=yes",
    ]
    assert settings(loose, "flower-superexec-client.service") == [
        "IPAddressAllow=127.0.0.1 192.0.2.0/24 2001:db8::/32",
        "InaccessiblePaths=-/run/dbus -/run/nscd",
        "IPAddressDeny=any",
        "InaccessiblePaths=-/run/systemd/resolve",
        "DevicePolicy=closed",
        "DeviceAllow=/dev/nvidia0 rw",
        "DeviceAllow=char-nvidia-uvm rw",
    ]
    assert settings(strict, "flower-superexec-server.service") == [
        "IPAddressAllow=127.0.0.2",
        "IPAddressDeny=any",
        "InaccessiblePaths=-/run/dbus -/run/nscd",
        "InaccessiblePaths=-/run/systemd/resolve",
        "PrivateDevices=yes",
    ]
    # Even who may reach every host may not reach the Control API.
    assert settings(loose, "flower-superexec-server.service") == [
        "IPAddressAllow=127.0.0.2",
        "IPAddressDeny=127.0.0.1 127.0.0.3 127.1.0.0/16",
        "InaccessiblePaths=-/run/dbus -/run/nscd",
        "PrivateDevices=yes",
    ]


def test_every_unit_is_started_again_whatever_ends_it(strict: Path) -> None:
    common = (strict / "flower-.service.d" / "10-fact8ra.conf").read_text()
    assert "\nRestart=always\n" in common
    assert "\nStartLimitIntervalSec=0\n" in common
    for names in _UNITS.values():
        for name in names:
            text = (strict / name).read_text()
            assert "\nRestartSec=" in text
            assert "Restart=" not in text


def test_the_superlink_is_away_for_less_than_a_run_bears(strict: Path) -> None:
    assert "TimeoutStopSec=3\n" in (strict / "flower-superlink.service").read_text()


def test_the_superlink_is_on_loopback_with_authentication(strict: Path) -> None:
    text = (strict / "flower-superlink.service").read_text()
    for argument in (
        "--host 127.0.0.1 --port 8000",
        "--enable-supernode-auth",
        "--isolation process",
        "--database /var/lib/flower/superlink/state.db",
        "--ssl-keyfile %d/superlink.key",
        "--superexec-auth-secret-file %d/superexec.secret",
    ):
        assert argument in text
    assert "--insecure" not in text


def test_an_ipv6_superlink_is_dialled_in_brackets(strict: Path, loose: Path) -> None:
    assert "--superlink 192.0.2.10:8443 " in (strict / "flower-supernode.service").read_text()
    assert "--superlink [2001:db8::10]:9443 " in (loose / "flower-supernode.service").read_text()


def test_the_node_configuration_survives_quoting(strict: Path, loose: Path) -> None:
    assert tomllib.loads((strict.parents[2] / "node.toml").read_text(encoding="utf-8")) == {
        "name": "localhost",
        "site": "",
        "data-path": "/var/lib/flower/data",
    }
    found = tomllib.loads((loose.parents[2] / "node.toml").read_text(encoding="utf-8"))
    assert [found[f"string-{number}"] for number in range(len(_STRINGS))] == _STRINGS
    assert (found["a key.with 'quotes\""], found["share"], found["flag"]) == (1, 0.5, True)


def test_the_environment_is_quoted_for_systemd(loose: Path) -> None:
    # systemd.exec(5): backslash escapes count inside double quotes, as in a shell, but nothing is expanded.
    text = (loose.parents[2] / "flower.env").read_text()
    assert 'HTTP_PROXY="http://u:p\\"\\$\\`\\\\@proxy"\n' in text
    for line in ('FLWR_TELEMETRY_ENABLED="0"', 'FLWR_DISABLE_UPDATE_CHECK="1"', 'UV_OFFLINE="1"'):
        assert f"{line}\n" in text


def test_one_api_is_passed_on_at_each_address(strict: Path, loose: Path) -> None:
    def servers(system: Path) -> list[list[str]]:
        words = ("listen ", "location /v1", "proxy_pass ")
        text = (system.parents[2] / "flower-fleet.conf").read_text()
        return [
            [line.strip() for line in server.splitlines() if line.strip().startswith(words)]
            for server in text.split("\nserver {")[1:]
        ]

    fleet = ["location /v1/fleet/ {", "proxy_pass https://flower_superlink/v1/fleet/;"]
    runtime = [
        "listen 127.0.0.2:8000 ssl;",
        "location /v1/runtime/ {",
        "proxy_pass https://flower_superlink/v1/runtime/;",
    ]
    assert servers(strict) == [["listen 0.0.0.0:8443 ssl;", "listen [::]:8443 ssl ipv6only=on;", *fleet], runtime]
    assert servers(loose) == [["listen 192.0.2.10:9443 ssl;", *fleet], runtime]
    assert (strict.parents[2] / "flower-fleet.conf").read_text().count("proxy_ssl_verify on;") == 2
    assert "--runtime-api-address 127.0.0.2:8000 " in (strict / "flower-superexec-server.service").read_text()


def _lines(system: Path, *begin: str) -> list[str]:
    text = (system / "flower-superexec-client.service").read_text()
    return [line for line in text.splitlines() if line.startswith(begin)]


def test_apps_reach_the_gpus_and_nothing_sets_what_hides_them(gpus: Path) -> None:
    assert _lines(gpus, "Device", "Private", "Restrict") == [
        "DevicePolicy=closed",
        "DeviceAllow=char-nvidia* rw",
        "RestrictAddressFamilies=AF_NETLINK",
    ]
    assert _lines(gpus, "Environment")[1:] == [
        "Environment=CUDA_DEVICE_ORDER=PCI_BUS_ID",
        "Environment=TF_FORCE_GPU_ALLOW_GROWTH=true",
        "Environment=XLA_PYTHON_CLIENT_MEM_FRACTION=0.5",
        "Environment=XLA_PYTHON_CLIENT_PREALLOCATE=false",
    ]
    assert _lines(gpus, "After=", "Wants=") == [
        "After=flower-supernode.service",
        "Wants=fact8ra-nvidia.service",
        "After=fact8ra-nvidia.service",
    ]
    assert tomllib.loads((gpus.parents[2] / "node.toml").read_text()) == {
        "name": "localhost",
        "site": "",
        "data-path": "/var/lib/flower/data",
        "gpu-count": 2,
        "gpu-name": "NVIDIA A100-SXM4-80GB",
        "gpu-memory-mb": 40960,
        "gpu-memory-fraction": 0.5,
        "gpu-framework": "torch",
    }


def test_nodes_without_gpus_have_nothing_of_them(strict: Path, loose: Path) -> None:
    words = ("nvidia", "cuda", "gpu", "netlink", "xla")
    for system in (strict, loose):
        for path in (system / "flower-superexec-client.service", system.parents[2] / "node.toml"):
            lines = [
                line for line in path.read_text(encoding="utf-8").lower().splitlines() if "deviceallow" not in line
            ]
            assert not [line for line in lines if any(word in line for word in words)], path
    # The devices of the operator's stay as they are.
    assert "DeviceAllow=char-nvidia-uvm rw" in (loose / "flower-superexec-client.service").read_text()


def test_visible_devices_restrict() -> None:
    given = {
        "fact8ra_gpu_guest": {
            "gpus": [_CARD, {**_CARD, "index": 1, "uuid": "GPU-0", "memory_mb": 40960}],
            "usable": True,
        },
        "nvidia_guest_visible_devices": [1],
        "nvidia_guest_memory_growth": False,
    }
    unit = rendering.render("supernode", "flower-superexec-client.service.j2", given, {}).splitlines()
    assert [line for line in unit if line.startswith(("Environment=C", "Environment=T", "Environment=X", "Rest"))] == [
        "RestartSec=3",
        "Environment=CUDA_DEVICE_ORDER=PCI_BUS_ID",
        "Environment=CUDA_VISIBLE_DEVICES=1",
    ]
    config = tomllib.loads(rendering.render("supernode", "node.toml.j2", given, {}))
    assert (config["gpu-count"], config["gpu-memory-mb"]) == (1, 40960)


def test_what_would_keep_cuda_from_the_gpu_is_not_in_the_apps_unit(gpus: Path) -> None:
    """CUDA compiles kernels to memory, reads /proc/driver/nvidia and opens devices; systemd.exec(5)."""
    both = (gpus / "flower-superexec-client.service").read_text()
    both += (gpus / "flower-.service.d" / "10-fact8ra.conf").read_text()
    for directive in ("MemoryDenyWriteExecute=", "ProcSubset=", "PrivateDevices=", "~@resources", "LimitMEMLOCK="):
        assert directive not in both
