# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The errors' shape, and that argument specifications and documentation fragments say the same."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml

from ansible_collections.fact8ra.flower.plugins.module_utils import _argspec, _errors


def test_a_failure_has_all_keys_and_the_rest_in_details() -> None:
    details = {"server": "text", "id": 0, "operation": "one.vn.update", "object": "virtual network 'x'", "option": "y"}
    error = _errors.Refused("no", details=details)
    assert error.as_failure() == {
        "code": "refused",
        "object": "virtual network 'x'",
        "id": 0,
        "operation": "one.vn.update",
        "server_message": "text",
        "details": {"option": "y"},
    }
    assert str(error) == "no"
    unknown = {"object": None, "id": None, "operation": None, "server_message": None}
    assert _errors.InvalidInput("no").as_failure() == {"code": "invalid_input", **unknown, "details": {}}


def test_a_timeout_carries_the_last_state() -> None:
    error = _errors.ResourceTimeout("late", last_state="LOCK_CREATE", details={"id": 0})
    assert error.last_state == "LOCK_CREATE"
    assert error.details == {"id": 0, "last_state": "LOCK_CREATE"}


def test_codes_are_distinct() -> None:
    every = _errors.OpenNebulaError.__subclasses__()
    classes = [each for each in every if each.__module__ == _errors.__name__]
    assert len({each.code for each in classes}) == len(classes) == 9


def _documented(fragment: str, name: str) -> dict[str, Any]:
    module = importlib.import_module(f"ansible_collections.fact8ra.flower.plugins.doc_fragments.{fragment}")
    options: dict[str, Any] = yaml.safe_load(getattr(module.ModuleDocFragment, name))["options"]
    return options


@pytest.mark.parametrize(
    ("spec", "fragment", "name"),
    [
        (_argspec.CONNECTION, "_opennebula", "DOCUMENTATION"),
        (_argspec.IDENTITY, "_opennebula", "IDENTITY"),
        (_argspec.STATE, "_opennebula", "STATE"),
        (_argspec.PERMISSIONS, "_opennebula", "PERMISSIONS"),
        (_argspec.WAIT, "_waiting", "DOCUMENTATION"),
    ],
)
def test_specification_and_fragment_agree(spec: _argspec.ArgumentSpec, fragment: str, name: str) -> None:
    documented = _documented(fragment, name)
    assert documented.keys() == spec.argument_spec.keys()
    for option, rules in spec.argument_spec.items():
        for key in ("type", "default", "choices", "required"):
            assert documented[option].get(key) == rules.get(key), (option, key)
        for variable in rules.get("fallback", (None, []))[1]:
            assert f"E({variable})" in " ".join(documented[option]["description"])


def test_merging_keeps_options_and_rules() -> None:
    extra = _argspec.ArgumentSpec(argument_spec={"x": {"type": "str"}}, required_together=[("x", "id")])
    merged = _argspec.IDENTITY.merge(extra)
    assert set(merged.argument_spec) == {"id", "name", "x"}
    assert merged.required_one_of == [("id", "name")]
    assert merged.required_together == [("x", "id")]
    assert set(_argspec.IDENTITY.argument_spec) == {"id", "name"}
