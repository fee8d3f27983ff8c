# SPDX-License-Identifier: Apache-2.0
"""Two sites whose tenants have the appliances, and what a tenant sees of the VMs: OneFlow, one.vm.info, the console.

VMs are looked into from outside, as a hypervisor's owner may: their firewalls admit no SSH from the controller.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
import xmlrpc.client
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import flow_rest

from fact8ra_lab.hosts._system import CGROUP_PARENT, cgroup_root

TENANT = "flower"
#: The service templates: a federation, and SuperNodes that join one of another service.
FEDERATION, SITE = "flower", "flower-site"
#: Seconds that a step may take on a computer that is busy with other things.
PATIENCE = 600
SERVICE_STATES = (
    *("PENDING", "DEPLOYING", "RUNNING", "UNDEPLOYING", "WARNING", "DONE", "FAILED_UNDEPLOYING", "FAILED_DEPLOYING"),
    *("SCALING", "FAILED_SCALING", "COOLDOWN", "DEPLOYING_NETS", "UNDEPLOYING_NETS", "FAILED_DEPLOYING_NETS"),
    *("FAILED_UNDEPLOYING_NETS", "HOLD"),
)
#: OpenNebula's numbers of the states that are waited for.
POWEROFF, DONE = 8, 6


def until(holds: Callable[[], bool], what: str, told: Callable[[], str], seconds: float = PATIENCE) -> float:
    """Wait until something holds and return the seconds that it took; the test fails with what is told otherwise."""
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}\n{told()}")
        time.sleep(0.2)
    return time.monotonic() - started


@dataclass(frozen=True)
class Vm:
    """A VM of the tenant."""

    tenant: Tenant
    id: int

    def info(self) -> ElementTree.Element:
        """What one.vm.info shows the tenant."""
        return ElementTree.fromstring(str(self.tenant.one("one.vm.info", self.id, False)))

    @property
    def attributes(self) -> dict[str, str]:
        """Its user template, where OpenNebula shows what the appliance says of itself."""
        found = self.info().find("USER_TEMPLATE")
        return {} if found is None else {each.tag: each.text or "" for each in found}

    @property
    def address(self) -> str:
        """Its first IPv4 address."""
        return str(self.info().findtext("TEMPLATE/NIC/IP"))

    @property
    def state(self) -> int:
        """OpenNebula's state."""
        return int(self.info().findtext("STATE") or -1)

    @property
    def context(self) -> dict[str, str]:
        """The variables of its context, as OpenNebula shows them."""
        found = self.info().find("TEMPLATE/CONTEXT")
        return {} if found is None else {each.tag: each.text or "" for each in found}

    @property
    def says(self) -> str:
        """FLOWER_STATE."""
        return self.attributes.get("FLOWER_STATE", "")

    def until(self, *states: str, seconds: float = PATIENCE) -> dict[str, str]:
        """Wait for one of the states in OpenNebula; returns the attributes."""
        until(lambda: self.says in states, f"VM {self.id} says {' or '.join(states)}", self.told, seconds)
        return self.attributes

    def act(self, action: str) -> None:
        """An action of OpenNebula's, as the buttons of Sunstone."""
        self.tenant.one("one.vm.action", action, self.id)

    def change(self, **variables: str) -> None:
        """Give it other variables in its context, as Sunstone's form Update Configuration does."""
        inner = ",".join(f'{name}="{value}"' for name, value in variables.items())
        self.tenant.one("one.vm.updateconf", self.id, f"CONTEXT=[{inner}]", 1)

    def reboot(self) -> str:
        """Reboot and wait until the boot is another; returns its id."""
        before = self.boot
        self.act("reboot")
        until(lambda: self.boot not in ("", before), f"VM {self.id} boots again", self.told)
        return self.boot

    def until_running(self) -> None:
        """Wait until OpenNebula has it running, which is before the guest has done anything."""

        def running() -> bool:
            info = self.info()
            return (info.findtext("STATE"), info.findtext("LCM_STATE")) == ("3", "3")

        until(running, f"VM {self.id} runs", self.told)

    def off(self) -> None:
        """Power off and wait for it."""
        self.act("poweroff-hard")
        until(lambda: self.state == POWEROFF, f"VM {self.id} is off", self.told)

    @property
    def boot(self) -> str:
        """What differs from boot to boot; empty while it does not run."""
        pid = self._init()
        with contextlib.suppress(OSError):  # it may end between two looks
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] if pid else ""
        return ""

    @property
    def disk(self) -> Path:
        """What it has written, while it is off."""
        return self.tenant.state / "machines" / f"{self.tenant.site}-{self.id}" / "disk/upper"

    def run(self, command: str, check: bool = True, timeout: float = 60) -> str:
        """Run a shell command within the VM as root and return its output."""
        done = self._done(command, timeout)
        assert not check or done.returncode == 0, f"VM {self.id}: {command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def _done(self, command: str, timeout: float) -> subprocess.CompletedProcess[str]:
        pid = self._init()
        if not pid:
            return subprocess.CompletedProcess(command, 1, "", "it does not run")
        enter = ["nsenter", f"--target={pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        return subprocess.run(
            [*enter, "--", "bash", "-c", command],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd="/",
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )

    def _init(self) -> int:
        """Process id of the VM's systemd here; 0 while there is none."""
        scope = cgroup_root() / CGROUP_PARENT / f"{self.tenant.site}-{self.id}" / "guest/payload/init.scope"
        try:
            for pid in (scope / "cgroup.procs").read_text().split():
                if re.search(r"^NSpid:.*\t1$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE):
                    return int(pid)
        except OSError:
            return 0
        return 0

    def states(self) -> list[tuple[float, str]]:
        """What the appliance said in the journal of this boot: seconds since its unit was started, and the state."""
        listed = "journalctl --boot --output=json --unit=fact8ra-appliance.service --identifier=fact8ra-appliance"
        entries = [json.loads(line) for line in self.run(listed, check=False).splitlines() if line.startswith("{")]
        shown = "systemctl show fact8ra-appliance --property=ExecMainStartTimestampMonotonic --value"
        begin = int(self.run(shown, check=False) or 0)
        return [
            (int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6 - begin / 1e6, entry["FACT8RA_STATE"])
            for entry in entries
            if entry.get("FACT8RA_STATE")
        ]

    def told(self) -> str:
        """Everything that helps to see why."""
        shown = {key: value[:400] for key, value in self.attributes.items() if key.startswith(("FLOWER_", "READY"))}
        lines = [f"VM {self.id} ({self.attributes.get('ROLE_NAME', '')}), state {self.state}: {json.dumps(shown)}"]
        if self._init():
            for command in (
                "cat /run/fact8ra/status",
                "journalctl --boot --no-pager -u 'fact8ra-*' -n 40 -o short-monotonic",
            ):
                lines.append(self._done(command, 20).stdout)
        return "\n".join(lines)


@dataclass
class Service:
    """A OneFlow service of the tenant."""

    tenant: Tenant
    id: int
    started: float = field(default_factory=time.monotonic)

    @property
    def body(self) -> dict[str, Any]:
        """What OneFlow shows of it; empty once it is gone."""
        status, answer = self.tenant.flow("GET", f"/service/{self.id}")
        body: dict[str, Any] = answer["DOCUMENT"]["TEMPLATE"]["BODY"] if status == 200 else {}
        return body

    @property
    def state(self) -> str:
        """Its state by name."""
        body = self.body
        return SERVICE_STATES[body["state"]] if body else "gone"

    def vms(self, role: str) -> list[Vm]:
        """The VMs of a role."""
        roles = [each for each in self.body.get("roles", []) if each["name"] == role]
        return [Vm(self.tenant, int(node["deploy_id"])) for each in roles for node in each["nodes"]]

    @property
    def superlink(self) -> Vm:
        """The SuperLink."""
        return self.vms("superlink")[0]

    @property
    def supernodes(self) -> list[Vm]:
        """The SuperNodes."""
        return self.vms("supernode")

    def until(self, state: str, seconds: float = PATIENCE) -> float:
        """Wait for a state; returns seconds since it was instantiated."""
        until(lambda: self.state == state, f"service {self.id} is {state}", self.told, seconds)
        return time.monotonic() - self.started

    def until_online(self, count: int, seconds: float = PATIENCE) -> float:
        """Wait until so many SuperNodes say ONLINE; returns seconds since it was instantiated."""
        wanted = ["ONLINE"] * count
        until(lambda: [vm.says for vm in self.supernodes] == wanted, f"{count} nodes online", self.told, seconds)
        return time.monotonic() - self.started

    def scale(self, role: str, cardinality: int, force: bool = False) -> tuple[int, Any]:
        """Ask for another number of VMs; status and answer."""
        wanted = {"role_name": role, "cardinality": cardinality, "force": force}
        return self.tenant.flow("POST", f"/service/{self.id}/scale", wanted)

    def delete(self) -> None:
        """Undeploy it and wait until it is gone."""
        self.tenant.flow("DELETE", f"/service/{self.id}")
        if self.state not in ("UNDEPLOYING", "gone"):
            action = {"perform": "recover", "params": {"delete": True}}
            self.tenant.flow("POST", f"/service/{self.id}/action", {"action": action})
        until(lambda: self.state == "gone", f"service {self.id} is gone", self.told, 60)

    def told(self) -> str:
        """Everything that helps to see why."""
        body = self.body
        log = [f"{line['severity']} {line['message']}" for line in (body.get("log") or [])[-8:]]
        vms = [vm.told() for role in body.get("roles", []) for vm in self.vms(role["name"])]
        return "\n".join([f"service {self.id}: {self.state}", *log, *vms])


@dataclass
class Tenant:
    """A tenant's account at one site, who has a network there and the appliances' templates.

    Attributes:
        site: name of the site.
        number: of the site; its network is 10.71.NUMBER.0/24.
        state: the lab's state directory.
        user: the tenant's name.
    """

    site: str
    number: int
    state: Path
    user: str = TENANT

    @property
    def gateway(self) -> str:
        """Where the site's OpenNebula answers."""
        return f"10.71.{self.number}.1"

    @cached_property
    def password(self) -> str:
        """Of the tenant."""
        return (self.state / "sites" / self.site / f"{self.user}.password").read_text().strip()

    def one(self, method: str, *params: Any, user: str = "") -> Any:
        """Call OpenNebula; the test fails with its text where it refuses."""
        name = user or self.user
        password = (self.state / "sites" / self.site / f"{name}.password").read_text().strip()
        with xmlrpc.client.ServerProxy(f"http://{self.gateway}:2633/RPC2", allow_none=True) as server:
            answer: Any = getattr(server, method)(f"{name}:{password}", *params)
        assert answer[0], f"{method}: {answer[1]}"
        return answer[1]

    def flow(self, verb: str, path: str, body: Any = None, user: str = "") -> tuple[int, Any]:
        """Ask OneFlow; status and answer, JSON where it is."""
        name = user or self.user
        password = (self.state / "sites" / self.site / f"{name}.password").read_text().strip()
        return flow_rest.ask(f"http://{self.gateway}:2474", (name, password), verb, path, body)

    def fault(self, *faults: Mapping[str, Any]) -> None:
        """Have the stand-in misbehave, or behave again where none is given."""
        verb, body = ("POST", list(faults)) if faults else ("DELETE", None)
        status, answer = self.flow(verb, "/_standin/faults", body, user="oneadmin")
        assert status == 204, answer

    def network(self, name: str, bridge: str, first: str, size: int, gateway: str) -> int:
        """A network of the tenant's own, made when it has none of that name; returns its id."""
        pool = ElementTree.fromstring(str(self.one("one.vnpool.info", -3, -1, -1)))
        for known in pool.findall("VNET"):
            if known.findtext("NAME") == name:
                return int(known.findtext("ID") or -1)
        lines = {"NAME": name, "VN_MAD": "bridge", "BRIDGE": bridge, "NETWORK_MASK": "255.255.255.0"}
        text = "\n".join(f'{key}="{value}"' for key, value in (lines | {"GATEWAY": gateway}).items())
        number = int(self.one("one.vn.allocate", f'{text}\nAR=[TYPE="IP4",IP="{first}",SIZE="{size}"]', -1))
        ready = "<STATE><![CDATA[1]]>"
        until(lambda: ready in self.one("one.vn.info", number, False), f"network {name} is ready", lambda: "", 10)
        return number

    @cached_property
    def net(self) -> int:
        """The tenant's network among the site's hosts, which other sites reach."""
        return self.network("lab", "br-site", f"10.71.{self.number}.10", 200, self.gateway)

    def service_template(self, name: str) -> tuple[int, dict[str, Any]]:
        """Id and body of a service template by its name."""
        _status, answer = self.flow("GET", "/service_template")
        for document in answer["DOCUMENT_POOL"].get("DOCUMENT", []):
            if document["NAME"] == name:
                return int(document["ID"]), document["TEMPLATE"]["BODY"]
        raise AssertionError(f"{self.user} has no service template {name} at {self.site}")

    def define(self, name: str, body: Mapping[str, Any]) -> int:
        """Upload a service template of that name; returns its id."""
        status, answer = self.flow("POST", "/service_template", {**body, "name": name})
        assert status == 201, answer
        return int(answer["DOCUMENT"]["ID"])

    def instantiate(
        self,
        template: str = FEDERATION,
        inputs: Mapping[str, str] | None = None,
        net: int | None = None,
        cardinality: Mapping[str, int] | None = None,
        **roles: Mapping[str, str],
    ) -> Service:
        """Instantiate with the defaults of every user input but for those that are given, of the service or a role."""
        number, body = self.service_template(template)
        merge: dict[str, Any] = {
            "name": template,
            "networks_values": [{"Private": {"id": str(self.net if net is None else net)}}],
            "user_inputs_values": _filled(body.get("user_inputs"), inputs or {}),
            "roles": [
                {
                    "name": role["name"],
                    "user_inputs_values": _filled(role.get("user_inputs"), roles.get(role["name"], {})),
                    **({"cardinality": cardinality[role["name"]]} if role["name"] in (cardinality or {}) else {}),
                }
                for role in body["roles"]
            ],
        }
        started = time.monotonic()
        status, answer = self.flow(
            "POST",
            f"/service_template/{number}/action",
            {"action": {"perform": "instantiate", "params": {"merge_template": merge}}},
        )
        assert status == 201, answer
        return Service(self, int(answer["DOCUMENT"]["ID"]), started)


def _filled(known: Mapping[str, str] | None, given: Mapping[str, str]) -> dict[str, str]:
    """A value for each user input: the one that is given, else its default, as Sunstone fills the form.

    The text of a user input is M or O, type, description, options and default, with bars between them.
    """
    unknown = set(given) - set(known or {})
    assert not unknown, f"there is no user input {', '.join(sorted(unknown))}"
    defaults = {name: (text.split("|") + [""] * 5)[4].strip() for name, text in (known or {}).items()}
    return defaults | dict(given)


def printed(title: str, rows: Sequence[tuple[str, float]]) -> None:
    """Print measured seconds, for whoever reads the output of the suite."""
    print(f"\n{title}: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in rows))
