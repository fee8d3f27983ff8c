#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enable or disable a host of OpenNebula for its scheduler; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_scheduling
short_description: Say whether OpenNebula may place virtual machines on a host
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Disables a host, so that the scheduler places no virtual machine on it, or enables it again, as C(onehost disable)
    and C(onehost enable) do. Virtual machines that run there are not touched.
  - A host that is offline takes no virtual machine either, and stays as it is with O(state=disabled).
  - The user needs ADMIN on the host.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
options:
  id:
    description: Host, by id.
    type: int
  name:
    description: Host, by name.
    type: str
  state:
    description: Whether virtual machines may be placed on it.
    type: str
    choices: [enabled, disabled]
    required: true
seealso:
  - module: fact8ra.flower.host_info
"""

EXAMPLES = r"""
- name: Have no VM placed on a host that is to be rebooted
  fact8ra.flower.host_scheduling:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    name: kvm1.example.com
    state: disabled
  register: disabled

- name: Check that none is there
  ansible.builtin.assert:
    that: disabled.host.vms | length == 0
"""

RETURN = r"""
host:
  description: The host, after the change.
  returned: success
  type: dict
  contains:
    id:
      description: Id.
      type: int
      sample: 0
    name:
      description: Name.
      type: str
      sample: kvm1.example.com
    state:
      description: State, such as V(MONITORED), V(INIT), V(DISABLED) or V(OFFLINE).
      type: str
      sample: DISABLED
    vms:
      description: Ids of the virtual machines that OpenNebula has on it.
      type: list
      elements: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import CONNECTION, IDENTITY, ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import Resource, State, ensure, run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import about
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_ints
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.host import (
    DISABLED,
    ENABLED,
    find,
    not_found,
    state_of,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import HOST, Objects, Raw, label, named

SPEC = CONNECTION.merge(
    IDENTITY,
    ArgumentSpec(
        argument_spec={"state": {"type": "str", "choices": ["enabled", "disabled"], "required": True}},
        mutually_exclusive=[("id", "name")],
    ),
)

CLOSED = ("DISABLED", "MONITORING_DISABLED", "OFFLINE")


def _state(raw: Raw) -> State:
    return {"id": int(raw["ID"]), "schedulable": state_of(raw) not in CLOSED, "raw": raw}


def _facts(state: State) -> dict[str, Any]:
    raw = state["raw"]
    return {"id": state["id"], "name": raw["NAME"], "state": state_of(raw), "vms": sorted(as_ints(raw, "VMS", "ID"))}


def run(module: AnsibleModule) -> dict[str, Any]:
    """Bring the host to the state; raises NotFound, and OpenNebulaError where the server refuses."""
    client, params = Client.from_params(module.params), module.params
    objects = Objects(client)

    def read(number: int) -> State | None:
        found = objects.by_id(HOST, number)
        return None if found is None else _state(found)

    with about(HOST.word, params) as subject:
        raw = find(objects, params)
        if raw is None:
            raise not_found(objects, params)
        subject.name, subject.id = raw["NAME"], int(raw["ID"])
        status = ENABLED if params["state"] == "enabled" else DISABLED
        outcome = ensure(
            Resource(
                label=label(client, HOST, raw["NAME"], subject.id),
                current=_state(raw),
                desired={"schedulable": status == ENABLED},
                update=lambda state, _changes: client.call(
                    "host.status", state["id"], status, what=f"have {named(HOST, raw)} {params['state']}"
                ),
                read=read,
            ),
            check_mode=module.check_mode,
        )
        return outcome.result("host", _facts)


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
