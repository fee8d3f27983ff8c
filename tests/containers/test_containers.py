# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The roles with flower_runtime=container: deployed, looked at, trained with, and left for the virtual environment.

The image is made here with the layout of Flower's own, since no registry can be reached. The tests build on each other.
"""

from __future__ import annotations

import re

import playbooks
from container_hosts import Hosts

UNITS = {
    "link": ("flower-superlink", "flower-superexec-server"),
    "node": ("flower-supernode", "flower-superexec-client"),
}
USERS = ("flower", "flower-app")
# The process of Flower below podman's conmon.
FLOWER = "pid=$(cat /proc/$(systemctl show --value -p MainPID {0})/task/*/children | tr -d ' ')"
NODES = "journalctl --quiet -u flower-superlink -o cat --grep='Activated node_id' | grep -o 'node_id=.*' | sort -u"


def _train(hosts: Hosts, label: str) -> None:
    config = {"num-server-rounds": 1, "min-nodes": 1}
    app = str(playbooks.ROOT / "tests" / "apps" / "smoke")
    hosts.play(roles=("run",), run_app=app, run_label=label, run_config=config, run_min_nodes=1).succeeded()


def test_check_mode_predicts_a_clean_host(hosts: Hosts) -> None:
    played = hosts.contained("--check", "--diff").succeeded()
    assert played.recap["link"]["changed"] > 0
    assert played.recap["node"]["changed"] > 0
    for host in UNITS:
        assert hosts.run(host, "ls /etc/containers/systemd/*.container /etc/flower", check=False).returncode != 0


def test_the_federation_comes_up_and_a_second_run_changes_nothing(hosts: Hosts) -> None:
    hosts.contained().succeeded()
    assert hosts.contained().succeeded().changed == 0


def test_containers_are_confined_as_the_services_were(hosts: Hosts) -> None:
    for host, units in UNITS.items():
        for unit, user in zip(units, USERS, strict=True):
            looked = hosts.run(
                host, FLOWER.format(unit) + '; cat /proc/$pid/status; echo "user: $(stat -c %U /proc/$pid)"'
            )
            status = dict(line.split(":", 1) for line in looked.stdout.splitlines() if ":" in line)
            assert status["user"].strip() == user, unit
            assert status["NoNewPrivs"].strip() == "1", unit
            assert int(status["CapBnd"], 16) == 0, unit
            assert status["Seccomp"].strip() == "2", unit
            # In the unit's own control group, where systemd refuses addresses.
            assert (
                f"/system.slice/{unit}.service"
                in hosts.run(host, FLOWER.format(unit) + "; cat /proc/$pid/cgroup").stdout
            )
            written = hosts.run(host, FLOWER.format(unit) + "; nsenter -m -t $pid touch /python/x", check=False)
            assert "Read-only file system" in written.stderr, unit


def test_apps_see_no_key_and_no_state_of_the_daemon(hosts: Hosts) -> None:
    inside = (
        FLOWER.format("flower-superexec-client") + "; nsenter -m -t $pid ls -A /run/flower /etc/flower /var/lib/flower"
    )
    seen = hosts.run("node", inside, check=False).stdout
    assert "superexec.secret" in seen
    assert "supernode" not in seen
    outside = "runuser -u flower-app -- cat /run/flower-supernode/secrets/supernode.key"
    assert "Permission denied" in hosts.run("node", outside, check=False).stderr


def test_nothing_of_the_virtual_environment_is_on_a_supernode(hosts: Hosts) -> None:
    assert hosts.run("node", "ls /opt/flower/venv", check=False).returncode != 0
    assert hosts.run("link", "/opt/flower/venv/bin/flwr --version").returncode == 0


def test_a_round_is_trained(hosts: Hosts) -> None:
    _train(hosts, "contained")


def test_another_digest_than_the_archives_is_refused(hosts: Hosts) -> None:
    wrong = re.sub("sha256:.*", "sha256:" + "0" * 64, hosts.archive.image)
    played = hosts.contained(flower_superlink_image=wrong)
    played.failed_with("is in none of flower_image_archives", hosts.archive.image)
    assert hosts.run("link", "systemctl is-active flower-superlink").stdout == "active\n"


def test_the_virtual_environment_takes_over_with_state_and_keys(hosts: Hosts) -> None:
    before = hosts.run("link", NODES).stdout
    hosts.play().succeeded()
    assert hosts.play().succeeded().changed == 0
    for host, units in UNITS.items():
        for unit in units:
            shown = hosts.run(host, f"systemctl show -p FragmentPath -p UnitFileState {unit}").stdout
            assert set(shown.split()) == {f"FragmentPath=/etc/systemd/system/{unit}.service", "UnitFileState=enabled"}
        assert hosts.run(host, "find /etc/containers/systemd -type f").stdout == ""
        assert hosts.run(host, "podman ps --all --quiet").stdout == ""
    assert hosts.run("link", NODES).stdout == before
    _train(hosts, "environment")


def test_and_containers_take_over_again(hosts: Hosts) -> None:
    hosts.contained().succeeded()
    assert hosts.contained().succeeded().changed == 0
    assert hosts.run("link", "ls /etc/systemd/system/flower-superlink.service", check=False).returncode != 0
