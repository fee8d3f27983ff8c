# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Argument specifications that belong to the documentation fragments of the same name.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.errors import AnsibleFallbackNotFound

from ansible_collections.fact8ra.flower.plugins.module_utils._connection import ENVIRONMENT, LIMITS, resolved
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput


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
        """Read the module's parameters; ends the process with a message when they break the specification.

        Connection options that are not given are filled in from where C(resolved) finds them.
        """
        module = AnsibleModule(
            argument_spec={name: dict(option) for name, option in self.argument_spec.items()},
            mutually_exclusive=[list(rule) for rule in self.mutually_exclusive],
            required_one_of=[list(rule) for rule in self.required_one_of],
            required_together=[list(rule) for rule in self.required_together],
            required_if=[list(rule) for rule in self.required_if],
            required_by={name: list(rule) for name, rule in self.required_by.items()},
            supports_check_mode=supports_check_mode,
        )
        if "auth_file" in self.argument_spec:
            try:
                module.params.update(resolved(module.params))
            except InvalidInput as error:
                module.fail_json(msg=error.message, failure=error.as_failure())
            # as for an option, which ansible-core does by itself
            module.no_log_values.add(module.params["password"])
        return module


def set_in_environment(*names: str) -> str:
    """Return the first variable that is set and not empty, as a fallback of an option."""
    value = next((os.environ[name] for name in names if os.environ.get(name)), None)
    if value is None:
        raise AnsibleFallbackNotFound
    return value


# All modules take flow_endpoint, so that module_defaults of the action group can set it for all at once.
CONNECTION = ArgumentSpec(
    argument_spec={
        "endpoint": {"type": "str", "required": True, "fallback": (set_in_environment, [*ENVIRONMENT["endpoint"]])},
        "flow_endpoint": {"type": "str", "fallback": (set_in_environment, [*ENVIRONMENT["flow_endpoint"]])},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "auth_file": {"type": "path"},
        "validate_certs": {"type": "bool"},
        "ca_path": {"type": "path"},
        "connect_timeout": {"type": "float", "default": LIMITS["connect_timeout"]},
        "read_timeout": {"type": "float", "default": LIMITS["read_timeout"]},
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
