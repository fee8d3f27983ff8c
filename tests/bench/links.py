# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The proof of concept over direct links and over WireGuard, with and without TLS: rounds a minute, bytes on the wire.

The roles have no way to switch TLS or the SuperNodes' keys off. This does it on the lab's hosts, in files below `/run`
that the next boot forgets, and puts everything back when it ends, however it ends.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from measuring import Done, Failed, NotMeasured, Options, command, median, spread, table

_WAN = {"delay": 20.0, "loss": 1.0}
_FREE = {"delay": 0.0, "loss": 0.0}
_ROUNDS = 3
_SECONDS = 1800
# Runs on a host as root: `plain.py plain UNIT...` adds a drop-in that takes TLS and keys off a unit's command, as
# Flower's own options have it; `plain.py safe UNIT...` takes it away again.
_PLAIN = r"""
import pathlib, re, subprocess, sys
for unit in sys.argv[2:]:
    drop_in = pathlib.Path(f"/run/systemd/system/{unit}.service.d/zz-bench.conf")
    if sys.argv[1] == "safe":
        drop_in.unlink(missing_ok=True)
        continue
    text = pathlib.Path(f"/etc/systemd/system/{unit}.service").read_text().replace("\\\n", " ")
    line = re.search(r"^ExecStart=(.*)$", text, re.M)[1]
    line = re.sub(r"--enable-supernode-auth|--auth-supernode-private-key \S+", "", line)
    if unit == "flower-supernode":
        line = re.sub(r"--root-certificates \S+", "--insecure", line)
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text(f"[Service]\nExecStart=\nExecStart={line}\n")
subprocess.run(["systemctl", "daemon-reload"], check=True)
subprocess.run(["systemctl", "restart", *sys.argv[2:]], check=True)
"""


@dataclass(frozen=True)
class _Measured:
    """Of one case: for each run the rounds a minute and the bytes a round that the sites sent into the WAN."""

    pace: list[float]
    size: list[float]


def measure(options: Options) -> None:
    """Measure on the running lab of three sites.

    Raises:
        NotMeasured: no lab of three sites is up, or no federation runs on it.
        Failed: a playbook or a run failed.
    """
    with tempfile.TemporaryDirectory(prefix="fact8ra-bench-") as scratch:
        bench = _Bench(options, Path(scratch))
        found: dict[tuple[str, str], _Measured] = {}
        with bench.put_back():
            bench.deal()
            for transport in ("direct", "wireguard"):
                bench.link(transport)
                found[transport, "TLS and keys"] = bench.case()
                bench.protect(False)
                found[transport, "neither"] = bench.case()
                bench.protect(True)
        _print(found, bench, options)


def _print(found: dict[tuple[str, str], _Measured], bench: _Bench, options: Options) -> None:
    first = next(iter(found.values()))
    print(
        f"{bench.nodes} SuperNodes at {len(bench.sites)} sites, {_WAN['delay']:g} ms one way and {_WAN['loss']:g} %"
        f" loss, {_ROUNDS} rounds a run, {options.runs} runs each"
    )
    table(
        ["link", "protection", "rounds/min", "range", "of the first", "kB a round", "range", "of the first"],
        [
            [
                transport,
                protection,
                f"{median(case.pace):.2f}",
                spread(case.pace, 2),
                f"{median(case.pace) / median(first.pace):.2f}",
                f"{median(case.size) / 1e3:.0f}",
                spread([size / 1e3 for size in case.size], 0),
                f"{median(case.size) / median(first.size):.2f}",
            ]
            for (transport, protection), case in found.items()
        ],
    )


class _Bench:
    """The lab and what is done to it."""

    def __init__(self, options: Options, scratch: Path) -> None:
        self._options = options
        self._scratch = scratch
        given = Path(options.inventory)
        self._inventory = str(given.with_name("lab_nat") if given.name == "lab" else given)
        listed: dict[str, Any] = json.loads(self._ansible("ansible-inventory", "--list").succeeded().output)
        self.sites: list[str] = sorted(listed.get("sites", {}).get("hosts", []))
        self.nodes = len(listed.get("supernodes", {}).get("hosts", []))
        missing = [site for site in self.sites if not (Path("/run/netns") / f"f8-{site}").exists()]
        if missing:
            raise NotMeasured(
                f"no network of {', '.join(missing)};"
                f" ansible-playbook -i {self._inventory} playbooks/lab.yml brings it up"
            )
        if self.nodes < len(self.sites) or not listed.get("superlink", {}).get("hosts"):
            raise NotMeasured(f"{self.nodes} SuperNodes run; ansible-playbook -i {self._inventory} playbooks/site.yml")
        self._secure = True

    @contextlib.contextmanager
    def put_back(self) -> Iterator[None]:
        """Leave the lab as the inventory says, and its WAN free."""
        try:
            yield
        finally:
            self._set_wan(_FREE)
            if not self._secure:
                self.protect(True)
            self._playbook("playbooks/site.yml")

    def deal(self) -> None:
        """Place the examples of the proof of concept."""
        self._playbook("playbooks/site.yml")
        self._playbook("playbooks/poc.yml", "--tags=data")

    def link(self, transport: str) -> None:
        """Let all sites reach the SuperLink in one way."""
        # Every site comes directly and by the tunnel in turn, so both have to be admitted from everywhere.
        sources = {name: ["10.71.0.0/16"] for name in ("site_fleet_sources", "site_transport_sources")}
        variables = json.dumps({"site_transport": transport, **sources})
        self._playbook("playbooks/site.yml", f"--extra-vars={variables}")

    def protect(self, wanted: bool) -> None:
        """Switch TLS between the sites and the SuperNodes' keys on or off; on the SuperLink's host TLS stays."""
        self._secure = False
        word = "safe" if wanted else "plain"

        def play(hosts: str, units: list[str], tasks: list[dict[str, Any]]) -> dict[str, Any]:
            argv = ["python3", "-c", _PLAIN, word, *units]
            switch = {"ansible.builtin.command": {"argv": argv}, "changed_when": True}
            return {"hosts": hosts, "gather_facts": False, "tasks": [*tasks, switch]}

        # The listener of the Fleet API is told by its port; role superlink would restore the file too.
        plain, safe = r"(listen \S+:8443)( ssl)?", r"\1 ssl" if wanted else r"\1"
        listener = {
            "ansible.builtin.replace": {"path": "/etc/nginx/conf.d/flower-fleet.conf", "regexp": plain, "replace": safe}
        }
        reload = {"ansible.builtin.systemd_service": {"name": "nginx.service", "state": "reloaded"}}
        self._play(
            [
                play("superlink", ["flower-superlink"], [listener, reload]),
                play("supernodes", ["flower-supernode"], []),
            ]
        )
        self._secure = wanted

    def case(self) -> _Measured:
        """Train as often as was asked for."""
        measured = _Measured([], [])
        self._online()
        self._set_wan(_WAN)
        try:
            for number in range(self._options.runs):
                before = self._sent()
                rounds = self._train(number)
                measured.size.append((self._sent() - before) / _ROUNDS)
                measured.pace.append(60 * _ROUNDS / sum(row["seconds"] for row in rounds))
        finally:
            self._set_wan(_FREE)
        return measured

    def _train(self, number: int) -> list[dict[str, Any]]:
        """Run the app once; returns its rounds."""
        results = self._scratch / f"results-{number}"
        shutil.rmtree(results, ignore_errors=True)
        variables = {
            "run_app": str(self._options.root / "apps/poc"),
            "run_config": {"num-server-rounds": _ROUNDS, "min-nodes": self.nodes},
            "run_force": True,
            # Without keys SuperNodes have no names that the inventory knows.
            "run_min_nodes": self.nodes,
            "run_results_directory": str(results),
        }
        self._play([{"hosts": "superlink", "gather_facts": False, "roles": ["fact8ra.flower.run"]}], variables)
        (written,) = results.glob("*/run.json")
        run: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
        rounds: list[dict[str, Any]] = run["rounds"]
        if not run["success"] or len(rounds) != _ROUNDS or any(row["nodes"] != self.nodes for row in rounds):
            raise Failed(f"the run did not train {_ROUNDS} rounds on {self.nodes} SuperNodes: {run['cause'] or rounds}")
        return rounds

    def _online(self) -> None:
        """Wait until as many SuperNodes are online as there are: those with and without keys count separately."""
        ask = {
            "fact8ra.flower.flower_federation_info": {
                "address": "127.0.0.1:8000",
                "root_certificates": "/etc/flower/trust.crt",
                "runs": 0,
            },
            "vars": {"ansible_python_interpreter": "/opt/flower/venv/bin/python"},
            "register": "federation",
            "until": f"federation.nodes | selectattr('status', 'eq', 'online') | length == {self.nodes}",
            "retries": 60,
            "delay": 3,
        }
        self._play([{"hosts": "superlink", "gather_facts": False, "tasks": [ask]}])

    def _sent(self) -> int:
        """Bytes that the sites have sent into the WAN, whatever was lost there."""
        total = 0
        for site in self.sites:
            shown = command(["ip", "-netns", "f8-wan", "-json", "-statistics", "link", "show", f"w-{site}"]).succeeded()
            (link,) = json.loads(shown.output)
            total += int(link["stats64"]["rx"]["bytes"])
        return total

    def _set_wan(self, values: dict[str, float]) -> None:
        words = [sys.executable, "-m", "fact8ra_lab.hosts", "wan", "set"]
        words += [f"--{name}={value:g}" for name, value in values.items()]
        command(words, environment={"PYTHONPATH": str(self._options.root / "roles/lab/files")}).succeeded()

    def _play(self, plays: list[dict[str, Any]], variables: dict[str, Any] | None = None) -> None:
        path = self._scratch / "play.yml"
        path.write_text(yaml.safe_dump(plays), encoding="utf-8")
        given = self._scratch / "variables.json"
        given.write_text(json.dumps(variables or {}), encoding="utf-8")
        self._playbook(str(path), f"--extra-vars=@{given}")

    def _playbook(self, path: str, *words: str) -> None:
        self._ansible("ansible-playbook", path, *words).succeeded()

    def _ansible(self, program: str, *words: str) -> Done:
        path = str(Path(sys.executable).with_name(program))
        return command([path, "-i", self._inventory, *words], cwd=self._options.root, limit=_SECONDS)
