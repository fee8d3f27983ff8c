# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The appliances' templates in a stand-in of OpenNebula that has their images."""

from __future__ import annotations

import copy
import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flow_rest
from playbooks import Played, play

from fact8ra_lab.standin.testing import StandIn, default_seed

TEMPLATES = Path(__file__).parents[2] / "roles" / "appliance" / "files" / "templates"
IMAGES = ("flower-superlink", *(f"flower-supernode{flavour}" for flavour in ("", "-sklearn", "-pytorch", "-edge")))
NETWORK = 'NAME="private"\nVN_MAD="fw"\nBRIDGE="br0"\nAR=[TYPE="IP4",IP="10.0.0.10",SIZE="50"]'


class Cloud:
    """A stand-in with the images, as its tenant sees it."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.network = standin.one("one.vn.allocate", NETWORK, -1, user=standin.tenant)

    def flow(self, verb: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask OneFlow as the tenant."""
        return flow_rest.ask(self.standin.flow_endpoint, self.standin.tenant, verb, path, body)

    def services(self) -> dict[str, Any]:
        """Bodies of the service templates by name."""
        pool = self.flow("GET", "/service_template")[1]["DOCUMENT_POOL"].get("DOCUMENT", [])
        return {each["NAME"]: each["TEMPLATE"]["BODY"] for each in pool}

    def templates(self) -> dict[str, ET.Element]:
        """VM templates by name."""
        pool = ET.fromstring(self.standin.one("one.templatepool.info", -2, -1, -1, user=self.standin.tenant))
        return {each.findtext("NAME") or "": each for each in pool}

    def image(self, name: str) -> int:
        """Id of an image."""
        pool = ET.fromstring(self.standin.one("one.imagepool.info", -2, -1, -1, user=self.standin.tenant))
        return next(int(each.findtext("ID") or "") for each in pool if each.findtext("NAME") == name)

    def groups(self) -> dict[str, set[tuple[str, ...]]]:
        """Rules of the tenant's security groups: protocol, direction, ports and peers."""
        pool = ET.fromstring(self.standin.one("one.secgrouppool.info", -3, -1, -1, user=self.standin.tenant))
        return {each.findtext("NAME") or "": {_rule(rule) for rule in each.iter("RULE")} for each in pool}

    def upload(self, name: str, called: str = "") -> int:
        """What onetemplate create does with a file."""
        text = (
            (TEMPLATES / f"{name}.vm")
            .read_text(encoding="utf-8")
            .replace("IMAGE =", 'IMAGE_UNAME = "oneadmin",\n  IMAGE =')
        )
        named = f'NAME = "{called or name}"\n{text}'
        number: int = self.standin.one("one.template.allocate", named, user=self.standin.tenant)
        return number

    def play(self, tmp_path: Path, *arguments: str, **variables: Any) -> Played:
        """The playbook, as an operator with the tenant's account."""
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "one_endpoint": self.standin.endpoint,
            "one_flow_endpoint": self.standin.flow_endpoint,
            "one_username": self.standin.tenant[0],
            "one_password": self.standin.tenant[1],
            **variables,
        }
        inventory = tmp_path / "hosts.json"
        inventory.write_text(json.dumps({"sites": {"hosts": {"alpha": host}}}))
        return play("appliance_service", *arguments, inventory=inventory)


def _rule(rule: ET.Element) -> tuple[str, ...]:
    network = rule.findtext("NETWORK_ID")
    peers = f"network {network}" if network else rule.findtext("IP") or ""
    return (*(rule.findtext(key) or "" for key in ("PROTOCOL", "RULE_TYPE", "RANGE")), peers)


@contextmanager
def cloud_with_images() -> Iterator[Cloud]:
    """A stand-in with the images."""
    seed = default_seed()
    image = seed["images"][0]
    seed["images"] = [image, *({**image, "name": name} for name in IMAGES)]
    with StandIn(seed) as standin:
        yield Cloud(standin)


def contents(template: ET.Element) -> dict[str, Any]:
    """A VM template's attributes; a vector is a dict."""
    return {
        each.tag: {inner.tag: inner.text or "" for inner in each} if len(each) else each.text or ""
        for each in template.find("TEMPLATE") or ()
    }


def without_cloud(body: dict[str, Any]) -> dict[str, Any]:
    """A service template without what each cloud has its own of, and without what only the role adds."""
    body = copy.deepcopy(body)
    for key in ("name", "registration_time"):
        body.pop(key, None)
    body["networks"] = {name: re.sub("id:.*", "id:", text) for name, text in body["networks"].items()}
    for role in body["roles"]:
        role.pop("template_id", None)
        for nic in role["template_contents"]["NIC"]:
            nic.pop("SECURITY_GROUPS", None)
    return body


def with_ids(body: dict[str, Any], **ids: int) -> dict[str, Any]:
    """As docs/contextualization.md has it done with jq."""
    body = copy.deepcopy(body)
    for role in body["roles"]:
        role["template_id"] = ids[role["name"]]
    return body


def of_file(name: str) -> dict[str, Any]:
    """A service template's file."""
    found: dict[str, Any] = json.loads((TEMPLATES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def entered(inputs: dict[str, str]) -> dict[str, str]:
    """What OpenNebula's command line makes of Enter for every question: it leaves out some that are empty."""
    found = {}
    for name, text in inputs.items():
        _mandatory, kind, _description, _options, initial = text.split("|")
        if kind in ("number", "number-float", "range", "range-float", "list") and not initial:
            continue
        assert kind != "boolean" or initial in ("YES", "NO"), name
        found[name] = initial
    return found


def start(cloud: Cloud, template: str, superlink: dict[str, str] | None = None, **given: str) -> tuple[int, Any]:
    """Start a service, forms untouched but for some answers (named without prefix) and those of the SuperLink."""
    pool = cloud.flow("GET", "/service_template")[1]["DOCUMENT_POOL"]["DOCUMENT"]
    found = next(each for each in pool if each["NAME"] == template)
    body = found["TEMPLATE"]["BODY"]
    own = {"superlink": superlink or {}}
    merge = {
        "name": "fed",
        "networks_values": [{"Private": {"id": cloud.network}}],
        "user_inputs_values": entered(body["user_inputs"])
        | {f"ONEAPP_FLOWER_{name}": text for name, text in given.items()},
        "roles": [
            {"name": role["name"], "user_inputs_values": entered(role["user_inputs"]) | own.get(role["name"], {})}
            for role in body["roles"]
        ],
    }
    action = {"action": {"perform": "instantiate", "params": {"merge_template": merge}}}
    return cloud.flow("POST", f"/service_template/{found['ID']}/action", action)
