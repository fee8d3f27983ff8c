# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The README files of roles and the agreement of their defaults."""

from __future__ import annotations

from pathlib import Path

import pytest
import role_docs
import yaml

SPECS = {
    "main": {
        "short_description": "Set up a thing",
        "description": ["First paragraph with O(thing_port).", "Second."],
        "options": {
            "thing_name": {"description": "Its name.", "required": True},
            "thing_port": {"description": ["A port | or a pipe."], "type": "int", "default": 8443},
            "thing_mode": {"type": "str", "choices": ["a", "b"], "default": "a", "description": "How."},
            "thing_list": {
                "description": "Some things.",
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"id": {"description": "Which.", "type": "int"}},
            },
        },
    },
    "absent": {"short_description": "Remove the thing", "options": {"thing_name": {"required": True, "type": "str"}}},
}
DEFAULTS = {"thing_port": 8443, "thing_mode": "a", "thing_list": []}


def make_role(root: Path, specs: object, defaults: object, name: str = "thing") -> Path:
    """A role below ``root`` that has what the generator reads."""
    role = root / "roles" / name
    for folder in ("meta", "tasks", "defaults"):
        (role / folder).mkdir(parents=True)
    (role / "meta" / "argument_specs.yml").write_text(yaml.safe_dump({"argument_specs": specs}))
    (role / "defaults" / "main.yml").write_text(yaml.safe_dump(defaults))
    for entry in SPECS:
        (role / "tasks" / f"{entry}.yml").write_text("[]\n")
    return role


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose README has the marks of the content."""
    (tmp_path / "README.md").write_text(f"# It\n{role_docs.CONTENT_START}\n{role_docs.CONTENT_END}\nthe end\n")
    return tmp_path


def test_the_table_has_each_variable_with_type_default_and_meaning() -> None:
    text = role_docs.readme("thing", SPECS)
    assert "| `thing_name` | str | **required** | Its name. |" in text
    assert "| `thing_port` | int | `8443` | A port \\| or a pipe. |" in text
    assert "| `thing_mode` | str | `a` | How. One of `a`, `b`. |" in text
    assert "| `thing_list` | list of dict | `[]` | Some things. |" in text
    assert "| `thing_list.id` | int |  | Which. |" in text


def test_macros_become_code_and_the_example_names_what_is_required() -> None:
    text = role_docs.readme("thing", SPECS)
    assert "First paragraph with `thing_port`." in text
    assert "    name: fact8ra.flower.thing\n  vars:\n    thing_name: ...\n" in text
    assert "    tasks_from: absent.yml\n" in text


def test_an_entry_point_with_the_same_variables_refers_to_the_first() -> None:
    specs = {"main": SPECS["main"], "again": {"short_description": "Again", "options": SPECS["main"]["options"]}}
    assert "The variables are those of [`main`](#main)." in role_docs.readme("thing", specs)


def test_a_given_example_is_used() -> None:
    specs = {"main": {"short_description": "Set up", "examples": "- hosts: all\n"}}
    assert "```yaml\n- hosts: all\n```\n" in role_docs.readme("thing", specs)


def test_writing_then_checking_is_clean_and_a_changed_spec_is_not(root: Path) -> None:
    role = make_role(root, SPECS, DEFAULTS)
    assert role_docs.main(["--check"], root) == 1
    assert not (role / "README.md").exists()
    assert role_docs.main([], root) == 0
    assert role_docs.main(["--check"], root) == 0
    (role / "README.md").write_text("something else\n")
    assert role_docs.main(["--check"], root) == 1


@pytest.mark.parametrize(
    ("defaults", "fault"),
    [
        ({**DEFAULTS, "thing_port": 8444}, "thing_port is 8443 in argument_specs.yml and 8444 in defaults"),
        ({**DEFAULTS, "thing_port": "8443"}, "thing_port is 8443 in argument_specs.yml and '8443' in defaults"),
        ({**DEFAULTS, "thing_port": True}, "thing_port is 8443"),
        (
            {"thing_port": 8443, "thing_mode": "a"},
            "thing_list has the default [] in argument_specs.yml, none in defaults",
        ),
        ({**DEFAULTS, "thing_other": 1}, "thing_other of defaults/main.yml is not in argument_specs.yml"),
        ({**DEFAULTS, "thing_name": "x"}, "thing_name has a default in defaults/main.yml, none in argument_specs.yml"),
    ],
)
def test_defaults_that_differ_are_named(tmp_path: Path, defaults: dict[str, object], fault: str) -> None:
    faults = role_docs.process(make_role(tmp_path, SPECS, defaults), check=False)
    assert len(faults) == 1
    assert fault in faults[0]


def test_a_templated_number_stands_in_the_defaults_alone_and_is_shown(root: Path) -> None:
    specs = {
        "main": {"short_description": "Set up", "options": {"thing_port": {"type": "int", "description": "Port."}}}
    }
    role = make_role(root, specs, {"thing_port": "{{ other_port | default(1) }}"})
    assert role_docs.main([], root) == 0
    assert "| `thing_port` | int | `{{ other_port \\| default(1) }}` | Port. |" in (role / "README.md").read_text()


def test_entry_points_that_disagree_are_named() -> None:
    specs = {
        "main": {"options": {"thing_port": {"default": 1}}},
        "absent": {"options": {"thing_port": {"default": 2, "required": True}}},
    }
    faults = role_docs.default_faults("thing", specs, {"thing_port": 2})
    assert any("absent: thing_port has another default" in fault for fault in faults)
    assert any("absent: thing_port is required and has a default" in fault for fault in faults)


def test_missing_parts_of_a_role_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_role(root, {**SPECS, "lost": {"short_description": "No tasks"}}, DEFAULTS, "one")
    (make_role(root, SPECS, DEFAULTS, "two") / "meta" / "argument_specs.yml").unlink()
    (make_role(root, SPECS, DEFAULTS, "three") / "meta" / "argument_specs.yml").write_text("a: [")
    assert role_docs.main([], root) == 1
    said = capsys.readouterr().err
    assert "roles/one: there are no tasks for the entry point lost" in said
    assert "roles/two: meta/argument_specs.yml is missing" in said
    assert "roles/three/meta/argument_specs.yml: while parsing" in said


def test_the_readme_lists_what_there_is(root: Path) -> None:
    make_role(root, SPECS, DEFAULTS)
    modules = root / "plugins" / "modules"
    modules.mkdir(parents=True)
    (modules / "vnet.py").write_text('DOCUMENTATION = r"""\nmodule: vnet\nshort_description: Manage | networks\n"""\n')
    filters = root / "plugins" / "filter"
    filters.mkdir()
    (filters / "odd.yml").write_text("DOCUMENTATION:\n  short_description: Find the odd\n")
    lookups = root / "plugins" / "lookup"
    lookups.mkdir()
    (lookups / "even.py").write_text('DOCUMENTATION = r"""\nname: even\nshort_description: Find the even\n"""\n')
    assert role_docs.main([], root) == 0
    text = (root / "README.md").read_text()
    assert "| `even` | Find the even |" in text
    assert "| `vnet` | Manage \\| networks |" in text
    assert "| `odd` | Find the odd |" in text
    assert "| [`thing`](roles/thing/README.md) | Set up a thing |" in text
    assert text.startswith("# It\n")
    assert text.endswith("\nthe end\n")
    (modules / "vnet.py").unlink()
    assert role_docs.main(["--check"], root) == 1


def test_a_readme_without_the_marks_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert role_docs.main([], tmp_path) == 1
    assert "README.md: the marks" in capsys.readouterr().err
