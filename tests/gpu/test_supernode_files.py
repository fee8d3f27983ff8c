# A stand-in answers for the node here: nothing but cards of NVIDIA's and their driver makes the reports that are read.
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Roles nvidia_guest and supernode agree on what apps get, whichever of them is played, and how often."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[2]
_REPORTS = _ROOT / "tests" / "unit" / "gpu_guest" / "reports"
_SUPERNODE = _ROOT / "roles" / "supernode"
_FILES = ("node.toml.j2", "flower-superexec-client.service.j2")
_SECURE = {"secure_boot": True, "signing": "none"}
_OFF_THE_BUS = {"kernel_log": ["NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus."]}
_NO_DRIVER = {
    "loaded": "",
    "built": False,
    "smi": {"status": 127, "xml": "", "error": "", "list": "", "capabilities": ""},
}
# Name to what the node shows beside a healthy card, and the variables of its inventory.
_NODES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "healthy": ({}, {}),
    "ill": (_OFF_THE_BUS, {"nvidia_guest_required": False}),
    "unsigned": (_SECURE, {"nvidia_guest_required": False, "nvidia_guest_driver": "auto"}),
    "must-have-two": ({}, {"nvidia_guest_gpus": 2}),
}
# Answers as look.py of role nvidia_guest would on a node where everything is as the request wants it.
_LOOK = """#!{python} -I
import json, sys
request = json.loads(sys.argv[2])
found = json.load(open({found!r}, encoding="utf-8"))
package = {{"installed": "535.261.03-1", "known": True, "available": ["535.261.03-1"]}}
found["packages"] = {{name: package for name in request["packages"]}}
found["texts"] = {{path: "" for path in request["texts"]}}
found["units"] = {{name: {{"started": True, "enabled": True, "known": True}} for name in request["units"]}}
print(json.dumps(found))
"""


def _seen(**more: Any) -> dict[str, Any]:
    """What look.py saw of a healthy card."""
    report = (_REPORTS / "consumer.xml").read_text(encoding="utf-8")
    return {
        "id": "debian",
        "codename": "bookworm",
        "name": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.1.0-40-cloud-amd64",
        "headers": [],
        "built": True,
        "devices": [{"address": "0000:01:00.0", "device": "2204", "class": "0300", "driver": "nvidia"}],
        "secure_boot": False,
        "signing": "none",
        "loaded": "535.261.03",
        "library": "535.261.03",
        "nouveau": False,
        "sources": [],
        "different": [],
        "said": "",
        "smi": {"status": 0, "xml": report, "error": "", "list": "", "capabilities": ""},
        "kernel_log": [],
        "supernode": True,
        "docker": False,
        "runtimes": [],
        **more,
    }


def _play(place: Path, nodes: dict[str, Any], tasks: list[dict[str, Any]], *options: str) -> dict[str, Any]:
    """Play tasks on nodes; return the fact `told` of each, None where it failed."""
    hosts = {}
    for name, (more, variables) in nodes.items():
        (place / name).write_text(json.dumps(_seen(**more)))
        look = place / f"look-{name}"
        look.write_text(_LOOK.format(python=sys.executable, found=str(place / name)))
        look.chmod(0o755)
        hosts[name] = {"nvidia_guest_gpus": 1, "nvidia_guest_driver": "none", "flower_python": str(look), **variables}
    given = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "federation_name": "poc",
    }
    inventory = {"all": {"hosts": hosts, "vars": given}}
    answers = {name: f"{{{{ hostvars['{name}'].told | default(none) }}}}" for name in nodes}
    plays = [
        {
            "hosts": "all",
            "gather_facts": False,
            "vars_files": [str(_SUPERNODE / part / "main.yml") for part in ("defaults", "vars")],
            "tasks": tasks,
        },
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"answers": answers},
            "tasks": [
                {
                    "ansible.builtin.copy": {
                        "content": "{{ answers | to_json }}",
                        "dest": str(place / "told.json"),
                        "mode": "0644",
                    },
                    "check_mode": False,
                }
            ],
        },
    ]
    (place / "play.yml").write_text(yaml.safe_dump(plays))
    (place / "hosts.yml").write_text(yaml.safe_dump(inventory))
    (place / "templates").symlink_to(_SUPERNODE / "templates")
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "play.yml", *options]
    # The same on all, as only what differs is of interest.
    command += ["-e", "supernode_name=node"]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(_ROOT / ".collections"), "LC_ALL": "C.UTF-8"}
    environment |= {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_FORKS": "4"}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert (place / "told.json").is_file(), done.stdout + done.stderr
    told = json.loads((place / "told.json").read_text())
    return {name: told[name] or done.stdout for name in nodes}


_GUEST: dict[str, Any] = {"ansible.builtin.include_role": {"name": "fact8ra.flower.nvidia_guest"}}
_GPUS: dict[str, Any] = {"ansible.builtin.include_tasks": str(_SUPERNODE / "tasks" / "gpus.yml")}


def _tell(**facts: str) -> dict[str, Any]:
    return {"ansible.builtin.set_fact": {"told": f"{{{{ told | default({{}}) | combine({_expression(facts)}) }}}}"}}


def _expression(facts: dict[str, str]) -> str:
    return "{" + ", ".join(f"'{key}': {value}" for key, value in facts.items()) + "}"


_FILES_AS_WRITTEN = " ~ ".join(f"lookup('ansible.builtin.template', '{name}')" for name in _FILES)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The files of every node after site.yml and a second one, and of its twin after --tags supernodes alone."""
    twins = {f"{name}-alone": (more, {**variables, "alone": True}) for name, (more, variables) in _NODES.items()}
    role: dict[str, Any] = {**_GUEST, "when": "alone is not defined"}
    tasks = [role, _GPUS, _tell(first=_FILES_AS_WRITTEN), role, _GPUS, _tell(second=_FILES_AS_WRITTEN)]
    return _play(tmp_path_factory.mktemp("nodes"), _NODES | twins, tasks)


def test_every_way_writes_the_same_files(told: dict[str, Any]) -> None:
    for name in _NODES.keys() - {"must-have-two"}:
        node, twin = told[name], told[f"{name}-alone"]
        assert node["first"] == node["second"] == twin["first"], name


def test_a_node_whose_gpus_cannot_be_used_has_the_files_of_a_node_without(told: dict[str, Any]) -> None:
    assert '"gpu-count" = 1\n' in told["healthy"]["first"]
    assert "DeviceAllow=char-nvidia*" in told["healthy"]["first"]
    for name in ("ill", "unsigned"):
        text = told[name]["first"]
        assert "gpu" not in text
        assert "nvidia" not in text
        assert "PrivateDevices=yes" in text


def test_a_node_that_must_have_two_gpus_and_has_one_is_refused_both_ways(told: dict[str, Any]) -> None:
    assert "must-have-two: the VM has 1 NVIDIA GPU(s) on its bus, 2 are expected" in told["must-have-two"]
    refused = "must-have-two-alone must have 2 GPU(s) that apps can train on, and its driver shows 1: the driver has 1"
    assert refused in told["must-have-two-alone"]


def test_check_mode_tells_what_depends_on_a_driver_that_is_not_there(tmp_path: Path) -> None:
    facts = {
        "pending": "fact8ra_gpu_guest.pending",
        "predicted": "_supernode_templates | map(attribute='path')",
        "read": "_supernode_request.units['flower-superexec-client.service']",
    }
    nodes: dict[str, Any] = {"clean": (_NO_DRIVER, {}), "healthy": ({}, {}), "alone": (_NO_DRIVER, {"alone": True})}
    role: dict[str, Any] = {**_GUEST, "when": "alone is not defined"}
    told = _play(tmp_path, nodes, [role, _GPUS, _tell(**facts)], "--check")
    service = "/etc/systemd/system/flower-supernode.service"
    assert told["clean"]["pending"] is True
    assert told["clean"]["predicted"] == [service]
    assert told["healthy"]["pending"] is False
    assert len(told["healthy"]["predicted"]) == 3
    assert "/run/fact8ra-nvidia" in told["healthy"]["read"]
    assert "/run/fact8ra-nvidia" not in told["clean"]["read"]
    # Nothing in this run would install its driver, so that its SuperNode would be refused.
    assert "no NVIDIA driver is loaded" in told["alone"]
