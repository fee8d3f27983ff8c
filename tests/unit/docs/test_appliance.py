# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""docs/appliance.md names what there is, explains every state, and its commands for the API work against a stand-in."""

from __future__ import annotations

import copy
import functools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promises
import pytest
import yaml

from fact8ra_appliance.report import State
from fact8ra_appliance.run import RunState
from fact8ra_lab.standin.testing import StandIn

ROOT = Path(__file__).parents[3]
ROLES = ROOT / "roles"
TEMPLATES = ROLES / "appliance" / "files" / "templates"
TEXT = (ROOT / "docs" / "appliance.md").read_text(encoding="utf-8")
VARIABLES = yaml.safe_load((ROLES / "appliance" / "meta" / "context.yml").read_text(encoding="utf-8"))["variables"]
SERVICE: dict[str, Any] = json.loads((TEMPLATES / "flower-service.json").read_text(encoding="utf-8"))
APPS = yaml.safe_load((ROOT / "marketplace" / "apps.yml").read_text(encoding="utf-8"))["apps"]
#: Files where a tenant reads of variables of the context.
PAGES = [ROOT / "README.md", ROOT / "docs" / "appliance.md", *sorted((ROOT / "marketplace").rglob("*.*"))]
#: Of OneFlow, when all is well.
RUNNING = 2


@functools.cache
def code() -> str:
    """Everything that the roles and their programs are made of."""
    suffixes = {".py", ".yml", ".j2", ".service", ".timer", ".json"}
    found = [
        path for path in ROLES.rglob("*") if path.suffix in suffixes and "lab" not in path.relative_to(ROLES).parts
    ]
    return "\n".join(path.read_text(encoding="utf-8") for path in found)


def test_every_state_has_a_meaning_and_a_cure() -> None:
    rows = promises.rows(TEXT, "State")
    assert [row[0].strip("`") for row in rows] == [str(state) for state in State]
    assert all(all(row) for row in rows)


def test_the_states_of_a_run_are_those_that_there_are() -> None:
    named = re.search(r"`FLOWER_RUN_STATE` \(([^)]+)\)", TEXT)
    assert named
    assert re.findall(r"[A-Z_]{2,}", named[1]) == [str(state) for state in RunState]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_is_one_of_the_context(page: Path) -> None:
    text = page.read_text(encoding="utf-8", errors="replace")
    assert set(re.findall(r"ONEAPP_FLOWER_([A-Z_]*[A-Z])", text)) <= set(VARIABLES)


def test_every_attribute_is_one_that_the_appliance_tells() -> None:
    for name in set(re.findall(r"\bFLOWER_[A-Z_]*[A-Z]\b", TEXT.replace("ONEAPP_FLOWER_", ""))):
        assert name in code() or name in VARIABLES, name


def test_every_unit_and_path_is_in_the_code() -> None:
    units = set(re.findall(r"journalctl -u ([\w-]+)", TEXT))
    paths = set(re.findall(r"(?<![\w.:$])(/(?:run|var|etc|opt)/[\w./-]*\w)", TEXT)) | set(
        re.findall(r"root@\w+:(/[\w./-]*\w)", TEXT)
    )
    assert len(units) == 3
    assert len(paths) >= 5
    for unit in units:
        assert f"{unit}.service" in code(), unit
    for path in paths:
        directory, slash, name = path.removesuffix("/RUN").lstrip("/").rpartition("/")
        assert f"{directory}{slash}{name}" in code() or (directory in code() and f'"{name}"' in code()), path


def test_what_it_says_of_the_service_is_what_the_service_is() -> None:
    supernode = next(role for role in SERVICE["roles"] if role["name"] == "supernode")
    assert (supernode["min_vms"], list(SERVICE["networks"])) == (2, ["Private"])
    assert "the service keeps at least two" in TEXT
    trust = supernode["user_inputs"]["ONEAPP_FLOWER_TRUST"].split("|")[3].split(",")
    assert [row[0].strip("`") for row in promises.rows(TEXT, "Value")] == trust
    port = SERVICE["roles"][0]["user_inputs"]["ONEAPP_FLOWER_FLEET_PORT"].rpartition("|")[2]
    assert f"Port {port} of\n" in TEXT


def test_another_site_is_asked_for_what_it_needs() -> None:
    site = json.loads((TEMPLATES / "flower-site.json").read_text(encoding="utf-8"))
    section = TEXT.split("\n## 5. SuperNodes at other sites\n")[1].split("\n## ")[0]
    step = section.split("\n3. ")[1].split("\n\n")[0]
    mandatory = {name for name, text in site["user_inputs"].items() if text.startswith("M|")}
    assert set(re.findall(r"ONEAPP_FLOWER_[A-Z_]+", step)) == mandatory
    single = next(app for app in APPS if app["type"] == "VMTEMPLATE")
    assert set(single["mandatory"]) == mandatory


def test_the_apps_are_those_of_the_marketplace() -> None:
    names = {app["name"].removeprefix("fact8ra Flower ") for app in APPS}
    table = [name for row in promises.rows(TEXT, "App of the marketplace") for name in re.split(r"; |, ", row[0])]
    flavours = {"edge": "SuperNode edge", "PyTorch": "SuperNode PyTorch"}
    listed = [name.removeprefix("fact8ra Flower ") for name in table]
    assert {flavours.get(name, name) for name in listed} == names


# ----------------------------------------------------------------------------------------------- as a tenant, with curl


def blocks(heading: str) -> list[str]:
    """The console blocks of a section."""
    section = TEXT.split(f"\n{heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```console\n(.*?)```", section, re.DOTALL)


class Tenant:
    """Somebody with a shell, curl, jq, and an account."""

    def __init__(self, standin: StandIn, home: Path) -> None:
        self.home = home
        name, password = standin.tenant
        (home / ".netrc").write_text(f"machine 127.0.0.1 login {name} password {password}\n", encoding="utf-8")

    def sh(self, script: str) -> list[str]:
        """Lines that a script writes; it ends at the first command that fails."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture
def cloud() -> Iterator[StandIn]:
    """A cloud with a network that everybody may use."""
    with StandIn() as standin:
        network = 'NAME = "n"\nVN_MAD = "bridge"\nAR = [ TYPE = "IP4", IP = "10.0.0.10", SIZE = "9" ]'
        assert standin.one("one.vn.allocate", network, -1) == 0
        standin.one("one.vn.chmod", 0, 1, 1, 0, 1, 1, 0, 1, 0, 0)
        yield standin


def imported(cloud: StandIn) -> dict[str, Any]:
    """The service, whose images and VM templates the tenant has."""
    body: dict[str, Any] = copy.deepcopy(SERVICE)
    for role, name in zip(body["roles"], ("flower-superlink", "flower-supernode-sklearn"), strict=True):
        disk = f'NAME = "{name}"\nTYPE = "OS"\nPATH = "/etc/hostname"\nSIZE = "16"'
        cloud.one("one.image.allocate", disk, 1, user=cloud.tenant)
        text = (TEMPLATES / f"{name}.vm").read_text(encoding="utf-8")
        role["template_id"] = cloud.one("one.template.allocate", f'NAME = "{name}"\n{text}', user=cloud.tenant)
    return body


def test_a_tenant_with_curl_starts_the_federation_that_trains(cloud: StandIn, tmp_path: Path) -> None:
    tenant = Tenant(cloud, tmp_path)
    (tmp_path / "service.json").write_text(json.dumps(imported(cloud)), encoding="utf-8")
    made = tenant.sh(f"curl -sfn -d @service.json {cloud.flow_endpoint}/service_template | jq -r .DOCUMENT.ID")[0]
    api = next(block for block in blocks("## 2. Start a federation") if "curl" in block)
    listing, answers, start, look = re.split(r"^(?=TEMPLATE=|jq '\{action|SERVICE=)", api, flags=re.MULTILINE)
    flow = "https://cloud.example.org:2474"
    assert flow in listing
    here = listing.splitlines()[0].replace(flow, cloud.flow_endpoint) + "\n"
    assert tenant.sh(listing.replace(flow, cloud.flow_endpoint)) == [f"{made} {SERVICE['name']}"]
    chosen = answers.replace("TEMPLATE=7 NETWORK=12", f"TEMPLATE={made} NETWORK=0")
    tenant.sh(here + chosen)
    tenant.sh(blocks("## 4. Train")[0])
    tenant.sh("mv poc.json answers.json")
    service = tenant.sh(f"{here}TEMPLATE={made}\n{start}")[0]

    def state() -> int:
        return int(tenant.sh(here + look.replace("SERVICE=8", f"SERVICE={service}"))[0])

    told: set[int] = set()

    def running() -> bool:
        # What the appliances tell OneGate.
        lines = tenant.sh(here + look.replace("SERVICE=8", f"SERVICE={service}"))[1:]
        for vm in {int(vm) for line in lines for vm in json.loads(line)[1:]} - told:
            cloud.one("one.vm.update", vm, 'READY = "YES"', 1, user=cloud.tenant)
            told.add(vm)
        return state() == RUNNING

    cloud.until(running, 20)
    assert len(told) == 3
    contexts = [cloud.one("one.vm.info", vm, user=cloud.tenant) for vm in sorted(told)]
    assert "<ONEAPP_FLOWER_RUN_APP><![CDATA[poc]]>" in contexts[0]
    assert all("<ONEAPP_FLOWER_DATA><![CDATA[poc]]>" in context for context in contexts[1:])
    assert all("<ONEAPP_FLOWER_JOIN_TOKEN><![CDATA[]]>" in context for context in contexts)


def test_the_command_line_is_given_the_same_answers() -> None:
    command_line, api = blocks("## 2. Start a federation")
    filters = [re.search(r"'\.DOCUMENT\.TEMPLATE\.BODY \| \{.*?\}'", block, re.DOTALL) for block in (command_line, api)]
    assert all(filters)
    assert filters[0][0] == filters[1][0]  # type: ignore[index]
