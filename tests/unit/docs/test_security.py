# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""docs/security.md says what the adversarial tests test, and its port table what role firewall opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import promises
import pytest
import yaml
from promises import Attempt, promise

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "roles/firewall/vars/main.yml").read_text())["_firewall_rules"]
HOSTS = {
    "every": "every host",
    "superlink": "SuperLink",
    "superlink_tunnel": "SuperLink, with a tunnel",
    "hub": "hub of the tunnel",
    "gateway": "hub that is not the SuperLink",
    "peer": "peer of the tunnel",
    "supernode": "SuperNode",
    "supernode_by_name": "SuperNode that dials a name",
    "control": "SuperLink, with control users",
    "onegate": "every host with OneGate",
    "superlink_onegate": "SuperLink that lets SuperNodes join by OneGate",
    "index": "every host, with flower_index_url",
}
DIRECTIONS = {
    "input": "in",
    "forward": "through",
    "output": "out",
    "apps": "out, apps",
    "control": "out, control users",
    "control_api": "loopback",
}
# Whose packets a chain judges when a rule names no users.
USERS = {"output": "all", "apps": "flower-app", "control": "the group flower-control"}


def _port_rows(rules: list[dict[str, Any]]) -> Iterator[list[str]]:
    for rule in rules:
        users = ", ".join(rule.get("users", [])) or USERS.get(rule["chain"], "-")
        hosts = ", ".join(HOSTS[kind] for kind in rule["hosts"])
        yield [hosts, DIRECTIONS[rule["chain"]], rule["shown"], rule["peer"], users, rule["reason"]]


def test_the_port_table_is_what_the_firewall_opens() -> None:
    assert promises.rows(TEXT, "Host") == list(_port_rows(RULES))


def test_every_promise_is_attacked_and_every_attack_has_its_promise() -> None:
    assert promises.faults(TEXT, promises.tested(promises.TESTS)) == []


def test_every_attacker_of_the_threat_model_is_answered_by_tests_that_exist() -> None:
    rows = promises.rows(TEXT, "Who")
    named = {name for row in rows for name in promises.files(row[-1])}
    assert len(rows) >= 5
    assert {name for each in promises.written(TEXT) for name in each.files} >= named


@pytest.mark.parametrize(
    ("tests", "fault"),
    [
        ([("test_a.py", "test_x", "Held."), ("test_a.py", "test_y", None)], "test_y names no promise"),
        ([("test_a.py", "test_x", "Held."), ("test_a.py", "test_y", "Other.")], "does not promise: Other."),
        ([], "no test attacks: Held."),
        ([("test_b.py", "test_x", "Held.")], "is tested in test_b.py"),
    ],
)
def test_what_does_not_agree_is_told(tests: list[tuple[str, str, str | None]], fault: str) -> None:
    text = "| Promise | How | Test |\n| --- | --- | --- |\n| Held. | so | `test_a.py` |\n"
    (told,) = promises.faults(text, tests)
    assert fault in told


def test_the_promise_of_a_test_is_read_without_importing_it(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(
        '@promise("Held.", attempt="x")\n@mark\ndef test_x(): pass\ndef test_y(): pass\ndef helper(): pass\n'
    )
    assert list(promises.tested(tmp_path)) == [("test_a.py", "test_x", "Held."), ("test_a.py", "test_y", None)]


def test_a_control_that_does_not_work_fails_the_test() -> None:
    made = Attempt("Held.", "x")
    with pytest.raises(AssertionError, match="the attempt would prove nothing: no key"):
        made.control(False, "no key")
    assert made.faults() == ["no control was noted", "no outcome was noted"]


def test_the_attempt_is_told_with_the_tests_parameters() -> None:
    marker = promise("Held.", attempt="from {who}").mark
    item: Any = SimpleNamespace(get_closest_marker=lambda _name: marker, callspec=SimpleNamespace(params={"who": "B"}))
    made = promises.attempt_of(item)
    assert made is not None
    assert (made.promise, made.attempt) == ("Held.", "from B")


def test_the_table_fits_a_terminal_and_tells_what_broke() -> None:
    made = [
        Attempt("Held.", "a " * 60, ["works " * 20], ["refused"], True),
        Attempt("Held.", "b", [], ["let in"], None),
    ]
    text = promises.table(made)
    assert max(map(len, text.splitlines())) <= promises.WIDTH
    assert text.count("Held.") == 1
    assert "BROKEN" in text
    page = promises.markdown([Attempt("Held.", "a|b", ["c"], ["d"], True)])
    assert "| a\\|b | c | d | yes |" in page
