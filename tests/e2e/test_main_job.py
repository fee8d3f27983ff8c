# SPDX-License-Identifier: Apache-2.0
"""From an empty lab to a trained model and back, in the order of the file; every step uses what the one before left."""

from __future__ import annotations

import json
import re
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from lab import STATE, Lab
from playbooks import play, play_until

pytestmark = [pytest.mark.lab, pytest.mark.root]

CONTROLLER = STATE / "controller" / "poc"
TASKS = [
    "site : Service",
    "flower : Install Flower and what apps need",
    "superlink : Place the certificates",
    "superlink : Register the SuperNodes",
    "supernode : Place the key and the trust",
]


def _created(output: str) -> set[str]:
    return set(re.findall(r"poc-(?:alpha|beta)(?:-superlink|-supernode)?", output))


def test_check_on_an_empty_lab_names_everything_and_changes_nothing(lab: Lab) -> None:
    before = lab.objects()
    predicted = play("site", "--check", "--diff").succeeded()
    assert lab.objects() == before
    assert not CONTROLLER.exists()
    assert _created(predicted.output) == {
        "poc-alpha",
        "poc-alpha-superlink",
        "poc-alpha-supernode",
        "poc-beta",
        "poc-beta-supernode",
    }


@pytest.mark.parametrize("name", TASKS)
def test_site_may_be_killed_in_any_role(lab: Lab, name: str) -> None:
    killed = play_until("site", f"TASK [fact8ra.flower.{name}]")
    assert f"[fact8ra.flower.{name}]" in killed.output, killed.tail()
    assert killed.returncode == -signal.SIGKILL


def test_a_new_run_finishes_what_the_killed_ones_began(lab: Lab) -> None:
    play("site").succeeded()
    assert set(lab.hosts()) == {"alpha-superlink-0", "alpha-supernode-0", "beta-supernode-0"}


def test_a_converged_federation_does_not_change(lab: Lab) -> None:
    again = play("site").succeeded()
    assert again.changed == 0, again.tail()
    print(f"site.yml on a converged federation: {again.seconds:.1f} s")


def test_check_on_a_converged_federation_predicts_no_change(lab: Lab) -> None:
    assert play("site", "--check", "--diff").succeeded().changed == 0


def test_training_meets_the_criteria(lab: Lab) -> None:
    trained = play("poc").succeeded()
    print(f"poc.yml: {trained.seconds:.1f} s")
    runs = sorted(CONTROLLER.glob("runs/*/run.json"))
    assert runs, trained.tail()
    for path in runs:
        run = json.loads(path.read_text(encoding="utf-8"))
        assert run["status"] == "finished:completed"
        assert run["failures"] == 0
        assert (path.parent / "model.npz").stat().st_size > 0
    first = max((json.loads(path.read_text(encoding="utf-8")) for path in runs), key=lambda run: len(run["rounds"]))
    assert [each["round"] for each in first["rounds"]] == [1, 2, 3, 4, 5]
    assert all(each["nodes"] == 2 for each in first["rounds"])
    assert first["rounds"][-1]["accuracy"] >= 0.93


def _status(url: str, ca: Path) -> int:
    context = ssl.create_default_context(cafile=str(ca))
    try:
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("path", ["/v1/control/list-nodes", "/v1/runtime/acquire-task", "/health", "/docs", "/"])
def test_nothing_but_fleet_passes(lab: Lab, path: str) -> None:
    address = lab.hosts()["alpha-superlink-0"]
    assert _status(f"https://{address}:8443{path}", CONTROLLER / "pki/trust.crt") in (403, 404)


def test_only_fleet_is_open_to_the_other_site(lab: Lab) -> None:
    hosts = lab.hosts()
    ports = [*range(1, 1024), 8000, 8443, 9091, 9092, 9093, 9094]
    probe = (
        "python3 - <<'END'\nimport socket\n"
        f"for port in {ports!r}:\n"
        "    s = socket.socket()\n    s.settimeout(2)\n"
        f"    if s.connect_ex(({hosts['alpha-superlink-0']!r}, port)) == 0:\n        print(port)\n    s.close()\nEND"
    )
    assert lab.run(hosts["beta-supernode-0"], probe).stdout.split() == ["8443"]


def test_a_stopped_supernode_is_named_with_its_journal(lab: Lab) -> None:
    address = lab.hosts()["beta-supernode-0"]
    lab.run(address, "systemctl stop flower-supernode")
    play("site", "--tags", "verify", "-e", "verify_timeout=5").failed_with("beta-supernode-0")
    play("site").succeeded()


def test_a_key_that_is_not_registered_is_refused(lab: Lab) -> None:
    address = lab.hosts()["beta-supernode-0"]
    superlink = lab.hosts()["alpha-superlink-0"]
    command = (
        "cd /tmp && rm -f stranger* && ssh-keygen -q -t ecdsa -b 384 -N '' -f stranger && "
        "FLWR_HOME=/tmp/stranger-home timeout 60 /opt/flower/venv/bin/flower-supernode "
        f"--superlink {superlink}:8443 --root-certificates /etc/flower/trust.crt "
        "--auth-supernode-private-key stranger --isolation process --port 9999 2>&1"
    )
    refused = lab.run(address, command, check=False)
    assert refused.returncode == 1
    assert "Exit Code: 305" in refused.stdout, refused.stdout


def test_a_foreign_ca_is_refused(lab: Lab, tmp_path: Path) -> None:
    foreign = tmp_path / "ca.crt"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-384",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=foreign",
            "-keyout",
            str(tmp_path / "ca.key"),
            "-out",
            str(foreign),
        ],
        check=True,
        capture_output=True,
    )
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        _status(f"https://{lab.hosts()['alpha-superlink-0']}:8443/v1/fleet/", foreign)
