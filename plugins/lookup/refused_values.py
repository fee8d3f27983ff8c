# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup `refused_values`."""

from __future__ import annotations

DOCUMENTATION = r"""
name: refused_values
short_description: Find values of a role's variables that are not allowed
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Holds the values that the play has for the options of roles of this collection against what each may be, before any
    of them reaches a file, a shell or a template of OpenNebula.
  - Whether a value has the right type and whether one is missing is told by the roles' argument specs. Variables that
    are not defined, or that depend on one that is not, are left out.
  - Secrets are judged as well, and never shown.
options:
  _terms:
    description: Short names of roles of this collection.
    type: list
    elements: str
    required: true
  entry_point:
    description: Judge the options of this entry point alone, in place of those of every one.
    type: str
notes:
  - What a variable may be is in C(meta/allowed_values.yml) of its role.
"""

EXAMPLES = r"""
- name: Check the values of the variables
  ansible.builtin.assert:
    that: refused | length == 0
    fail_msg: "{{ refused | join('. ') }}"
  vars:
    refused: "{{ query('fact8ra.flower.refused_values', 'supernode') }}"
"""

RETURN = r"""
_list:
  description: A sentence for each value that is not allowed, with variable, value and what it must be.
  type: list
  elements: str
  sample: ["superlink_max_body_size is '64m;'; it must be a number with k, m or g"]
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError, AnsibleLookupError, AnsibleUndefinedVariable, AnsibleValueOmittedError
from ansible.plugins.lookup import LookupBase
from ansible.template import Templar

from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.roles import rules_of
from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.rules import BadTable, Rule


def _judged(templar: Templar, name: str, rule: Rule, value: object) -> list[str]:
    """Sentences about one variable, of which the play has a value or a template."""
    try:
        return [refusal.sentence(rule.hidden) for refusal in rule.refusals(name, templar.template(value))]
    except (AnsibleUndefinedVariable, AnsibleValueOmittedError):
        return []
    except AnsibleError as error:
        raise AnsibleLookupError(f"{name} cannot be resolved{'' if rule.hidden else f': {error}'}") from None


class LookupModule(LookupBase):
    """Judges the variables of roles."""

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return a sentence for each value that is refused.

        Raises:
            AnsibleLookupError: When a role or its table is not there, or a variable cannot be resolved.
        """
        self.set_options(var_options=variables, direct=kwargs)
        if self._templar is None or variables is None:
            raise AnsibleLookupError("refused_values needs the variables of a play")
        sentences: list[str] = []
        for role in terms:
            try:
                rules = rules_of(role, self.get_option("entry_point"))
            except BadTable as error:
                raise AnsibleLookupError(str(error)) from error
            for name, rule in rules.items():
                if name in variables:
                    sentences += _judged(self._templar, name, rule, variables[name])
        return list(dict.fromkeys(sentences))
