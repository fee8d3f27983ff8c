# SPDX-License-Identifier: Apache-2.0
"""Filters that hold an inventory against the roles' argument specs."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.fact8ra.flower.plugins.filter.variables import mistyped_variables, role_options


def test_a_mistyped_variable_is_named_with_the_one_that_was_meant() -> None:
    assert mistyped_variables(["site_supernode", "site_image"]) == [
        "site_supernode is not a variable of this collection; did you mean site_supernodes?"
    ]


@pytest.mark.parametrize("name", ["site_location", "run_tests", "ansible_host", "my_supernodes", "one_vm_id"])
def test_variables_of_the_operator_are_left_alone(name: str) -> None:
    assert mistyped_variables([name]) == []


def test_names_must_be_a_list() -> None:
    with pytest.raises(AnsibleFilterError, match="takes a list"):
        mistyped_variables("site_image")


def test_role_options_leave_out_defaults() -> None:
    options = role_options("site")
    assert options["site_image"]["required"] is True
    assert not any("default" in option for option in options.values())


def test_role_options_of_an_unknown_role_or_entry_point() -> None:
    with pytest.raises(AnsibleFilterError, match="role nowhere has no argument specs"):
        role_options("nowhere")
    with pytest.raises(AnsibleFilterError, match="no entry point nowhere; it has absent, main, preflight, reachable"):
        role_options("site", "nowhere")
