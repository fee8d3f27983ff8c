# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The Flower modules against a real federation: what they promise, and every failure that they promise to name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._flower import identity as keys

SMOKE = str(Path(__file__).parents[2] / "apps" / "smoke")

pytestmark = [pytest.mark.flwr, pytest.mark.slow, pytest.mark.xdist_group("flower")]


def submit(federation: Any, label: str, *flags: str, **arguments: Any) -> dict[str, Any]:
    """Submit the smoke app; arguments with names of its configuration are overrides."""
    return federation.module("flower_run", *flags, app=SMOKE, label=label, **arguments)


def follow(federation: Any, state: str, label: str, *flags: str, **arguments: Any) -> dict[str, Any]:
    """Wait for a run, never longer than four minutes unless told."""
    return federation.module("flower_run", *flags, state=state, label=label, **{"wait_timeout": 240, **arguments})


def test_a_superlink_that_is_down(cold: Any, free_port: int) -> None:
    down = f"127.0.0.1:{free_port}"
    for name, arguments in {
        "flower_federation_info": {},
        "flower_supernode": {"supernodes": []},
        "flower_run": {"app": SMOKE},
    }.items():
        result = cold.module(name, **{"address": down, **arguments})
        assert result["failed"], name
        assert result["failure"]["code"] == "refused", result
        assert down in result["msg"]
        assert "flower-superlink running" in result["msg"]
    assert (
        not (cold.state_directory / "labels.json").exists()
        or down not in (cold.state_directory / "labels.json").read_text()
    )


def test_trust_that_does_not_fit(federation: Any, other_certificate: Path) -> None:
    wrong = federation.module("flower_federation_info", root_certificates=str(other_certificate))
    assert wrong["failure"]["code"] == "tls_authority"
    missing = federation.module("flower_federation_info", root_certificates="/nonexistent.crt")
    assert missing["failure"]["code"] == "trust"
    assert "root_certificates /nonexistent.crt" in missing["msg"]


def test_an_interpreter_without_flwr(cold: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(cold), "python", property(lambda _self: "/usr/bin/python3"))
    result = cold.module("flower_federation_info")
    assert result["failure"]["code"] == "flwr_missing"
    assert "ansible_python_interpreter" in result["msg"]


def test_nodes_and_health(federation: Any) -> None:
    info = federation.module("flower_federation_info", expected=["node-a", "node-x"])
    assert not info["changed"]
    assert info["missing"] == ["node-x"]
    assert info["unexpected"] == ["node-b"]
    assert info["health"]["status"] == 200
    assert abs(info["health"]["clock_offset"]) < 3
    node = next(node for node in info["nodes"] if node["name"] == "node-a")
    assert node["status"] == "online"
    assert node["online_since"]
    assert node["last_heartbeat"]
    assert node["fingerprint"].startswith("SHA256:")
    assert isinstance(node["node_id"], str)


def test_supernodes_come_and_go(federation: Any) -> None:
    node = {"name": "node-c", "public_key": federation.keys["node-c"][1], "location": "40.4168,-3.7038"}
    planned = federation.module("flower_supernode", "--check", supernodes=[node])
    assert planned["changed"]
    assert planned["registered"] == ["node-c"]
    assert len(federation.module("flower_federation_info")["nodes"]) == 2

    made = federation.module("flower_supernode", supernodes=[node])
    assert made["changed"]
    row = next(row for row in made["supernodes"] if row["name"] == "node-c")
    assert row["status"] == "registered"
    assert row["location"] == "40.4168,-3.7038"
    assert int(row["node_id"]) > 0
    assert not federation.module("flower_supernode", supernodes=[node])["changed"]

    renamed = federation.module("flower_supernode", supernodes=[{**node, "name": "node-d"}])
    assert renamed["failure"]["code"] == "name_fixed"
    assert "node-d" in renamed["msg"]

    # Purge takes what is not listed, and nothing else.
    listed = [{"name": name, "public_key": federation.keys[name][1]} for name in ("node-a", "node-b")]
    planned = federation.module("flower_supernode", "--check", supernodes=listed, purge=True)
    assert planned["unregistered"] == ["node-c"]
    purged = federation.module("flower_supernode", supernodes=listed, purge=True)
    assert purged["unregistered"] == ["node-c"]
    assert [row["name"] for row in purged["supernodes"]] == ["node-a", "node-b"]
    assert not federation.module("flower_supernode", supernodes=listed, purge=True)["changed"]
    assert not federation.module("flower_supernode", supernodes=[{"name": "node-c"}], state="absent")["changed"]

    burned = federation.module("flower_supernode", supernodes=[node])
    assert burned["failure"]["code"] == "key_burned"
    assert "node-c" in burned["msg"]
    assert "new key pair" in burned["msg"]
    everybody = federation.module("flower_federation_info", unregistered=True)["nodes"]
    assert next(node for node in everybody if node["name"] == "node-c")["unregistered_at"]


def test_a_run_survives_killed_modules_and_a_killed_superlink(federation: Any, wait_for: Any) -> None:
    planned = submit(federation, "main", "--check")
    assert planned["changed"]
    assert "run_id" not in planned
    submitted = submit(federation, "main")
    assert submitted["changed"]
    assert submitted["rounds_total"] == 2
    run_id = submitted["run_id"]

    # As if the module had died between the submission and the note of its answer.
    labels = federation.state_directory / "labels.json"
    entries = json.loads(labels.read_text())
    entries["main"]["run_id"] = ""
    labels.write_text(json.dumps(entries))
    again = submit(federation, "main")
    assert (again["changed"], again["run_id"]) == (False, run_id)

    # A module killed while it waits takes nothing with it.
    before = federation.log("superlink").count("StreamLogs")
    waiting = federation.popen("flower_run", state="waited", label="main", until_round=2)
    wait_for("the module to wait", lambda: federation.log("superlink").count("StreamLogs") > before)
    os.killpg(waiting.pid, signal.SIGKILL)
    waiting.communicate()
    first = follow(federation, "waited", "main", until_round=1)
    assert first["reached"], first
    assert first["run_id"] == run_id
    assert first["rounds"][0]["nodes"] == 2

    # The run goes on without its SuperLink, and the module waits for it.
    federation.stop("superlink", signal.SIGKILL)
    waiting = federation.popen("flower_run", state="finished", label="main", wait_timeout=240)
    federation.start_superlink()
    out, _unused = waiting.communicate(timeout=300)
    assert '"status": "finished:completed"' in out, out

    done = follow(federation, "finished", "main", required_files=["model.npz"])
    assert not done["failed"], done
    assert not done["changed"]
    assert [row["round"] for row in done["rounds"]] == [1, 2]
    assert done["rounds"][1]["accuracy"] > 0.9
    assert done["metrics"]["final"]
    assert done["bytes_sent"] > 0
    assert done["failures"] == 0
    files = {item["name"]: Path(item["path"]) for item in done["files"]}
    assert set(files) == {"log.txt", "metrics.json", "model.npz"}
    assert "[ROUND 2/2]" in files["log.txt"].read_text()
    assert "\x1b" not in files["log.txt"].read_text()

    again = submit(federation, "main")
    assert (again["changed"], again["run_id"]) == (False, run_id)
    other = submit(federation, "main", run_config={"num-server-rounds": 1})
    assert other["failure"]["code"] == "label_taken"
    assert run_id in other["msg"]
    forced = submit(federation, "main", "--check", run_config={"num-server-rounds": 1}, force=True)
    assert forced["changed"]


def test_clients_that_all_raise_fail_the_run(federation: Any) -> None:
    submit(federation, "clients", run_config={"num-server-rounds": 1, "fault": "clients"})
    result = follow(federation, "finished", "clients")
    assert result["failed"]
    assert result["failure"]["code"] == "clients_failed"
    run = result["failure"]["details"]["run"]
    assert run["status"] == "finished:completed"
    assert run["failures"] == 2
    assert {error["name"] for error in run["reply_errors"]} == {"node-a", "node-b"}
    assert "no data at data-path" in result["msg"]
    accepted = follow(federation, "finished", "clients", accept_failures=2)
    assert not accepted["failed"], accepted
    # A label whose run failed is submitted again.
    assert submit(federation, "clients", "--check", run_config={"num-server-rounds": 1, "fault": "clients"})["changed"]


def test_a_serverapp_that_raises(federation: Any) -> None:
    submit(federation, "server", run_config={"fault": "server"})
    result = follow(federation, "finished", "server")
    assert result["failure"]["code"] == "serverapp_failed"
    assert "the ServerApp was told to fail" in result["msg"]
    run = result["failure"]["details"]["run"]
    assert run["status"] == "finished:failed"
    assert [row["round"] for row in run["rounds"]] == [1]
    assert any("RuntimeError" in line for line in run["log"])


def test_a_dead_superexec_then_an_app_without_protocol(federation: Any) -> None:
    federation.stop("superexec")
    try:
        submit(federation, "plain", run_config={"num-server-rounds": 1, "protocol": False})
        stuck = follow(federation, "waited", "plain", pending_timeout=2)
        assert stuck["failure"]["code"] == "stuck_pending", stuck
        assert "flower-superexec-server" in stuck["msg"]
        assert stuck["failure"]["details"]["run"]["status"] == "pending"
    finally:
        federation.start_superexec()
    # It is the same run that goes on, and Flower's own lines tell the round.
    done = follow(federation, "finished", "plain", pending_timeout=120)
    assert not done["failed"], done
    assert len(done["rounds"]) == 1
    row = done["rounds"][0]
    assert row["accuracy"] > 0.9
    assert row["nodes"] == 2
    assert row["seconds"] is None
    missing = follow(federation, "finished", "plain", required_files=["model.npz"])
    assert missing["failure"]["code"] == "no_files"
    assert "model.npz" in missing["msg"]


def test_an_app_that_waits_for_supernodes(federation: Any) -> None:
    submit(federation, "many", run_config={"min-nodes": 3})
    stuck = follow(federation, "waited", "many", until_round=1, nodes_timeout=3)
    assert stuck["failure"]["code"] == "waiting_for_nodes"
    assert stuck["failure"]["details"]["connected"] == 2
    assert stuck["failure"]["details"]["required"] == 3
    late = follow(federation, "finished", "many", wait_timeout=1)
    assert late["failure"]["code"] == "timeout"
    assert follow(federation, "stopped", "many", "--check")["status"] == "running"
    stopped = follow(federation, "stopped", "many")
    assert stopped["changed"]
    assert stopped["status"] == "finished:stopped"
    assert not follow(federation, "stopped", "many")["changed"]
    assert follow(federation, "finished", "many")["failure"]["code"] == "stopped"


def test_what_cannot_be_submitted(federation: Any, tmp_path: Path) -> None:
    nowhere = federation.module("flower_run", app=str(tmp_path / "nowhere"))
    assert nowhere["failure"]["code"] == "app"
    assert "nowhere" in nowhere["msg"]
    empty = federation.module("flower_run", app=str(tmp_path))
    assert "no pyproject.toml" in empty["msg"]
    unknown = submit(federation, "bad", run_config={"num-server-round": 1})
    assert unknown["failure"]["details"]["unknown"] == ["num-server-round"]
    assert "num-server-rounds" in unknown["msg"]
    typed = submit(federation, "bad", run_config={"num-server-rounds": "many"})
    assert "declares it as int" in typed["msg"]
    nobody = follow(federation, "waited", "nobody")
    assert nobody["failure"]["code"] == "label_unknown"
    strange = federation.module("flower_run", state="waited", run_id="12")
    assert strange["failure"]["code"] == "run_not_found"


def test_roles_from_end_to_end(federation: Any, tmp_path: Path) -> None:
    inventory = federation.inventory(tmp_path)
    verified = federation.playbook(inventory, "verify.yml")
    assert verified.returncode == 0, verified.stdout
    assert "2 of 2 SuperNodes online" in " ".join(verified.stdout.split())
    assert "largest clock offset" in " ".join(verified.stdout.split())
    # Without the SuperNodes in the play nobody looks at their clocks; the rest holds.
    alone = federation.playbook(inventory, "verify.yml", "--limit", "link")
    assert alone.returncode == 0, alone.stdout
    assert "2 of 2 SuperNodes online" in " ".join(alone.stdout.split())

    config = json.dumps({"run_config": {"num-server-rounds": 1, "note": 'a "quoted" = x # y'}})
    run = ("run.yml", "-e", f"run_app={SMOKE}", "-e", config, "-e", '{"run_required_files": ["model.npz"]}')
    checked = federation.playbook(inventory, *run, "--check", "--diff")
    assert checked.returncode == 0, checked.stdout
    trained = federation.playbook(inventory, *run)
    assert trained.returncode == 0, trained.stdout
    assert "(item=round 1/1: loss 0." in trained.stdout
    (written,) = (tmp_path / "controller" / "runs").glob("*/run.json")
    report = json.loads(written.read_text())
    assert report["status"] == "finished:completed"
    assert report["success"]
    assert report["run_id"] == written.parent.name
    assert report["config"]["note"] == 'a "quoted" = x # y'
    assert report["nodes"][0]["status"] == "online"
    assert len(report["rounds"]) == 1
    assert {path.name for path in written.parent.iterdir()} == {"run.json", "log.txt", "metrics.json", "model.npz"}
    # The value came through as it is, quotes and all.
    assert json.loads((written.parent / "metrics.json").read_text())["note"] == 'a "quoted" = x # y'
    again = federation.playbook(inventory, *run)
    assert again.returncode == 0, again.stdout
    assert "changed=0" in again.stdout

    few = federation.playbook(inventory, "run.yml", "-e", f"run_app={SMOKE}", "-e", "run_min_nodes=3")
    assert few.returncode == 2
    assert "2 SuperNodes are online, 3 must be" in " ".join(few.stdout.split())


# Stands in for ssh: the command runs here; when it is killed, the client ends as one whose connection broke.
SSH = """#!{python}
import pathlib, subprocess, sys
child = subprocess.Popen(["/bin/sh", "-c", sys.argv[-1]], start_new_session=True)
pathlib.Path({pid!r}).write_text(str(child.pid))
code = child.wait()
sys.exit(255 if code < 0 else code)
"""


def test_a_lost_connection_is_taken_up_again(federation: Any, tmp_path: Path, wait_for: Any) -> None:
    inventory = federation.inventory(tmp_path)
    ssh, pid = tmp_path / "ssh", tmp_path / "pid"
    ssh.write_text(SSH.format(python=sys.executable, pid=str(pid)))
    ssh.chmod(0o755)
    variables = {
        "ansible_connection": "ssh",
        "ansible_ssh_executable": str(ssh),
        "ansible_ssh_transfer_method": "piped",
        "run_app": SMOKE,
        "run_label": "lost",
        "run_config": {"num-server-rounds": 1},
    }
    before = federation.log("superlink").count("StreamLogs")
    play = federation.start_playbook(inventory, "run.yml", "-vv", "-e", json.dumps(variables))
    wait_for("the play to follow the run", lambda: federation.log("superlink").count("StreamLogs") > before + 1)
    os.killpg(int(pid.read_text()), signal.SIGKILL)
    out, _unused = play.communicate(timeout=300)
    assert play.returncode == 0, out
    assert "ssh return code is 255" in out
    assert "(item=round 1/1: loss 0." in out
    entries = json.loads((federation.state_directory / "labels.json").read_text())
    assert (tmp_path / "controller" / "runs" / entries["lost"]["run_id"] / "run.json").is_file()


def test_verify_names_the_missing(federation: Any, tmp_path: Path) -> None:
    inventory = federation.inventory(tmp_path, extra={"node-lost": {"verify_supernode_key": "/nonexistent"}})
    result: subprocess.CompletedProcess[str] = federation.playbook(inventory, "verify.yml")
    told = " ".join(result.stdout.split())
    assert result.returncode == 2, told
    assert "1 of 3 SuperNodes are not online after 2 s: node-lost" in told
    assert "not registered; run playbooks/site.yml, which registers it" in told
    assert "its key cannot be used: /nonexistent cannot be read (No such file or directory)" in told
    # What role flower's own script says of the host; here no such unit runs.
    assert "flower-supernode.service is" in told


def test_every_refusal_is_told_with_its_cause(federation: Any, tmp_path: Path, other_certificate: Path) -> None:
    def entry(name: str) -> dict[str, str]:
        return {"name": name, "public_key": federation.keys[name][1]}

    known = [entry(name) for name in ("node-revoked", "node-twin", "node-foreign")]
    assert not federation.module("flower_supernode", supernodes=known)["failed"]
    revoked = federation.module("flower_supernode", supernodes=[{"name": "node-revoked"}], state="absent")
    assert revoked["unregistered"] == ["node-revoked"]

    # Flower refuses all four, and has the same words for three of them.
    refused = {
        "node-unknown": ({}, "[code: 2004]"),
        "node-revoked": ({}, "[code: 2004]"),
        "node-twin": ({"key": "node-a"}, "[code: 2004]"),
        "node-foreign": ({"certificate": other_certificate}, "CERTIFICATE_VERIFY_FAILED"),
    }
    hosts = {}
    for name, (how, words) in refused.items():
        federation.start_supernode(name, **how)
        process = federation.processes[name]
        assert process.wait(90) == 1, federation.log(name)
        assert words in federation.log(name)
        hosts[name] = {"verify_supernode_key": str(federation.keys[str(how.get("key", name))][0])}
    hosts["node-foreign"]["verify_root_certificates"] = str(other_certificate)

    result = federation.playbook(federation.inventory(tmp_path, extra=hosts), "verify.yml")
    told = " ".join(result.stdout.split())
    assert result.returncode == 2, told
    fingerprint = {name: keys.line_fingerprint(federation.keys[name][1]) for name in refused | {"node-a": ()}}
    for sentence in (
        f"node-unknown The cause: its key {fingerprint['node-unknown']} is not registered with the SuperLink; run",
        f"node-revoked The cause: its key {fingerprint['node-revoked']} was revoked: it was unregistered at 20",
        f"node-twin The cause: its key {fingerprint['node-a']} is the one of node-a, and each SuperNode needs its own",
        "The cause: the same key is on node-a, and Flower admits one of them",
        "node-a The cause: the same key is on node-twin, and Flower admits one of them",
        "node-foreign The cause: it trusts superlink (",
        "which did not issue the SuperLink's certificate",
    ):
        assert sentence in told, f"{sentence!r} is not in:\n{result.stdout}"
    # The others stay as they are, and nothing secret is told.
    assert federation.module("flower_federation_info", expected=["node-a", "node-b"])["missing"] == []
    assert "PRIVATE KEY" not in result.stdout
    federation.module("flower_supernode", supernodes=[{"name": name} for name in refused], state="absent")


def test_a_key_is_replaced_once_its_node_is_online_with_the_new_one(federation: Any) -> None:
    new = {"name": "node-b", "public_key": federation.keys["node-b2"][1]}
    early = federation.module("flower_supernode", supernodes=[new], replace=True)
    assert (early["registered"], early["unregistered"]) == (["node-b"], [])
    federation.stop("node-b")
    federation.start_supernode("node-b", key="node-b2")
    assert federation.module("flower_federation_info", expected=["node-b"], wait_timeout=90)["missing"] == []
    late = federation.module("flower_supernode", supernodes=[new], replace=True)
    assert late["unregistered"] == ["node-b"]
    assert not federation.module("flower_supernode", supernodes=[new], replace=True)["changed"]


def test_a_superlink_seen_from_a_node(federation: Any, other_certificate: Path) -> None:
    fine = federation.module("flower_endpoint_info")
    assert fine["verified"]
    assert fine["certificate_days_left"] == pytest.approx(1, abs=0.1)
    assert "127.0.0.1" in fine["certificate_names"]
    wrong = federation.module("flower_endpoint_info", root_certificates=str(other_certificate))
    assert (wrong["reachable"], wrong["verified"], wrong["code"]) == (True, False, "tls_authority")
    host, port = federation.address.split(":")
    named = federation.module("flower_endpoint_info", address=f"{host.replace('.1', '.2')}:{port}")
    assert named["code"] == "refused"
