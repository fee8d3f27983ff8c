# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The rules of the repository, each broken once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import rules

TAG = rules.LICENCE_TAG
MODULE = '''# {tag} GPL-3.0-or-later
DOCUMENTATION = r"""
module: {name}
extends_documentation_fragment:
{fragments}
"""
'''


def write(root: Path, name: str, body: str) -> None:
    """A file below ``root``."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body, encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository that keeps all rules."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    fragments = "\n".join(
        f"  - {name}" for name in (rules.GROUP_FRAGMENTS["opennebula"], rules.OPTION_FRAGMENTS["opennebula"])
    )
    write(tmp_path, "plugins/modules/vnet.py", MODULE.format(tag=TAG, name="vnet", fragments=fragments))
    write(
        tmp_path,
        "plugins/modules/plain.py",
        MODULE.format(tag=TAG, name="plain", fragments="  - fact8ra.flower._attributes"),
    )
    write(tmp_path, "meta/runtime.yml", f"# {TAG} Apache-2.0\naction_groups:\n  opennebula: [vnet]\n")
    write(tmp_path, "Makefile", "lab: ## Main\n\ttrue\n")
    write(tmp_path, "playbooks/site.yml", f"# {TAG} Apache-2.0\n")
    write(
        tmp_path,
        "README.md",
        "```console\n$ make lab\nansible-playbook playbooks/site.yml # again\n```\n[site](playbooks/site.yml)\n",
    )
    return tmp_path


def test_a_repository_that_keeps_the_rules_has_no_faults(repository: Path) -> None:
    assert rules.faults_of(repository) == []


@pytest.mark.parametrize(
    ("name", "body", "fault"),
    [
        ("roles/x/tasks/main.yml", "[]\n", f"roles/x/tasks/main.yml: no line {TAG} Apache-2.0"),
        ("plugins/module_utils/_x.py", f"# {TAG} Apache-2.0\n", "licence Apache-2.0; here it has to be BSD-2-Clause"),
        ("plugins/filter/_x.py", f"# {TAG} BSD-2-Clause\n", "licence BSD-2-Clause; here it has to be GPL-3.0-or-later"),
        ("notes.txt", "see /wo" + "rk/main\n", "notes.txt:1: '/wo" + "rk/' is a directory of one machine"),
        ("notes.txt", "\nTO" + "DO: later\n", "notes.txt:2: 'TO" + "DO' is work left undone"),
        ("notes.txt", "in /ho" + "me/alice/x\n", "is a home directory of one machine"),
        ("docs/a.md", "```sh\nmake nothing\n```\n", "docs/a.md: `make nothing` is no target of the Makefile"),
        ("docs/a.md", "```console\n$ tools/none.sh\n```\n", "docs/a.md: tools/none.sh does not exist"),
        ("docs/a.md", "[b](b.md#part)\n", "docs/a.md: the link to b.md#part leads nowhere"),
        ("plugins/filter/new.py", f"# {TAG} GPL-3.0-or-later\n", "has no tests/unit/plugins/filter/test_new.py"),
        ("tests/sanity/ignore-2.19.txt", "plugins/x.py y\n", "tests/sanity/ignore-2.19.txt: ignores sanity tests"),
        (
            "meta/runtime.yml",
            f"# {TAG} Apache-2.0\n",
            "meta/runtime.yml: vnet is missing in the action group opennebula",
        ),
    ],
)
def test_a_broken_rule_is_named(repository: Path, name: str, body: str, fault: str) -> None:
    write(repository, name, body)
    faults = rules.faults_of(repository)
    assert len(faults) == 1, faults
    assert fault in faults[0]


@pytest.mark.parametrize(
    "body",
    [
        "a path such as /opt/flower/wo" + "rk/x and {{ dir }}/wo" + "rk/y\n",
        "`make nothing` in prose\n```yaml\nmake nothing\n```\n",
        "```console\nmake lab ARGS='some words'\nmake lab # and more words\n```\n",
        "[out](https://example.org/x) [mail](mailto:x@example.org) [here](#there)\n",
    ],
)
def test_what_only_looks_like_a_fault_passes(repository: Path, body: str) -> None:
    write(repository, "docs/a.md", body)
    assert rules.faults_of(repository) == []


def test_action_group_members_have_to_extend_its_fragment(repository: Path) -> None:
    write(repository, "meta/runtime.yml", f"# {TAG} Apache-2.0\naction_groups:\n  opennebula: [plain, vnet]\n")
    assert (
        "plugins/modules/plain.py: is in the action group opennebula, but does not extend"
        in rules.faults_of(repository)[0]
    )


def test_connection_options_without_the_group_are_named(repository: Path) -> None:
    fragment = f"  - {rules.OPTION_FRAGMENTS['opennebula']}"
    write(repository, "plugins/modules/plain.py", MODULE.format(tag=TAG, name="plain", fragments=fragment))
    assert "it takes both or none" in "\n".join(rules.faults_of(repository))


def test_files_that_git_ignores_do_not_count(repository: Path) -> None:
    write(repository, ".gitignore", "build/\n")
    write(repository, "build/x.yml", "[]\n")
    assert rules.faults_of(repository) == []
