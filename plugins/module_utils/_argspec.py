# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Argument specifications that belong to the documentation fragments of the same name.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import env_fallback


@dataclass(frozen=True)
class ArgumentSpec:
    """Options and the rules between them, as one object that can be joined with others.

    Attributes have the shapes that :class:`AnsibleModule` takes under the same names.
    """

    argument_spec: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mutually_exclusive: Sequence[Sequence[str]] = ()
    required_one_of: Sequence[Sequence[str]] = ()
    required_together: Sequence[Sequence[str]] = ()
    required_if: Sequence[Sequence[Any]] = ()
    required_by: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def merge(self, *others: ArgumentSpec) -> ArgumentSpec:
        """Return a specification with the options and rules of this one and of all C(others); later ones win."""
        specs = (self, *others)
        return ArgumentSpec(
            argument_spec={name: option for spec in specs for name, option in spec.argument_spec.items()},
            mutually_exclusive=[rule for spec in specs for rule in spec.mutually_exclusive],
            required_one_of=[rule for spec in specs for rule in spec.required_one_of],
            required_together=[rule for spec in specs for rule in spec.required_together],
            required_if=[rule for spec in specs for rule in spec.required_if],
            required_by={name: rule for spec in specs for name, rule in spec.required_by.items()},
        )

    def create_module(self, *, supports_check_mode: bool = True) -> AnsibleModule:
        """Read the module's parameters; ends the process with a message when they break the specification."""
        return AnsibleModule(
            argument_spec={name: dict(option) for name, option in self.argument_spec.items()},
            mutually_exclusive=[list(rule) for rule in self.mutually_exclusive],
            required_one_of=[list(rule) for rule in self.required_one_of],
            required_together=[list(rule) for rule in self.required_together],
            required_if=[list(rule) for rule in self.required_if],
            required_by={name: list(rule) for name, rule in self.required_by.items()},
            supports_check_mode=supports_check_mode,
        )


def _env(*names: str) -> tuple[Any, list[str]]:
    return (env_fallback, list(names))


# All modules take flow_endpoint, so that module_defaults of the action group can set it for all at once.
CONNECTION = ArgumentSpec(
    argument_spec={
        "endpoint": {
            "type": "str",
            "required": True,
            "fallback": _env("ONE_URL", "ONE_XMLRPC", "OPENNEBULA_ENDPOINT"),
        },
        "flow_endpoint": {"type": "str", "fallback": _env("ONEFLOW_URL", "OPENNEBULA_FLOW_ENDPOINT")},
        "username": {"type": "str", "required": True, "fallback": _env("ONE_USERNAME", "OPENNEBULA_USERNAME")},
        "password": {
            "type": "str",
            "required": True,
            "no_log": True,
            "fallback": _env("ONE_PASSWORD", "OPENNEBULA_PASSWORD"),
        },
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "connect_timeout": {"type": "float", "default": 10.0},
        "read_timeout": {"type": "float", "default": 60.0},
    },
)


def wait_spec(timeout: int = 120) -> ArgumentSpec:
    """Return the options C(wait) and C(wait_timeout) with a default of C(timeout) seconds."""
    return ArgumentSpec(
        argument_spec={
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": timeout},
        },
    )


WAIT = wait_spec()

# mode is raw: YAML reads an unquoted 0640 as 416, which must be refused and not be taken for "416".
PERMISSIONS = ArgumentSpec(
    argument_spec={
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "raw"},
    },
)

IDENTITY = ArgumentSpec(
    argument_spec={
        "id": {"type": "int"},
        "name": {"type": "str"},
    },
    required_one_of=[("id", "name")],
)

STATE = ArgumentSpec(
    argument_spec={"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}},
)

INFO = ArgumentSpec(
    argument_spec={
        "id": {"type": "int"},
        "name": {"type": "str"},
        "filter": {"type": "str", "choices": ["all", "mine", "group"], "default": "all"},
    },
    mutually_exclusive=[("id", "name")],
)
