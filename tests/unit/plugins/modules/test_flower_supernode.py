# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module flower_supernode; what it decides is tested with supernodes.py."""

from __future__ import annotations

import pytest
from flower_fakes import FakeControl, key_line, run_main

from ansible_collections.fact8ra.flower.plugins.modules import flower_supernode


@pytest.fixture(name="control")
def _control(monkeypatch: pytest.MonkeyPatch) -> FakeControl:
    control = FakeControl()
    monkeypatch.setattr(flower_supernode, "Control", lambda *_args: control)
    return control


def test_present_and_absent(control: FakeControl) -> None:
    supernodes = [{"name": "a", "public_key": key_line("a")}]
    planned = run_main(flower_supernode.main, {"supernodes": supernodes}, check=True, diff=True)
    assert planned["changed"]
    assert planned["diff"]["before"] == {"supernodes": {}}
    assert [item["name"] for item in planned["diff"]["after"]["supernodes"].values()] == ["a"]
    assert control.calls == []
    done = run_main(flower_supernode.main, {"supernodes": supernodes})
    assert (done["changed"], done["registered"]) == (True, ["a"])
    assert not run_main(flower_supernode.main, {"supernodes": supernodes})["changed"]
    gone = run_main(flower_supernode.main, {"supernodes": [{"name": "a"}], "state": "absent"}, diff=True)
    assert (gone["changed"], gone["unregistered"]) == (True, ["a"])
    assert gone["diff"]["after"] == {"supernodes": {}}


def test_warnings_reach_the_user(control: FakeControl) -> None:
    key = key_line("a")
    run_main(flower_supernode.main, {"supernodes": [{"name": "a", "public_key": key}]})
    moved = {"name": "a", "public_key": key, "location": "1,2"}
    result = run_main(flower_supernode.main, {"supernodes": [moved]})
    assert not result["changed"]
    assert "cannot change it to 1,2" in str(result["warnings"])


def test_a_failure_names_the_node(control: FakeControl) -> None:
    result = run_main(flower_supernode.main, {"supernodes": [{"name": "a", "public_key": "x"}]})
    assert result["failed"]
    assert "public_key of a" in result["msg"]


def test_a_missing_flwr_is_told() -> None:
    result = run_main(flower_supernode.main, {"supernodes": []})
    assert result["failure"]["code"] == "flwr_missing"
