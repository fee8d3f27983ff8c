# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What playbooks/site.yml costs on a federation that is as it should be: seconds, tasks, processes, API calls."""

from __future__ import annotations

import base64
import json
import re
import resource
import sys
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import Done, Failed, NotMeasured, Options, command, median, spread, table, verdict
from playbooks import Played

TARGET_SECONDS = 25
_APIS = ("xmlrpc", "oneflow", "onegate")


@dataclass(frozen=True)
class _Site:
    """A site of the lab: its name, OneFlow's address, the password of oneadmin (who may see the calls), its VMs."""

    name: str
    flow_endpoint: str
    password: str
    vms: tuple[str, ...]

    def calls(self) -> list[tuple[str, str]]:
        """All calls that the stand-in remembers: the API and what was asked of it."""
        token = base64.b64encode(f"oneadmin:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.flow_endpoint}/_standin/calls", headers={"Authorization": f"Basic {token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return list(json.loads(answer.read()))
        except OSError as error:
            raise NotMeasured(
                f"the stand-in of site {self.name} does not answer at {self.flow_endpoint}: {error}"
            ) from None


@dataclass(frozen=True)
class _Run:
    """One run of the playbook: what it printed, the controller's processor seconds, processes, calls by site."""

    played: Played
    processor: float
    processes: int
    calls: dict[str, Counter[tuple[str, str]]]


def measure(options: Options) -> None:
    """Measure the running lab.

    Raises:
        NotMeasured: no lab is up, or no federation runs on it.
        Failed: site.yml fails, or a second run changes something.
    """
    sites = _sites(options)
    first = _run(options, sites)
    if first.played.changed:
        print(f"the first run changed {first.played.changed} tasks and does not count")
        first = _run(options, sites)
    runs = [first, *(_run(options, sites) for _run_number in range(options.runs - 1))]
    if changed := sum(run.played.changed for run in runs):
        raise Failed(f"{changed} tasks were changed on a federation that site.yml had just brought to its state")
    seconds = [run.played.seconds for run in runs]
    vms = sum(len(site.vms) for site in sites)
    table(
        ["site.yml, nothing to do", "runs", "seconds", "range", "s a VM", "CPU s here", "processes", "a VM"],
        [
            [
                f"{len(sites)} sites, {vms} VMs",
                len(runs),
                f"{median(seconds):.1f}",
                spread(seconds),
                f"{median(seconds) / vms:.1f}",
                f"{median([run.processor for run in runs]):.1f}",
                f"{median([run.processes for run in runs]):.0f}",
                f"{median([run.processes for run in runs]) / vms:.0f}",
            ]
        ],
    )
    print(verdict(median(seconds), TARGET_SECONDS))
    _print_tasks(runs[-1], sites)
    _print_calls(runs[-1], sites)


def _print_tasks(run: _Run, sites: list[_Site]) -> None:
    place = {site.name: "site" for site in sites} | {vm: f"VM of {site.name}" for site in sites for vm in site.vms}
    recap = run.played.recap
    total = sum(counts["ok"] for counts in recap.values())
    table(
        ["host", "is", "tasks", "of all", "skipped"],
        [
            [host, place.get(host, "controller"), counts["ok"], f"{counts['ok'] / total:.2f}", counts["skipped"]]
            for host, counts in sorted(recap.items())
        ]
        + [["all", "", total, "1.00", sum(counts["skipped"] for counts in recap.values())]],
    )


def _print_calls(run: _Run, sites: list[_Site]) -> None:
    rows: list[list[object]] = []
    for site in sites:
        by_api = Counter[str]()
        for (api, _what), number in run.calls[site.name].items():
            by_api[api] += number
        calls = by_api.total()
        rows.append(
            [site.name, len(site.vms), calls, *(by_api[api] for api in _APIS), f"{calls / max(len(site.vms), 1):.1f}"]
        )
    table(["API calls at site", "VMs", "calls", *_APIS, "a VM"], rows)
    for site in sites:
        asked = ", ".join(f"{number} {what}" for (_api, what), number in run.calls[site.name].most_common())
        print(f"  {site.name}: {asked}")


def _sites(options: Options) -> list[_Site]:
    """The sites of the inventory, with the VMs that run at them."""
    if not list(options.state.glob("sites/*/oneadmin.password")):
        raise NotMeasured(f"no lab is up (nothing in {options.state}/sites); `make lab` starts one")
    listed: dict[str, Any] = json.loads(_ansible(options, "ansible-inventory", "--list").succeeded().output)
    variables = listed["_meta"]["hostvars"]
    sites = []
    for name in listed.get("sites", {}).get("hosts", []):
        password = options.state / "sites" / name / "oneadmin.password"
        if not password.is_file():
            raise NotMeasured(f"site {name} of {options.inventory} is none of the lab in {options.state}")
        vms = tuple(sorted(listed.get(f"site_{name}", {}).get("hosts", [])))
        sites.append(
            _Site(name, variables[name]["one_flow_endpoint"], password.read_text(encoding="utf-8").strip(), vms)
        )
    for site in sites:
        site.calls()
    if not any(site.vms for site in sites):
        raise NotMeasured("the lab is up, but no VM of the federation runs; `make site` deploys it")
    return sites


def _run(options: Options, sites: list[_Site]) -> _Run:
    """Play site.yml once. Calls are told apart by when they came, so nothing is reset that others may read."""
    calls = {site.name: site.calls() for site in sites}
    processor, processes = _processor(), _processes()
    done = _ansible(options, "ansible-playbook", "playbooks/site.yml").succeeded()
    processor, processes = _processor() - processor, _processes() - processes
    new: dict[str, Counter[tuple[str, str]]] = {}
    for site in sites:
        before, after = calls[site.name], site.calls()
        if after[: len(before)] != before:
            raise Failed(f"somebody else reset the calls of site {site.name} meanwhile")
        new[site.name] = Counter(after[len(before) :])
    return _Run(Played(done.status, done.output, done.seconds), processor, processes, new)


def _ansible(options: Options, program: str, *words: str) -> Done:
    path = str(Path(sys.executable).with_name(program))
    return command([path, "-i", options.inventory, *words], cwd=options.root)


def _processor() -> float:
    """Processor seconds of all commands that ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _processes() -> int:
    """Processes and threads that this computer, the lab's VMs included, has started since it booted."""
    found = re.search(r"^processes (\d+)$", Path("/proc/stat").read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) if found else 0
